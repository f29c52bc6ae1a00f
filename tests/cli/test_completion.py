"""Completion in real shells in a terminal: words of the tree, options, and values that live on a server."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pexpect
import pytest

from tests.machine import ROOT, Daemon, Machine, start_daemon

SHELLS = ("bash", "zsh", "fish")
LOADED = "completion-is-loaded"
LINES = {
    "bash": f"source {ROOT}/completions/nullspend.bash; echo {LOADED}",
    "zsh": f"fpath=({ROOT}/completions $fpath); autoload -Uz compinit; compinit -u -D; echo {LOADED}",
    "fish": f"source {ROOT}/completions/nullspend.fish; echo {LOADED}",
}
COMMANDS = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}
Shell = Any  # pexpect.spawn[str], which is generic for type checkers only


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("machine")))
    daemon.call("POST", "/api/keys", {"name": "researcher"})
    daemon.call("POST", "/api/keys", {"name": "two words"})
    yield daemon
    daemon.end()


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, there: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in a terminal, with `nullspend` on its path and the completions loaded."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "nullspend").write_text(f'#!/bin/sh\nexec {sys.executable} -m nullspend_cli "$@"\n')
    (folder / "nullspend").chmod(0o755)
    env = {**there.machine.env, "TERM": "xterm", "PATH": f"{folder}:{there.machine.env['PATH']}"}
    terminal = pexpect.spawn(
        name, COMMANDS[name], env=env, cwd=str(folder), encoding="utf-8", timeout=20, dimensions=(40, 160)
    )
    terminal.sendline(LINES[name])
    terminal.expect(f"\n{LOADED}|{LOADED}\r\n")
    yield terminal
    terminal.close(force=True)


def completes(shell: Shell, typed: str, to: str) -> bool:
    """Whether Tab makes `to` of what is typed. A machine under load may miss the 300 ms: then Tab is pressed again."""
    for _ in range(4):
        shell.send(f"\x15{typed}\t")  # Ctrl-U: what stood there goes
        if shell.expect_exact([to, pexpect.TIMEOUT], timeout=4) == 0:
            return True
    return False


def test_a_noun_completes(shell: Shell) -> None:
    assert completes(shell, "nullspend budg", "nullspend budgets")


def test_a_fixed_value_of_an_option_completes(shell: Shell) -> None:
    assert completes(shell, "nullspend keys list --color alw", "--color always")


def test_a_key_that_lives_on_the_server_completes(shell: Shell) -> None:
    assert completes(shell, "nullspend keys get rese", "keys get researcher")


def test_the_value_of_an_option_that_lives_on_the_server_completes(shell: Shell) -> None:
    assert completes(shell, "nullspend events list --key rese", "--key researcher")


def ask(daemon: Daemon, kind: str, word: str) -> list[str]:
    """What is offered, tried again when a machine under load missed the 300 ms."""
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-m", "nullspend_cli", "--complete", kind, word],
            env=daemon.machine.env,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        if done.stdout:
            return [line.split("\t")[0] for line in done.stdout.splitlines()]
    return []


def test_an_id_is_offered_with_its_name_beside_it(there: Daemon) -> None:
    assert all(word.startswith("ns_key_") for word in ask(there, "key", "ns_key_"))
    assert "researcher" in ask(there, "key", "")


def test_event_types_and_contexts_need_no_server(machine: Machine) -> None:
    class Here:
        def __init__(self, machine: Machine) -> None:
            self.machine = machine

    here = Here(machine)
    assert ask(here, "type", "test.") == ["test.ping"]  # type: ignore[arg-type]
    assert ask(here, "context", "") == ["local"]  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [("key", ""), ("nonsense", ""), ("key",), ()])
def test_without_a_server_or_with_nonsense_nothing_is_said(machine: Machine, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nullspend_cli", "--complete", *arguments], env=machine.env, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_slow_server_is_not_waited_for(machine: Machine) -> None:
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {**machine.env, "NULLSPEND_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "nullspend_cli", "--complete", "key", ""],
            env={**env, "NULLSPEND_SESSION": "a=b", "NULLSPEND_API_KEY": "x"},
            capture_output=True,
            timeout=20,
        )
        assert time.monotonic() - started < 10, "the connection alone would be waited for longer"
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
