"""The command in a real terminal of 80 columns, and `quickstart` without a network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.fakes.server import FakeServer
from tests.machine import Machine

pytestmark = pytest.mark.slow

KEY = "ns_live_sk_00000000000000000000000000000001"
_SGR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_NO_NETWORK = """
import os, sys
def forbid(event, args):
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        if not str(args[1][0]).startswith("127.") and args[1][0] not in ("::1", "localhost"):
            open(os.environ["FORBIDDEN"], "a").write(f"{args[1]}\\n")
            raise OSError("there is no network")
    if event == "socket.getaddrinfo" and args[0] not in (None, "127.0.0.1", "localhost", "::1", b"127.0.0.1"):
        open(os.environ["FORBIDDEN"], "a").write(f"{args[0]}\\n")
        raise OSError("there is no network")
sys.addaudithook(forbid)
"""


def plain(text: str) -> list[str]:
    """The lines of a terminal's output without colour and cursor movements."""
    return [line.rstrip("\r") for line in _SGR.sub("", text).split("\n")]


def spawned(machine: Machine, *command: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        command[0],
        list(command[1:]),
        env={**machine.env, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        cwd=str(machine.home),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=30,
    )


def in_terminal(machine: Machine, *arguments: str) -> "pexpect.spawn[str]":
    return spawned(machine, sys.executable, "-m", "nullspend_cli", *arguments)


def shown(machine: Machine, *arguments: str) -> tuple[int, list[str], str]:
    """Exit code, plain lines and raw text of what a command prints on a terminal; what it says beside that (stderr)
    is left to the terminal to wrap."""
    script = 'exec "$0" -m nullspend_cli "$@" 2>beside'
    child = spawned(machine, "/bin/sh", "-c", script, sys.executable, *arguments)
    child.expect(pexpect.EOF)
    child.close()
    raw = str(child.before)
    return int(child.exitstatus or 0), plain(raw), raw


@pytest.fixture
def mine(machine: Machine) -> Iterator[Machine]:
    """A machine whose daemon the command itself starts; it is stopped at the end."""
    machine.more = {"PAGER": "cat"}
    yield machine
    machine.run("daemon", "stop")


def test_a_first_hour_at_80_columns(mine: Machine) -> None:
    assert mine.run("daemon", "start", "--port", "0").code == 0
    code, _, _ = shown(mine, "quickstart")
    assert code == 0
    mine.run("keys", "create", "a-key-with-a-rather-long-name-for-a-small-screen", "--tag", "team=platform")
    for command in (
        ("keys", "list"),
        ("budgets", "list"),
        ("events", "list"),
        ("users", "list"),
        ("contexts", "list"),
        ("config", "list"),
        ("auth", "status"),
        ("daemon", "status"),
        ("version",),
        ("doctor",),
    ):
        code, lines, raw = shown(mine, *command)
        assert code == 0, lines
        assert max(map(len, lines)) <= 80 or command == ("daemon", "status"), lines
        assert "\x1b[" in raw, command
    _, lines, _ = shown(mine, "keys", "list")
    assert any("…" in line or "a-key-with-a-rather-long-name-for-a-small-screen" in line for line in lines)
    mine.more["NO_COLOR"] = "1"
    assert "\x1b[" not in shown(mine, "budgets", "list")[2]


def test_a_question_is_asked_and_no_is_the_default(mine: Machine) -> None:
    mine.run("daemon", "start", "--port", "0")
    for answer, code in (("", 2), ("n", 2), ("y", 0)):
        child = in_terminal(mine, "keys", "delete", "default")
        child.expect(r"Revoke the key default \(ns_live_sk_[0-9a-f]{8}\.\.\.\)\? \[y/N\] ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code


def test_secrets_are_typed_without_showing_also_those_longer_than_a_terminals_line(
    machine: Machine, server: FakeServer
) -> None:
    server.knows_everybody()
    cookie = "sb-session=" + "0123456789abcdef" * 400
    child = in_terminal(machine, "auth", "login", "--server", server.url, "-c", "prod")
    child.expect_exact("API key (Enter for none): ")
    child.sendline(KEY)
    child.expect_exact("Cookie header of a signed-in browser (Enter for none): ")
    for start in range(0, len(cookie), 1000):
        child.send(cookie[start : start + 1000])
    child.sendline("")
    child.expect(pexpect.EOF)
    child.close()
    said = str(child.before)
    assert child.exitstatus == 0, said
    assert KEY not in said and "0123456789abcdef" not in said
    assert [asked.headers.get("cookie") for asked in server.asked] == [None, cookie]


def test_ctrl_c_at_a_hidden_prompt_leaves_nothing_behind(machine: Machine, server: FakeServer) -> None:
    child = in_terminal(machine, "auth", "login", "--server", server.url)
    child.expect_exact("API key (Enter for none): ")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert (server.asked, machine.config.exists()) == ([], False)


def test_quickstart_reaches_for_no_network(mine: Machine, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_NO_NETWORK)
    forbidden = tmp_path / "forbidden"
    mine.more |= {
        "PYTHONPATH": os.pathsep.join((str(hook), mine.env["PYTHONPATH"])),
        "FORBIDDEN": str(forbidden),
    }
    probe = [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 9), 1)"]
    assert b"there is no network" in subprocess.run(probe, env=mine.env, capture_output=True).stderr
    forbidden.unlink()
    assert mine.run("daemon", "start", "--port", "0").code == 0
    for _ in range(2):
        done = mine.run("quickstart", "--json")
        assert done.code == 0, done.err
    assert not forbidden.exists(), forbidden.read_text()


@pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="a network namespace of one's own needs root on Linux"
)
def test_quickstart_runs_where_there_is_no_network_at_all(mine: Machine) -> None:
    up = "import fcntl, socket, struct; "  # the loopback interface
    up += "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh22x', b'lo', 0x41))"
    command = f'{sys.executable} -c "{up}" && {sys.executable} -m nullspend_cli quickstart --json'
    command += f"; code=$?; {sys.executable} -m nullspend_cli daemon stop; exit $code"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", command], env=mine.env, cwd=mine.home, capture_output=True, text=True, timeout=60
    )
    if "unshare failed" in done.stderr:
        pytest.skip("a network namespace of one's own needs root on Linux, and a system that allows it")
    assert done.returncode == 0, done.stderr
    assert '"maxBudgetMicrodollars": 5000000' in done.stdout
