import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.steady import ISO, TIME, UUID, steady
from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer
from tests.machine import Daemon, Machine

EVENT: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-4o",
    "inputTokens": 1200,
    "outputTokens": 300,
    "costMicrodollars": 6000,
}


@pytest.fixture
def fresh(start: StartDaemon) -> Iterator[Daemon]:
    yield start("--test-clock")


def lines(*events: object) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def test_an_event_is_reported_listed_and_shown(fresh: Daemon) -> None:
    reported = fresh.run(
        *("events", "report", "--provider", "openai", "--model", "gpt-4o", "--input-tokens", "12345"),
        *("--output-tokens", "678", "--cached-tokens", "5", "--reasoning-tokens", "6", "--cost", "$0.0425"),
        *("--customer", "acme", "--tag", "team=core", "--session", "s1", "--trace", "0" * 32, "--duration-ms", "1500"),
    )
    assert (reported.code, reported.out) == (0, "")
    assert steady(reported.err) == f"Stored $0.042500 for openai/gpt-4o: ns_evt_{UUID}\n"
    assert steady(fresh.run("events", "list").out) == (
        f"TIME               KEY      MODEL              IN  OUT       COST  CUSTOMER  TAGS       ID\n"
        f"{TIME}  default  openai/gpt-4o  12,345  678  $0.042500  acme      team=core  ns_evt_{UUID}\n"
    )
    event_id = fresh.run("events", "list", "-q").out.strip()
    shown = steady(fresh.run("events", "get", event_id).out)
    assert shown.startswith(
        f"id             ns_evt_{UUID}\n"
        f"time           {TIME}\n"
        "key            default\n"
        "provider       openai\n"
        "model          gpt-4o\n"
        "type           custom\n"
        "input tokens   12,345\n"
        "cached         5\n"
        "output tokens  678\n"
        "reasoning      6\n"
        "cost           $0.042500\n"
    )
    assert "took           1s\n" in shown
    assert fresh.run("events", "get", event_id.removeprefix("ns_evt_"), "--json").json["traceId"] == "0" * 32


def test_csv_of_events_has_plain_numbers(fresh: Daemon) -> None:
    fresh.run("events", "report", "-", input=lines(EVENT))
    assert steady(fresh.run("events", "list", "--format", "csv").out) == (
        "createdAt,keyName,model,inputTokens,outputTokens,costMicrodollars,customerId,tags,id\n"
        f"{ISO},default,openai/gpt-4o,1200,300,6000,,{{}},ns_evt_{UUID}\n"
    )


def test_json_lines_are_stored_in_batches_and_counted(fresh: Daemon) -> None:
    events = [{**EVENT, "sessionId": f"s{n}"} for n in range(250)]
    done = fresh.run("events", "report", "-", input=lines(*events) + "\n\n")
    assert (done.code, done.out, done.err) == (0, "", "250 events stored.\n")
    assert len(fresh.run("events", "list", "-q", "--limit", "0").out.splitlines()) == 250
    assert len(fresh.run("events", "list", "-q").out.splitlines()) == 50


def test_every_refused_line_is_named_and_the_others_are_stored(fresh: Daemon) -> None:
    good = [{**EVENT, "sessionId": f"s{n}"} for n in range(150)]
    text = lines(*good[:3]) + "not json\n" + lines({**EVENT, "model": ""}, [1]) + lines(*good[3:120])
    text += lines({**EVENT, "inputTokens": -1, "costMicrodollars": "1"}) + '{"a": NaN}\n' + lines(*good[120:])
    text += '{"provider": "\\udc80"}\n'
    done = fresh.run("events", "report", "-", input=text)
    assert (done.code, done.out) == (1, "")
    stored, error, *named = done.err.splitlines()
    assert stored == "150 events stored, 6 refused."
    assert error == "error: 6 lines were refused."
    assert [line.split(":")[0] for line in named] == [
        "  line 4",
        "  line 5",
        "  line 6",
        "  line 124",
        "  line 125",
        "  line 156",
    ]
    assert named[0].startswith("  line 4: not JSON: ")
    assert named[1].startswith("  line 5: model: ")
    assert named[2] == "  line 6: not a JSON object"
    assert "inputTokens: " in named[3] and "; costMicrodollars: " in named[3]
    assert len(fresh.run("events", "list", "-q", "--limit", "0").out.splitlines()) == 150


def test_for_a_program_the_totals_and_refusals_are_json(fresh: Daemon) -> None:
    done = fresh.run("events", "report", "-", "--json", input=lines(EVENT, {}))
    assert done.code == 1
    assert (done.json["stored"], done.json["duplicates"]) == (1, 0)
    assert [refused["line"] for refused in done.json["refused"]] == [2]
    assert json.loads(done.err)["error"]["message"] == "1 line was refused."
    ids = fresh.run("events", "report", "-", "-q", input=lines(EVENT, EVENT))
    assert steady(ids.out) == f"ns_evt_{UUID}\n" * 2


def test_many_refusals_are_not_a_wall_of_text(fresh: Daemon) -> None:
    done = fresh.run("events", "report", "-", input=lines(*[{}] * 130))
    assert done.code == 1
    assert len(done.err.splitlines()) == 23
    assert done.err.splitlines()[-1] == "  and 110 more; --json lists them all"


def test_a_known_idempotency_key_is_counted_once(fresh: Daemon) -> None:
    event = {**EVENT, "idempotencyKey": "once"}
    assert fresh.run("events", "report", "-", input=lines(event, event)).err == "1 event stored, 1 known already.\n"
    assert fresh.run("events", "report", "-", input=lines(event)).err == "0 events stored, 1 known already.\n"
    single = ("events", "report", "--provider", "p", "--model", "m", "--cost", "1", "--idempotency-key", "twice", "-q")
    assert fresh.run(*single).out == fresh.run(*single).out
    assert len(fresh.run("events", "list", "-q").out.splitlines()) == 2


def test_lines_too_long_for_one_request_are_sent_in_smaller_ones(fresh: Daemon) -> None:
    long = {**EVENT, "ignored": "x" * 30_000}
    done = fresh.run("events", "report", "-", input=lines(*[long] * 60, {**EVENT, "ignored": "x" * 1_100_000}))
    assert done.err.splitlines()[:2] == ["60 events stored, 1 refused.", "error: 1 line was refused."]
    assert done.err.splitlines()[2].startswith("  line 61: ")


def test_when_the_server_fails_midway_it_says_how_far_it_got(elsewhere: Machine, server: FakeServer) -> None:
    from tests.fakes.server import Scripted

    failed = Scripted(500, {"error": {"code": "internal_error", "message": "Broken.", "details": None}})
    server.answer("POST", "/api/cost-events/batch", Scripted(201, {"inserted": 100, "ids": []}), failed)
    done = elsewhere.run("events", "report", "-", input=lines(*[EVENT] * 250))
    assert done.code == 1
    assert done.err.splitlines()[:2] == [
        "error: Broken.",
        "  100 events stored. Lines up to 100 are done; the rest is not.",
    ]


def test_nothing_on_standard_input_is_nothing_stored(fresh: Daemon) -> None:
    assert fresh.run("events", "report", "-", input="").err == "0 events stored.\n"


def test_input_that_is_not_utf8_is_a_sentence(fresh: Daemon) -> None:
    done = fresh.run("events", "report", "-", input=b'{"provider": "\xff"}\n')
    assert done.code in (1, 2)
    assert "Traceback" not in done.err


def test_one_event_needs_who_was_paid_for_what_and_how_much(daemon: Daemon) -> None:
    assert daemon.run("events", "report").err == (
        "error: An event needs --provider, --model, --cost.\nnext: nullspend events report --help\n"
    )
    wrong = daemon.run("events", "report", "events.jsonl")
    assert (wrong.code, wrong.err) == (
        2,
        "error: Events are read from standard input only, not from 'events.jsonl'.\n"
        "next: nullspend events report - < events.jsonl\n",
    )


def test_a_tool_call_needs_no_provider(fresh: Daemon) -> None:
    fresh.run("events", "report", "--tool", "search", "--cost", "2c")
    (event,) = fresh.run("events", "list", "--json").json
    assert (event["provider"], event["model"], event["eventType"], event["toolName"]) == (
        "tool",
        "custom",
        "tool",
        "search",
    )


def test_events_are_filtered(fresh: Daemon) -> None:
    fresh.run("keys", "create", "agent", "--save")
    fresh.run("events", "report", "-", "--key", "agent", input=lines({**EVENT, "tags": {"team": "core"}}))
    fresh.run("clock", "advance", "2d")
    fresh.run("events", "report", "-", input=lines({**EVENT, "model": "o3", "sessionId": "s", "customer": "acme"}))

    def models(*filters: str) -> list[str]:
        done = fresh.run("events", "list", "--jq", ".[].model", *filters)
        assert done.code == 0, done.err
        return done.out.split()

    assert models() == ["o3", "gpt-4o"]
    assert models("--key", "agent") == models("--tag", "team=core") == ["gpt-4o"]
    assert models("--model", "o3") == models("--session", "s") == models("--customer", "acme") == ["o3"]
    assert models("--provider", "anthropic") == models("--source", "proxy") == models("--trace", "0" * 32) == []


def test_events_are_filtered_by_time(fresh: Daemon) -> None:
    fresh.run("events", "report", "-", input=lines({**EVENT, "model": "before"}))
    fresh.run("clock", "advance", "3d")
    fresh.run("events", "report", "-", input=lines({**EVENT, "model": "after"}))
    moment = fresh.run("events", "list", "--jq", ".[0].createdAt").out.strip()
    assert fresh.run("events", "list", "--since", moment, "--jq", ".[].model").out == "after\n"
    assert fresh.run("events", "list", "--until", moment, "--jq", ".[].model").out == "before\n"
    wrong = fresh.run("events", "list", "--since", "yesterday")
    assert (wrong.code, wrong.err) == (
        2,
        "error: 'yesterday' is not a time; write 2026-04-01, 2026-04-01T12:00:00Z, or how long ago: 2h, 7d\n",
    )


def test_a_server_that_ignores_time_filters_is_filtered_here(elsewhere: Machine, server: FakeServer) -> None:
    days = [f"2026-04-{day:02}T00:00:00.000Z" for day in range(9, 0, -1)]
    rows = [{**EVENT, "id": f"ns_evt_{UUID}", "createdAt": day, "customerId": "acme"} for day in days]
    server.answer("GET", "/api/cost-events", {"data": rows, "cursor": None})
    wanted = ("events", "list", "--since", "2026-04-03", "--until", "2026-04-06", "--jq", ".[].createdAt[8:10]")
    assert elsewhere.run(*wanted).out.split() == ["05", "04", "03"]
    assert elsewhere.run(*wanted, "--limit", "1").out.split() == ["05"]
    assert elsewhere.run(*wanted, "--customer", "other").out == ""
    asked = server.asked_for("GET", "/api/cost-events")[0].query
    assert "createdAfter" not in asked and "createdBefore" not in asked


@pytest.mark.parametrize("event", ["nonsense", "ns_evt_1", f"ns_key_{UUID}"])
def test_what_is_no_event_id_is_a_usage_error(daemon: Daemon, event: str) -> None:
    refused = daemon.run("events", "get", event)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: That is no whole id: ")
    assert "next: The list command with -q prints the ids.\n" in refused.err


def test_an_event_that_is_not_there_is_not_found(daemon: Daemon) -> None:
    result = daemon.run("events", "get", f"ns_evt_{UUID}", "--json")
    assert (result.code, result.out) == (5, "")
    assert json.loads(result.err)["error"]["code"] == "not_found"


def test_a_reader_that_stops_early_is_no_error(fresh: Daemon, tmp_path: Any) -> None:
    import subprocess
    import sys

    fresh.run("events", "report", "-", input=lines(*[{**EVENT, "sessionId": str(n)} for n in range(300)]))
    done = subprocess.run(
        f"set -o pipefail; {sys.executable} -m nullspend_cli events list --limit 0 --json | head -c 10 >/dev/null",
        shell=True,
        executable="/bin/bash",
        env=fresh.machine.env,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
