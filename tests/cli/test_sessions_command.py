import json
from typing import Any

import pytest

from tests.cli.steady import UUID, steady
from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer
from tests.machine import Daemon, Machine

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1200, "outputTokens": 300, "costMicrodollars": 0}


def report(daemon: Daemon, *events: dict[str, Any]) -> None:
    done = daemon.run("events", "report", "-", input="".join(json.dumps({**EVENT, **each}) + "\n" for each in events))
    assert done.code == 0, done.err


@pytest.fixture
def fresh(start: StartDaemon) -> Daemon:
    return start("--test-clock")


def test_sessions_are_listed_the_latest_first(fresh: Daemon) -> None:
    report(fresh, *[{"sessionId": "old", "costMicrodollars": 1_000_000, "customer": "acme"}] * 2)
    fresh.run("clock", "advance", "1h")
    report(fresh, {"sessionId": "new", "costMicrodollars": 500_000}, {"costMicrodollars": 7})
    assert steady(fresh.run("sessions", "list").out) == (
        "SESSION  FIRST              LAST               CALLS   COST\n"
        "new      2026-01-01 00:00Z  2026-01-01 00:00Z      1  $0.50  ██░░░░░░░░░\n"
        "old      2026-01-01 00:00Z  2026-01-01 00:00Z      2  $2.00  ███████████\n"
    )
    assert fresh.run("sessions", "list", "-q", "--limit", "1").out == "new\n"
    assert fresh.run("sessions", "list", "-q", "--customer", "acme").out == "old\n"
    assert fresh.run("sessions", "list", "-q", "--since", "30m").out == "new\n"
    assert fresh.run("sessions", "list", "--json").json[1]["totalCostMicrodollars"] == 2_000_000


def test_every_session_is_listed_page_by_page(fresh: Daemon) -> None:
    for start in range(0, 80, 20):
        report(fresh, *({"sessionId": f"s{number:03}"} for number in range(start, start + 20)))
    assert sorted(fresh.run("sessions", "list", "-q", "--limit", "0").out.split()) == [f"s{n:03}" for n in range(80)]


def test_a_session_is_replayed_as_a_timeline(fresh: Daemon) -> None:
    report(fresh, {"sessionId": "s/1", "costMicrodollars": 20_000, "durationMs": 0})
    fresh.run("clock", "advance", "90s")
    report(fresh, {"sessionId": "s/1", "costMicrodollars": 30_000, "durationMs": 30_000, "model": "o3"})
    done = fresh.run("sessions", "get", "s/1")
    head, timeline = steady(done.out).split("\n\n")
    assert head.splitlines()[:5] == [
        "session        s/1",
        "calls          2",
        "cost           $0.05",
        "input tokens   2,400",
        "output tokens  600",
    ]
    titles, first, second = timeline.splitlines()
    assert titles.split() == ["AT", "MODEL", "IN", "OUT", "COST", "TOOK", "TRACE", "ID"]
    assert first.split()[:3] == ["+0s", "█", "gpt-4o"]
    assert second.split()[0] in ("+1m", "+60s")
    assert second.split("o3")[0].rstrip().endswith("█████") and "   █" in second
    assert fresh.run("sessions", "get", "s/1", "--json").json["summary"]["eventCount"] == 2


def test_a_session_nobody_knows_says_so(fresh: Daemon) -> None:
    done = fresh.run("sessions", "get", "nothing")
    assert (done.code, done.out) == (5, "")
    assert done.err == "error: There is no event of a session 'nothing'.\nnext: nullspend sessions list\n"
    assert fresh.run("sessions", "list").err == "There are no sessions.\nnext: nullspend events report --help\n"


def test_a_session_longer_than_the_server_shows_is_said_to_be(fresh: Daemon) -> None:
    report(fresh, *[{"sessionId": "long"}] * 201)
    done = fresh.run("sessions", "get", "long", "-q")
    assert "These are its first 200 events" in done.err
    assert "next: nullspend events list --session 'long' --limit 0" in done.err


def test_hosted_sessions_have_a_plain_cursor_and_bare_ids(elsewhere: Machine, server: FakeServer) -> None:
    rows = [
        {"sessionId": str(n), "eventCount": 1, "totalCostMicrodollars": 1, "firstEventAt": "", "lastEventAt": ""}
        for n in range(3)
    ]
    moment = "2026-04-01T00:00:00.000Z"
    server.answer(
        "GET",
        "/api/cost-events/sessions",
        {"data": rows[:2], "cursor": moment},
        {"data": rows[2:], "cursor": None},
    )
    assert elsewhere.run("sessions", "list", "-q", "--limit", "0").out.split() == ["0", "1", "2"]
    assert server.asked_for("GET", "/api/cost-events/sessions")[1].query["cursor"] == moment
    event = {**EVENT, "id": UUID, "apiKeyId": UUID, "createdAt": moment, "durationMs": None}
    server.answer("GET", "/api/cost-events/sessions/one", {"sessionId": "one", "summary": {}, "events": [event]})
    (shown,) = elsewhere.run("sessions", "get", "one", "--json").json["events"]
    assert (shown["id"], shown["apiKeyId"]) == (f"ns_evt_{UUID}", f"ns_key_{UUID}")
