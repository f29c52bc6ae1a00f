import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, Scripted
from tests.fakes.stream import END, streaming_server
from tests.machine import Daemon, Machine

HEADER = (
    "id,request_id,provider,model,input_tokens,output_tokens,cached_input_tokens,reasoning_tokens,cost_microdollars,"
    "cost_usd,duration_ms,source,session_id,trace_id,key_name,created_at,cost_breakdown_input,cost_breakdown_output,"
    "cost_breakdown_cached,cost_breakdown_reasoning,cost_breakdown_tool_definition"
)
EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 12, "outputTokens": 3, "costMicrodollars": 7250}


def uuid(number: int) -> str:
    return f"019a0000-0000-7000-8000-{number:012}"


def moment(number: int) -> str:
    """The newest row has the highest number; ten rows share a millisecond."""
    return f"2026-04-01T00:00:{number // 10 // 1000:02}.{number // 10 % 1000:03}Z"


def exported(number: int) -> str:
    return f"{uuid(number)},req_{number},openai,gpt-4o,1,2,0,0,3,0.000003,,api,,,agent,{moment(number)},,,,,"


def listed(number: int) -> dict[str, Any]:
    return {
        "id": uuid(number),
        "requestId": f"req_{number}",
        "provider": "openai",
        "model": "gpt-4o",
        "inputTokens": 1,
        "outputTokens": 2,
        "cachedInputTokens": 0,
        "reasoningTokens": 0,
        "costMicrodollars": 3,
        "durationMs": None,
        "createdAt": moment(number),
        "source": "api",
        "traceId": None,
        "sessionId": None,
        "tags": {},
        "customerId": ("globex", "acme")[number % 2],
        "keyName": "agent",
        "costBreakdown": None,
    }


def export_of(numbers: range) -> Scripted:
    return Scripted(200, "\n".join([HEADER, *map(exported, numbers)]))


@pytest.fixture
def fresh(start: StartDaemon) -> Daemon:
    return start("--test-clock")


def report(daemon: Daemon, *events: dict[str, Any]) -> None:
    done = daemon.run("events", "report", "-", input="".join(json.dumps({**EVENT, **each}) + "\n" for each in events))
    assert done.code == 0, done.err


def test_the_export_of_the_daemon_and_the_list_write_the_same_rows(fresh: Daemon) -> None:
    breakdown = {"input": 5, "output": 6, "cached": -1}
    report(
        fresh, {"costBreakdown": breakdown, "durationMs": 5, "sessionId": 'a,"b"', "customer": "acme", "model": "=1+1"}
    )
    by_export = fresh.run("events", "export")
    assert (by_export.code, by_export.err) == (0, "1 row written.\n")
    header, row = by_export.out.splitlines()
    assert header == HEADER
    assert row.startswith("ns_evt_")
    assert ",openai,'=1+1,12,3,0,0,7250,0.007250,5,api," in row
    assert ',"a,""b""",,default,2' in row
    assert row.endswith("Z,5,6,-1,,")
    assert fresh.run("events", "export", "--customer", "acme").out == by_export.out
    (record,) = [json.loads(line) for line in fresh.run("events", "export", "--format", "jsonl").out.splitlines()]
    assert record["costBreakdown"] == breakdown


def test_times_and_customers_narrow_an_export(fresh: Daemon) -> None:
    report(fresh, {"model": "before", "customer": "acme"})
    fresh.run("clock", "advance", "2d")
    report(fresh, {"model": "after", "customer": "globex"})

    def models(*filters: str) -> list[str]:
        return [line.split(",")[3] for line in fresh.run("events", "export", *filters).out.splitlines()[1:]]

    assert models() == ["after", "before"]
    assert models("--since", "1d") == models("--customer", "globex") == models("--model", "after") == ["after"]
    assert models("--until", "1d") == models("--key", "default", "--until", "1d") == ["before"]
    assert models("--budget-status", "denied") == []


def test_a_file_is_written_whole_or_not_at_all(fresh: Daemon, tmp_path: Path) -> None:
    report(fresh, {}, {})
    target = tmp_path / "events.csv"
    done = fresh.run("events", "export", str(target))
    assert (done.code, done.out, done.err) == (0, "", f"2 rows written to {target}.\n")
    assert len(target.read_text().splitlines()) == 3
    again = fresh.run("events", "export", str(target))
    assert (again.code, again.err.splitlines()[0]) == (2, f"error: This needs a yes: Replace {target}?")
    assert fresh.run("events", "export", str(target), "--yes", "--model", "none").code == 0
    assert target.read_text() == HEADER + "\n"
    assert sorted(os.listdir(tmp_path)) == ["events.csv", "home"]


def test_exactly_ten_thousand_rows_go_on_through_the_list(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/cost-events/export", export_of(range(10_250, 250, -1)))
    # The list starts a millisecond early: rows that are exported already come again, and are not written again.
    server.answer(
        "GET",
        "/api/cost-events",
        {"data": [listed(n) for n in range(260, 160, -1)], "cursor": {"createdAt": "x", "id": "y"}},
        {"data": [listed(n) for n in range(160, 100, -1)], "cursor": None},
    )
    done = elsewhere.run("events", "export", "--tag", "team=core")
    assert (done.code, done.err) == (0, "10,150 rows written.\n")
    header, *rows = done.out.splitlines()
    assert header == HEADER
    assert rows == [f"ns_evt_{exported(number)}" for number in range(10_250, 100, -1)]
    first = server.asked_for("GET", "/api/cost-events")[0].query
    assert json.loads(first["cursor"]) == {
        "createdAt": "2026-04-01T00:00:00.026Z",
        "id": "ns_evt_ffffffff-ffff-ffff-ffff-ffffffffffff",
    }
    assert first["tag.team"] == "core"


def test_fewer_rows_are_the_end(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/cost-events/export", export_of(range(9_999, 0, -1)))
    assert elsewhere.run("events", "export").err == "9,999 rows written.\n"
    assert server.asked_for("GET", "/api/cost-events") == []


def test_a_hosted_server_gets_a_bare_key_id_and_no_filter_it_does_not_know(
    elsewhere: Machine, server: FakeServer
) -> None:
    server.answer("GET", "/api/cost-events/export", Scripted(200, HEADER))
    assert elsewhere.run("events", "export", "--key", f"ns_key_{uuid(1)}").err == "0 rows written.\n"
    assert server.asked_for("GET", "/api/cost-events/export")[0].query == {"apiKeyId": uuid(1)}
    server.answer("GET", "/api/cost-events", {"data": [listed(n) for n in range(40, 0, -1)], "cursor": None})
    done = elsewhere.run(
        *("events", "export", "--since", moment(10), "--until", moment(30), "--customer", "acme"),
    )
    assert [line.split(",")[1] for line in done.out.splitlines()[1:]] == [f"req_{n}" for n in range(29, 9, -2)]
    assert set(server.asked_for("GET", "/api/cost-events")[0].query) == {"limit"}


def test_a_stream_that_breaks_off_is_an_error_and_leaves_no_file(elsewhere: Machine, tmp_path: Path) -> None:
    with streaming_server() as broken:
        broken.length = 100_000
        broken.pieces.put("\n".join([HEADER, exported(2)]).encode())
        broken.pieces.put(END)
        elsewhere.more["NULLSPEND_BASE_URL"] = broken.url
        done = elsewhere.run("events", "export", str(tmp_path / "events.csv"))
    assert (done.code, done.out) == (7, "")
    assert "error: No server answers" in done.err
    assert [name for name in os.listdir(tmp_path) if "events" in name] == []


def test_a_refusal_is_the_servers_own_sentence(elsewhere: Machine, server: FakeServer) -> None:
    refusal = {"error": {"code": "forbidden", "message": "Not yours.", "details": None}}
    server.answer("GET", "/api/cost-events/export", Scripted(403, refusal))
    done = elsewhere.run("events", "export")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("error: Not yours.\n")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"model": "o3", "n": 1}, '{\n  "model": "o3",\n  "n": 1\n}\n'),
        ({"_format": "sse", "text": "data: {}\n\x1b[31mred"}, "data: {}\n\\x1b[31mred\n"),
        ("no [bold]json[/bold]", "no [bold]json[/bold]\n"),
    ],
)
def test_bodies_are_shown_as_they_are(elsewhere: Machine, server: FakeServer, body: Any, shown: str) -> None:
    path = f"/api/cost-events/ns_evt_{uuid(1)}/bodies"
    server.answer("GET", path, {"data": {"requestBody": {"a": "[red]"}, "responseBody": body}})
    done = elsewhere.run("events", "bodies", uuid(1))
    assert (done.code, done.out) == (0, f'request\n{{\n  "a": "[red]"\n}}\n\nresponse\n{shown}')
    assert elsewhere.run("events", "bodies", uuid(1), "--json").json["responseBody"] == body
    colored = elsewhere.run("events", "bodies", uuid(1), "--color", "always").out
    assert "\x1b[" in colored
    assert "[red]" in colored


def test_no_bodies_say_how_they_would_be_captured(fresh: Daemon) -> None:
    report(fresh, {})
    event_id = fresh.run("events", "list", "-q").out.strip()
    done = fresh.run("events", "bodies", event_id)
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith("next: nullspend daemon restart --capture-bodies\n")
