"""kill -9 between commit and send, and during a send: every event arrives, with one id, and its signature holds."""

import os
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.receiver import HANG, OK, Receiver, receiver
from tests.machine import Daemon, Machine, start_daemon
from tests.recipes import HAS_NODE, hold_in_node, holds_in_python

FULL = os.environ.get("NULLSPEND_FULL") == "1"
KILLS = 12 if FULL else 4
BATCH = 25


def report(daemon: Daemon, first: int) -> list[str]:
    """Reports a batch of events; their request ids."""
    ids = [f"r{first + number}" for number in range(BATCH)]
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 5}
    events = [{**event, "idempotencyKey": request_id} for request_id in ids]
    assert daemon.call("POST", "/api/cost-events/batch", {"events": events}, auth="key").status == 201
    return ids


def arrived(there: Receiver) -> dict[str, set[str]]:
    """The ids of the events under which each request id has come."""
    found: dict[str, set[str]] = {}
    for message in list(there.received):
        found.setdefault(message.json["data"]["object"]["request_id"], set()).add(message.id)
    return found


def wait_for(there: Receiver, wanted: list[str]) -> dict[str, set[str]]:
    ends = time.monotonic() + 60
    while not set(wanted) <= arrived(there).keys():
        assert time.monotonic() < ends, f"{len(arrived(there))} of {len(wanted)} came"
        time.sleep(0.05)
    return arrived(there)


def create(daemon: Daemon, there: Receiver) -> str:
    body: dict[str, Any] = {"url": there.url, "eventTypes": ["cost_event.created"]}
    return daemon.call("POST", "/api/webhooks", body).json["data"]["signingSecret"]


def test_what_was_committed_before_a_kill_is_sent_after_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with receiver(HANG) as there:
        daemon = start_daemon(machine)
        secret = create(daemon, there)
        wanted = report(daemon, 0)
        there.wait_for(4)  # four are in the middle of a send that hangs, the others only in the database
        daemon.end(signal.SIGKILL)
        there.script = [OK]
        daemon = start_daemon(machine, "--port", str(urlsplit(daemon.url).port))
        try:
            found = wait_for(there, wanted)
        finally:
            daemon.end()
    assert found.keys() == set(wanted)
    assert all(len(ids) == 1 for ids in found.values()), "a repeat has the id of the first time"
    assert len(there.received) == BATCH + 4, "only what was on its way comes twice"
    assert all(holds_in_python(message, secret) for message in there.received)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_NODE, reason="node is needed to run the recipe for it")
def test_nothing_is_lost_over_many_kills_while_events_are_sent(tmp_path: Path) -> None:
    machine, wanted = Machine(tmp_path), list[str]()
    with receiver() as there:
        daemon = start_daemon(machine)
        secret = create(daemon, there)
        for kill in range(KILLS):
            wanted += report(daemon, kill * BATCH)
            time.sleep(0.004 * kill)
            daemon.end(signal.SIGKILL)
            daemon = start_daemon(machine, "--port", str(urlsplit(daemon.url).port))
        try:
            found = wait_for(there, wanted)
        finally:
            daemon.end()
    assert found.keys() == set(wanted)
    assert all(len(ids) == 1 for ids in found.values())
    assert len({event_id for ids in found.values() for event_id in ids}) == len(wanted)
    assert hold_in_node([(message, secret) for message in there.received]) == [True] * len(there.received)
