"""A daemon for everything that needs several people, shared by the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.machine import Daemon, Machine, start_daemon


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that believes X-Forwarded-For, so that each person comes from an address of their own, and whose clock
    can be moved. Each test makes its own people and organizations in it."""
    running = start_daemon(Machine(tmp_path_factory.mktemp("town")), "--trust-proxy", "--test-clock")
    yield running
    running.end()
