"""Fixtures for every folder: a machine of its own, and a real daemon on it."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machine import Daemon, Machine, start_daemon

StartDaemon = Callable[..., Daemon]

# Started in the background, as some CI systems do, everything below would ignore Ctrl-C: that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine where nothing has been started yet."""
    home = tmp_path / "home"
    home.mkdir()
    return Machine(home)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that the tests of one module share; each makes its own keys and budgets."""
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")))
    yield running
    running.end()


@pytest.fixture
def start(machine: Machine) -> Iterator[StartDaemon]:
    """Starts daemons on this test's own machine: `start("--hosted")`. They end with the test."""
    started: list[Daemon] = []

    def start_one(*flags: str, on: Machine = machine, **options: object) -> Daemon:
        started.append(start_daemon(on, *flags, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start_one
    for one in started:
        one.end()
