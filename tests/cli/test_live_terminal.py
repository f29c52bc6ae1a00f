"""`top` and `events tail` in a real terminal: drawn anew, resized, interrupted, over a restart of the daemon."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pexpect
import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon, Machine

pytestmark = pytest.mark.slow

SECONDS = 40
Open = Callable[..., "pexpect.spawn[str]"]
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def terminal(machine: Machine) -> Iterator[Open]:
    """Runs commands of this machine in a terminal of 80 columns and 24 rows."""
    opened: list[pexpect.spawn[str]] = []

    def open_one(*arguments: str, kind: str = "xterm-256color") -> "pexpect.spawn[str]":
        child = pexpect.spawn(
            sys.executable,
            ["-m", "nullspend_cli", *arguments],
            env={**machine.env, "TERM": kind},  # type: ignore[arg-type]
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=SECONDS,
            cwd=str(machine.home),
        )
        opened.append(child)
        return child

    yield open_one
    for child in opened:
        child.close(force=True)


def report(daemon: Daemon, model: str, cost: int = 1_000_000, **more: Any) -> None:
    event = {"provider": "p", "model": model, "inputTokens": 1, "outputTokens": 1, "costMicrodollars": cost, **more}
    reply = daemon.call("POST", "/api/cost-events", event, auth="key")
    assert reply.status == 201, reply.body


def ended(child: "pexpect.spawn[str]") -> int:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0)


def next_frame(child: "pexpect.spawn[str]", holding: str) -> list[str]:
    """The lines of the first whole drawing from now on that holds a text."""
    while True:
        child.expect_exact("\x1b[H")
        child.expect_exact("\x1b[J")
        frame = _STYLE.sub("", child.before or "")
        if holding in frame:
            return frame.split("\r\n")


def test_a_terminal_that_cannot_draw_is_not_drawn_on(start: StartDaemon, terminal: Open) -> None:
    start()
    once = terminal("top", kind="dumb")
    assert ended(once) == 0
    assert "today $0.00" in (once.before or "") and "\x1b" not in (once.before or "")
    refused = terminal("actions", "review", kind="dumb")
    assert ended(refused) == 2
    assert "needs a terminal" in (refused.before or "")


def test_doctor_cuts_no_finding_on_a_screen(machine: Machine, terminal: Open) -> None:
    child = terminal("doctor")
    child.expect(pexpect.EOF)
    lines = _STYLE.sub("", child.before or "").split("\r\n")
    found = next(number for number, line in enumerate(lines) if line.startswith("warn  keyring"))
    assert max(map(len, lines[found : found + 4])) <= 80
    said = " ".join(line[len("warn  data directory  ") :] for line in lines[found : found + 4])
    assert "which only you can read" in said
    assert "…" not in said


def test_top_draws_what_happens_fits_a_resized_screen_and_outlives_the_daemon(
    start: StartDaemon, terminal: Open
) -> None:
    daemon = start()
    daemon.call("POST", "/api/budgets", {"entityType": "tag", "entityId": "team=x", "maxBudgetMicrodollars": 8_000_000})
    child = terminal("top")
    child.expect_exact("\x1b[?1049h")
    next_frame(child, "team=x")
    report(daemon, "first", tags={"team": "x"})
    frame = next_frame(child, "first")
    assert len(frame) == 24
    assert max(map(len, frame)) <= 80
    assert re.search(r"team=x +\$1\.00 +\$8\.00 +\$7\.00 +█+░+ +12%", "\n".join(frame))
    assert re.search(r"^\$1\.00/min now, \$0\.20/min in 5 min   today \$1\.00$", frame[1])

    child.setwinsize(12, 50)
    frame = next_frame(child, "first")
    while len(frame) != 12:
        frame = next_frame(child, "first")
    assert max(map(len, frame)) <= 50

    child.send("s")
    next_frame(child, "by left")

    daemon.end()
    daemon = start()
    report(daemon, "second")
    frame = next_frame(child, "second")
    assert sum("first" in line for line in frame) == 1

    child.send("q")
    assert ended(child) == 0
    assert (child.before or "").endswith("\x1b[?25h\x1b[?1049l")


def test_ctrl_c_ends_top_and_gives_the_screen_back(start: StartDaemon, terminal: Open) -> None:
    start()
    child = terminal("top")
    next_frame(child, "live")
    child.sendintr()
    assert ended(child) == 130
    assert "\x1b[?25h\x1b[?1049l" in (child.before or "")


def test_top_without_a_daemon_says_so_and_takes_no_screen(machine: Machine, terminal: Open) -> None:
    child = terminal("top")
    assert ended(child) == 7
    assert "\x1b[?1049h" not in (child.before or "")
    assert "No daemon is running" in (child.before or "")


def test_top_in_a_pipe_looks_once(start: StartDaemon) -> None:
    daemon = start()
    report(daemon, "first")
    done = daemon.run("top")
    assert (done.code, done.err) == (0, "")
    assert "today $1.00" in done.out
    assert "\x1b" not in done.out
    found = daemon.run("top", "--json").json
    assert (found["todayCostMicrodollars"], found["newestEvents"][0]["model"]) == (1_000_000, "first")


def test_tail_shows_each_event_once_over_a_restart_until_ctrl_c(start: StartDaemon, terminal: Open) -> None:
    daemon = start()
    for number in range(3):
        report(daemon, f"older-{number}", idempotencyKey=str(number))
    child = terminal("events", "tail", "-n", "2")
    child.expect_exact("older-1")
    child.expect_exact("older-2")
    shown = child.before or ""
    report(daemon, "before")
    child.expect_exact("before")
    shown += child.before or ""
    daemon.end()
    daemon = start()
    batch = {"provider": "p", "model": "after", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 5}
    daemon.call("POST", "/api/cost-events/batch", {"events": [batch] * 100}, auth="key")
    for _ in range(100):
        child.expect_exact("p/after")
        shown += child.before or ""
    child.sendintr()
    assert ended(child) == 130
    shown += child.before or ""
    assert "older-0" not in shown
    assert "p/after" not in shown and "p/before" not in shown


def test_tail_for_a_program_is_one_record_a_line_with_the_filters_applied(start: StartDaemon, terminal: Open) -> None:
    daemon = start()
    report(daemon, "earlier", customer="acme")
    child = terminal("events", "tail", "--json", "--customer", "acme", "-n", "1", "--color", "never")
    child.expect('"model": "earlier"')
    report(daemon, "other", customer="globex")
    report(daemon, "wanted", customer="acme")
    child.expect(r'\{"id": "ns_evt_[^\r\n]*"model": "wanted"[^\r\n]*\}')
    assert json.loads(child.match.group(0))["customerId"] == "acme"
    assert "other" not in (child.before or "")
    child.sendintr()
    assert ended(child) == 130
