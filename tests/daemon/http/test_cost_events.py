"""Cost events: core 5.1 to 5.4, over HTTP."""

import json
import sqlite3
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 2, "costMicrodollars": 3}


def post(daemon: Daemon, **fields: Any) -> dict[str, Any]:
    """Reports an event and returns its record."""
    reply = daemon.call("POST", "/api/cost-events", {**EVENT, **fields}, auth="key")
    assert reply.status == 201, reply.body
    return daemon.call("GET", f"/api/cost-events/{reply.json['data']['id']}").json["data"]


def test_a_full_event_reads_back_as_it_was_sent(daemon: Daemon) -> None:
    sent = {
        "provider": "anthropic",
        "model": "claude",
        "inputTokens": 100.0,
        "outputTokens": 20,
        "cachedInputTokens": 5,
        "reasoningTokens": 6,
        "costMicrodollars": 700,
        "durationMs": 1234,
        "sessionId": "s-1",
        "traceId": "0123456789abcdef0123456789abcdef",
        "eventType": "tool",
        "toolName": "search",
        "toolServer": "web",
        "costBreakdown": {"input": 400, "output": 301, "cached": -1, "reasoning": 9, "other": 5},
        "tags": {"team": "x", "_ns_unpriced": "true"},
        "customer": "acme corp/ü",
        "source": "sdk",
        "idempotencyKey": "full-1",
    }
    record = post(daemon, **sent)
    record.pop("id")
    record.pop("createdAt")
    assert record == {
        "requestId": "full-1",
        "apiKeyId": daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"],
        "provider": "anthropic",
        "model": "claude",
        "inputTokens": 100,
        "outputTokens": 20,
        "cachedInputTokens": 5,
        "reasoningTokens": 6,
        "costMicrodollars": 700,
        "durationMs": 1234,
        "source": "sdk",
        "traceId": "0123456789abcdef0123456789abcdef",
        "sessionId": "s-1",
        "tags": {"team": "x", "_ns_unpriced": "true"},
        "customerId": "acme corp/ü",
        "keyName": "default",
        "budgetStatus": None,
        "stopReason": None,
        "estimatedCostMicrodollars": None,
        "costBreakdown": {"input": 400, "output": 301, "cached": -1, "reasoning": 9},
        "eventType": "tool",
        "toolName": "search",
    }


def test_a_minimal_event_gets_the_documented_defaults(daemon: Daemon) -> None:
    record = post(daemon)
    assert (record["cachedInputTokens"], record["reasoningTokens"], record["durationMs"]) == (0, 0, None)
    assert (record["eventType"], record["source"], record["tags"]) == ("custom", "api", {})
    assert record["requestId"].startswith("sdk_")
    assert record["id"].startswith("ns_evt_")


@pytest.mark.parametrize("source", ["api", "proxy", "mcp", "other", 5, None, {"a": 1}])
def test_any_source_but_sdk_is_api(daemon: Daemon, source: Any) -> None:
    assert post(daemon, source=source)["source"] == "api"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"provider": ""}, ["provider"]),
        ({"provider": "p" * 101}, ["provider"]),
        ({"model": ""}, ["model"]),
        ({"model": "m" * 201}, ["model"]),
        ({"inputTokens": -1}, ["inputTokens"]),
        ({"inputTokens": "1"}, ["inputTokens"]),
        ({"inputTokens": True}, ["inputTokens"]),
        ({"inputTokens": 1.5}, ["inputTokens"]),
        ({"inputTokens": None}, ["inputTokens"]),
        ({"inputTokens": 2**63}, ["inputTokens"]),
        ({"outputTokens": -1}, ["outputTokens"]),
        ({"costMicrodollars": -1}, ["costMicrodollars"]),
        ({"costMicrodollars": 2**53}, ["costMicrodollars"]),
        ({"cachedInputTokens": None}, ["cachedInputTokens"]),
        ({"durationMs": -1}, ["durationMs"]),
        ({"durationMs": None}, ["durationMs"]),
        ({"sessionId": "s" * 201}, ["sessionId"]),
        ({"sessionId": None}, ["sessionId"]),
        ({"traceId": "ABCDEF0123456789abcdef0123456789"}, ["traceId"]),
        ({"traceId": "0" * 31}, ["traceId"]),
        ({"eventType": "other"}, ["eventType"]),
        ({"toolName": "t" * 201}, ["toolName"]),
        ({"toolServer": "t" * 201}, ["toolServer"]),
        ({"costBreakdown": {"input": 1, "output": 1}}, ["costBreakdown", "cached"]),
        ({"costBreakdown": {"input": 1, "output": 1, "cached": 1, "reasoning": None}}, ["costBreakdown", "reasoning"]),
        ({"tags": {f"k{n}": "v" for n in range(11)}}, ["tags"]),
        ({"tags": {"k" * 65: "v"}}, ["tags", "k" * 65]),
        ({"tags": {"k": "v" * 257}}, ["tags", "k"]),
        ({"tags": {"k": "v\x00"}}, ["tags", "k"]),
        ({"tags": None}, ["tags"]),
        ({"customer": ""}, ["customer"]),
        ({"customer": "c" * 257}, ["customer"]),
        ({"idempotencyKey": "i" * 201}, ["idempotencyKey"]),
        ({"idempotencyKey": None}, ["idempotencyKey"]),
    ],
)
def test_a_field_outside_its_bounds_is_named(daemon: Daemon, fields: dict[str, Any], path: list[str]) -> None:
    reply = daemon.call("POST", "/api/cost-events", {**EVENT, **fields}, auth="key")
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": "p" * 100, "model": "m" * 200},
        {"inputTokens": 0, "outputTokens": 2**53 - 1, "costMicrodollars": 2**53 - 1},
        {"sessionId": "s" * 200},
        {"sessionId": ""},
        {"toolName": "", "toolServer": "t" * 200},
        {"tags": {"k" * 64: "v" * 256, "e": ""}},
        {"tags": {f"k{n}": "v" for n in range(10)}},
        {"customer": "c" * 256},
        {"model": "a\x00b\x1b[31m\u202e"},
        {"costBreakdown": {"input": -(2**53) + 1, "output": 2**53 - 1, "cached": 0}},
    ],
)
def test_a_field_at_its_bounds_is_taken(daemon: Daemon, fields: dict[str, Any]) -> None:
    record = post(daemon, **fields)
    assert record["model"] == fields.get("model", "gpt-4o")


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_1_to_100_events(daemon: Daemon, count: int) -> None:
    reply = daemon.call("POST", "/api/cost-events/batch", {"events": [EVENT] * count}, auth="key")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [["events"]]


def test_a_batch_of_100_is_stored_in_its_order(daemon: Daemon) -> None:
    events = [{**EVENT, "model": f"m{number:03}", "sessionId": "ordered"} for number in range(100)]
    reply = daemon.call("POST", "/api/cost-events/batch", {"events": events}, auth="key")
    assert (reply.status, reply.json["inserted"], len(set(reply.json["ids"]))) == (201, 100, 100)
    replay = daemon.call("GET", "/api/cost-events/sessions/ordered").json["events"]
    assert [event["model"] for event in replay] == [f"m{number:03}" for number in range(100)]
    assert [event["id"] for event in replay] == reply.json["ids"]


def test_a_keys_default_tags_fill_the_free_slots_and_the_events_own_win(daemon: Daemon) -> None:
    defaults = {"team": "default", "stage": "prod", "z": "1"}
    raw = daemon.call("POST", "/api/keys", {"name": "tagged", "defaultTags": defaults}).json["rawKey"]
    headers = {"X-NullSpend-Key": raw}

    def stored(tags: dict[str, str]) -> dict[str, str]:
        made = daemon.call("POST", "/api/cost-events", {**EVENT, "tags": tags}, auth=None, headers=headers).json["data"]
        return daemon.call("GET", f"/api/cost-events/{made['id']}").json["data"]["tags"]

    assert stored({"team": "own"}) == {"team": "own", "stage": "prod", "z": "1"}
    nine = {f"k{number}": "v" for number in range(9)}
    assert stored(nine) == {**nine, "team": "default"}
    ten = {f"k{number}": "v" for number in range(10)}
    assert stored(ten) == ten


def test_the_customer_is_the_field_else_the_tag_else_none(daemon: Daemon) -> None:
    assert post(daemon, customer="a", tags={"customer": "b"})["customerId"] == "a"
    tagged = post(daemon, tags={"customer": "b"})
    assert (tagged["customerId"], tagged["tags"]) == ("b", {"customer": "b"})
    assert post(daemon)["customerId"] is None
    assert post(daemon, customer="a")["tags"] == {}


def test_the_keys_name_survives_its_revocation(daemon: Daemon) -> None:
    made = daemon.call("POST", "/api/keys", {"name": "short-lived"}).json
    headers = {"X-NullSpend-Key": made["rawKey"]}
    event = daemon.call("POST", "/api/cost-events", EVENT, auth=None, headers=headers).json["data"]["id"]
    daemon.call("DELETE", f"/api/keys/{made['id']}")
    assert daemon.call("GET", f"/api/cost-events/{event}").json["data"]["keyName"] == "short-lived"


def test_an_event_is_read_by_its_id_with_or_without_prefix(daemon: Daemon) -> None:
    made = post(daemon)["id"]
    assert daemon.call("GET", f"/api/cost-events/{made.removeprefix('ns_evt_')}").json["data"]["id"] == made
    for bad in ("x", "ns_key_019a0000-0000-7000-8000-000000000000"):
        reply = daemon.call("GET", f"/api/cost-events/{bad}")
        assert (reply.status, reply.json["error"]["details"]) == (400, None)
    assert daemon.call("GET", "/api/cost-events/ns_evt_019a0000-0000-7000-8000-000000000000").status == 404


def listed(daemon: Daemon, **query: str) -> list[str]:
    path = f"/api/cost-events?{urlencode({'limit': '100', **query})}"
    return [event["id"] for event in daemon.call("GET", path, auth="key").json["data"]]


def test_each_filter_keeps_what_matches_exactly(start: StartDaemon) -> None:
    daemon = start()
    trace = "a" * 32
    one = post(
        daemon,
        provider="anthropic",
        model="claude",
        sessionId="s1",
        traceId=trace,
        tags={"team": "x", "stage": "prod"},
        customer="acme",
        source="sdk",
        idempotencyKey="req-1",
    )["id"]
    two = post(daemon, tags={"team": "x"})["id"]
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    for query in (
        {"provider": "anthropic"},
        {"model": "claude"},
        {"sessionId": "s1"},
        {"traceId": trace},
        {"requestId": "req-1"},
        {"customerId": "acme"},
        {"source": "sdk"},
        {"tag.stage": "prod"},
        {"tag.team": "x", "tag.stage": "prod"},
    ):
        assert listed(daemon, **query) == [one], query
    assert listed(daemon, apiKeyId=key_id) == [two, one]
    assert listed(daemon, **{"tag.team": "x"}) == [two, one]
    assert listed(daemon, **{"tag.team": "y"}) == []
    assert listed(daemon, provider="Anthropic") == []
    assert listed(daemon, budgetStatus="approved") == []
    blank = {
        "provider": "",
        "model": "",
        "sessionId": "",
        "traceId": "",
        "requestId": "",
        "apiKeyId": "",
        "customerId": "",
    }
    assert listed(daemon, **blank, unknown="1") == [two, one]


def test_the_last_of_a_repeated_tag_filter_counts(daemon: Daemon) -> None:
    mine = post(daemon, tags={"rep": "b"})["id"]
    reply = daemon.call("GET", "/api/cost-events?tag.rep=a&tag.rep=b", auth="key")
    assert [event["id"] for event in reply.json["data"]] == [mine]


def test_times_bound_the_list_from_below_inclusively_and_from_above_exclusively(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    events = []
    for _ in range(3):
        events.append(post(daemon))
        daemon.call("POST", "/_local/clock", {"advanceMs": 1000}, auth="admin")
    middle = events[1]["createdAt"]
    assert listed(daemon, createdAfter=middle) == [events[2]["id"], events[1]["id"]]
    assert listed(daemon, createdBefore=middle) == [events[0]["id"]]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("source=other", "source"),
        ("budgetStatus=x", "budgetStatus"),
        ("traceId=xyz", "traceId"),
        ("apiKeyId=nonsense", "apiKeyId"),
        ("requestId=" + "r" * 201, "requestId"),
        ("sessionId=" + "s" * 257, "sessionId"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdAfter=2026-01-01T00:00:00%2B01:00", "createdAfter"),
        ("cursor=nope", "cursor"),
        ("cursor=%7B%7D", "cursor"),
        ("cursor=5", "cursor"),
        ('cursor={"createdAt":"2026-01-01T00:00:00","id":"ns_evt_019a0000-0000-7000-8000-000000000000"}', "cursor"),
        ('cursor={"createdAt":"2026-01-01T00:00:00Z","id":"ns_key_019a0000-0000-7000-8000-000000000000"}', "cursor"),
        ('cursor={"createdAt":1,"id":2}', "cursor"),
    ],
)
def test_a_bad_query_is_named(daemon: Daemon, query: str, path: str) -> None:
    reply = daemon.call("GET", f"/api/cost-events?{quote(query, safe='=&%')}", auth="key")
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [[path]]


def walk(daemon: Daemon, limit: int, *, spaced: bool = False) -> list[str]:
    """All ids, page by page, with the cursor written as the SDK does (spaces) or without."""
    found: list[str] = []
    cursor = ""
    while True:
        reply = daemon.call("GET", f"/api/cost-events?limit={limit}{cursor}", auth="key").json
        found += [event["id"] for event in reply["data"]]
        if reply["cursor"] is None:
            return found
        text = json.dumps(reply["cursor"], separators=None if spaced else (",", ":"))
        cursor = "&" + urlencode({"cursor": text})


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("spaced", [True, False])
def test_pages_give_each_row_once_also_those_of_one_millisecond(start: StartDaemon, limit: int, spaced: bool) -> None:
    daemon = start()
    ids = []
    for _ in range(2):
        reply = daemon.call("POST", "/api/cost-events/batch", {"events": [EVENT] * 50}, auth="key")
        ids += reply.json["ids"]
    assert walk(daemon, limit, spaced=spaced) == ids[::-1]


def test_rows_inserted_between_pages_do_not_shift_them(start: StartDaemon) -> None:
    daemon = start()
    ids = daemon.call("POST", "/api/cost-events/batch", {"events": [EVENT] * 10}, auth="key").json["ids"]
    first = daemon.call("GET", "/api/cost-events?limit=4", auth="key").json
    daemon.call("POST", "/api/cost-events/batch", {"events": [EVENT] * 10}, auth="key")
    cursor = quote(json.dumps(first["cursor"]))
    second = daemon.call("GET", f"/api/cost-events?limit=100&cursor={cursor}", auth="key").json
    assert [event["id"] for event in first["data"] + second["data"]] == ids[::-1]
    assert second["cursor"] is None


def test_the_first_page_of_exactly_all_rows_has_no_cursor(start: StartDaemon) -> None:
    daemon = start()
    daemon.call("POST", "/api/cost-events/batch", {"events": [EVENT] * 3}, auth="key")
    assert daemon.call("GET", "/api/cost-events?limit=3", auth="key").json["cursor"] is None


def test_every_new_event_is_staged_for_the_world_with_all_its_fields(daemon: Daemon) -> None:
    made = post(daemon, idempotencyKey="staged", tags={"a": "b"}, toolServer="web")
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        rows = connection.execute(
            "SELECT object FROM outbox WHERE type = 'cost_event.created' AND object LIKE '%\"staged\"%'"
        ).fetchall()
    connection.close()
    assert [json.loads(row[0]) for row in rows] == [
        {
            "request_id": "staged",
            "event_type": "custom",
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 1,
            "output_tokens": 2,
            "cached_input_tokens": 0,
            "cost_microdollars": 3,
            "duration_ms": None,
            "upstream_duration_ms": None,
            "session_id": None,
            "trace_id": None,
            "tool_name": None,
            "tool_server": "web",
            "tool_calls_requested": None,
            "tool_definition_tokens": 0,
            "api_key_id": made["apiKeyId"],
            "source": "api",
            "tags": {"a": "b"},
            "created_at": made["createdAt"],
        }
    ]
