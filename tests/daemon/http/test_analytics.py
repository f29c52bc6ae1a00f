"""What was spent, over HTTP: core 4.7 and 5.5 to 5.11."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon, Machine, Reply, start_daemon

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 2, "costMicrodollars": 0}
TRACE = "0123456789abcdef0123456789abcdef"


def report(daemon: Daemon, *events: dict[str, Any]) -> None:
    for start in range(0, len(events), 100):
        batch = [{**EVENT, **event} for event in events[start : start + 100]]
        reply = daemon.call("POST", "/api/cost-events/batch", {"events": batch}, auth="key")
        assert reply.status == 201, reply.body


def get(daemon: Daemon, path: str, auth: str = "session", **query: Any) -> Reply:
    text = f"?{urlencode(query)}" if query else ""
    return daemon.call("GET", f"/api/cost-events{path}{text}", auth=auth)


def advance(daemon: Daemon, days: float) -> None:
    daemon.call("POST", "/_local/clock", {"advanceMs": int(days * 86_400_000)}, auth="admin")


def today(daemon: Daemon) -> str:
    return daemon.call("GET", "/_local/info", auth=None).json["now"][:10]


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Five events of one day."""
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock")
    report(
        daemon,
        {
            "costMicrodollars": 700,
            "inputTokens": 10,
            "outputTokens": 20,
            "cachedInputTokens": 3,
            "reasoningTokens": 4,
            "customer": "acme",
            "tags": {"team": "core"},
            "traceId": TRACE,
            "sessionId": "s-1",
            "durationMs": 100,
            "costBreakdown": {"input": 500, "output": 250, "cached": -50, "reasoning": 9},
        },
        {"provider": "mcp", "model": "web/search", "costMicrodollars": 200, "durationMs": 10},
        {"provider": "mcp", "model": "web/search", "costMicrodollars": 100, "durationMs": 13},
        {"model": "b", "costMicrodollars": 100, "tags": {"team": "core", "_ns_estimated": "true"}, "sessionId": "s-1"},
        {
            "model": "a",
            "costMicrodollars": 100,
            "source": "sdk",
            "customer": "a/b",
            "costBreakdown": {"input": -9, "output": 0, "cached": 0},
        },
    )
    yield daemon
    daemon.end()


def test_the_summary_is_dual_and_complete(spent: Daemon) -> None:
    reply = get(spent, "/summary", period="7d")
    day = today(spent)
    key_id = spent.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    no_tokens = {"inputTokens": 1, "outputTokens": 2, "cachedInputTokens": 0, "reasoningTokens": 0}
    expected = {
        "daily": [{"date": day, "totalCostMicrodollars": 1200}],
        "models": [
            {
                "provider": "openai",
                "model": "gpt-4o",
                "totalCostMicrodollars": 700,
                "requestCount": 1,
                "inputTokens": 10,
                "outputTokens": 20,
                "cachedInputTokens": 3,
                "reasoningTokens": 4,
            },
            {
                "provider": "mcp",
                "model": "web/search",
                "totalCostMicrodollars": 300,
                "requestCount": 2,
                **no_tokens,
                "inputTokens": 2,
                "outputTokens": 4,
            },
            {"provider": "openai", "model": "a", "totalCostMicrodollars": 100, "requestCount": 1, **no_tokens},
            {"provider": "openai", "model": "b", "totalCostMicrodollars": 100, "requestCount": 1, **no_tokens},
        ],
        "providers": [
            {"provider": "openai", "totalCostMicrodollars": 900, "requestCount": 3},
            {"provider": "mcp", "totalCostMicrodollars": 300, "requestCount": 2},
        ],
        "keys": [{"apiKeyId": key_id, "keyName": "default", "totalCostMicrodollars": 1200, "requestCount": 5}],
        "tools": [{"model": "web/search", "totalCostMicrodollars": 300, "requestCount": 2, "avgDurationMs": 12}],
        "sources": [
            {"source": "api", "totalCostMicrodollars": 1100, "requestCount": 4},
            {"source": "sdk", "totalCostMicrodollars": 100, "requestCount": 1},
        ],
        "traces": [{"traceId": TRACE, "totalCostMicrodollars": 700, "requestCount": 1}],
        "totals": {"totalCostMicrodollars": 1200, "totalRequests": 5, "period": "7d"},
        "costBreakdown": {"inputCost": 491, "outputCost": 250, "cachedCost": 0, "reasoningCost": 9},
    }
    assert reply.json == {**expected, "data": expected}
    assert get(spent, "/summary", auth="key", period="7d").json == reply.json


def test_estimates_are_left_out_on_request(spent: Daemon) -> None:
    found = get(spent, "/summary", excludeEstimated="true").json
    assert found["totals"] == {"totalCostMicrodollars": 1100, "totalRequests": 4, "period": "30d"}
    assert [row["model"] for row in found["models"]] == ["gpt-4o", "web/search", "a"]
    totals = get(spent, "/attribution", groupBy="team", excludeEstimated="true").json["data"]["totals"]
    assert totals == {"totalCostMicrodollars": 1100, "totalRequests": 4}


@pytest.mark.parametrize(
    ("path", "query", "issue"),
    [
        ("/summary", {"period": "1d"}, ["period"]),
        ("/summary", {"excludeEstimated": "yes"}, ["excludeEstimated"]),
        ("/attribution", {}, ["groupBy"]),
        ("/attribution", {"groupBy": "1team"}, ["groupBy"]),
        ("/attribution", {"groupBy": "a" * 101}, ["groupBy"]),
        ("/attribution", {"groupBy": "team", "limit": "501"}, ["limit"]),
        ("/attribution", {"groupBy": "team", "limit": ""}, ["limit"]),
        ("/attribution", {"groupBy": "team", "format": "xml"}, ["format"]),
        ("/attribution/core", {}, ["groupBy"]),
        ("/sessions", {"cursor": "yesterday"}, ["cursor"]),
    ],
)
def test_a_wrong_parameter_is_named(spent: Daemon, path: str, query: dict[str, str], issue: list[str]) -> None:
    reply = get(spent, path, **query)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [each["path"] for each in reply.json["error"]["details"]["issues"]] == [issue]


def test_attribution_by_key_names_it(spent: Daemon) -> None:
    key_id = spent.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    assert get(spent, "/attribution", groupBy="api_key").json == {
        "data": {
            "groups": [
                {
                    "key": "default",
                    "keyId": key_id,
                    "totalCostMicrodollars": 1200,
                    "requestCount": 5,
                    "avgCostMicrodollars": 240,
                }
            ],
            "period": "30d",
            "groupBy": "api_key",
            "totalGroups": 1,
            "hasMore": False,
            "totals": {"totalCostMicrodollars": 1200, "totalRequests": 5},
        }
    }


def test_attribution_by_tag_and_customer_has_a_group_for_those_without(spent: Daemon) -> None:
    groups = get(spent, "/attribution", groupBy="team").json["data"]["groups"]
    assert [(g["key"], g["keyId"], g["totalCostMicrodollars"], g["avgCostMicrodollars"]) for g in groups] == [
        ("core", None, 800, 400),
        ("(none)", None, 400, 133),
    ]
    by_customer = get(spent, "/attribution", groupBy="customer", limit=2).json["data"]
    assert [group["key"] for group in by_customer["groups"]] == ["acme", "(none)"]
    assert (by_customer["totalGroups"], by_customer["hasMore"]) == (2, True)
    assert by_customer["totals"] == {"totalCostMicrodollars": 1200, "totalRequests": 5}


def test_attribution_as_csv(spent: Daemon) -> None:
    reply = get(spent, "/attribution", groupBy="team", format="csv")
    assert reply.body.decode() == (
        "key,key_id,total_cost_microdollars,total_cost_usd,request_count,avg_cost_microdollars,avg_cost_usd\n"
        "core,,800,0.000800,2,400,0.000400\n"
        "(none),,400,0.000400,3,133,0.000133"
    )
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["content-disposition"] == (
        f'attachment; filename="nullspend-attribution-team-{today(spent)}.csv"'
    )


def test_one_group_by_day_and_model(spent: Daemon) -> None:
    assert get(spent, "/attribution/core", groupBy="team").json == {
        "data": {
            "key": "core",
            "totalCostMicrodollars": 800,
            "requestCount": 2,
            "avgCostMicrodollars": 400,
            "daily": [{"date": today(spent), "cost": 800, "count": 2}],
            "models": [{"model": "gpt-4o", "cost": 700, "count": 1}, {"model": "b", "cost": 100, "count": 1}],
        }
    }
    nothing = {"totalCostMicrodollars": 0, "requestCount": 0, "avgCostMicrodollars": 0, "daily": [], "models": []}
    assert get(spent, "/attribution/nobody", groupBy="team").json == {"data": {"key": "nobody", **nothing}}
    none = get(spent, f"/attribution/{quote('(none)')}", groupBy="team").json["data"]
    assert (none["totalCostMicrodollars"], [model["model"] for model in none["models"]]) == (400, ["web/search", "a"])
    no_key = get(spent, f"/attribution/{quote('(no key)')}", groupBy="api_key").json["data"]
    assert no_key == {"key": "(no key)", **nothing}


@pytest.mark.parametrize("key", ["a%2Fb", "..", "a..b", "default"])
def test_a_key_that_could_be_a_path_or_is_no_id_is_refused(spent: Daemon, key: str) -> None:
    reply = get(spent, f"/attribution/{key}", groupBy="api_key")
    assert (reply.status, reply.json["error"]["code"]) in ((400, "invalid_key"), (404, "not_found"))
    assert reply.status == 400 or key == ".."


def test_tag_keys_are_those_of_a_week_without_the_reserved_ones(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    report(daemon, {"tags": {"old": "1"}})
    advance(daemon, 6)
    report(daemon, *({"tags": {f"k{number:02}": "v"}} for number in range(48)))
    report(daemon, {"tags": {"_ns_x": "1", "ansible": "1", "ns_x": "1"}})
    found = get(daemon, "/tag-keys").json["data"]
    assert found == ["ansible", *(f"k{number:02}" for number in range(48)), "ns_x"]
    advance(daemon, 1)
    assert "old" not in get(daemon, "/tag-keys").json["data"]
    report(daemon, {"tags": {"z1": "1", "z2": "1"}})
    assert len(get(daemon, "/tag-keys").json["data"]) == 50


def test_a_period_begins_with_a_day(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    report(daemon, {"costMicrodollars": 5, "traceId": TRACE})
    advance(daemon, 6)
    assert get(daemon, "/summary", period="7d").json["totals"]["totalRequests"] == 1
    advance(daemon, 1)
    assert get(daemon, "/summary", period="7d").json["totals"]["totalRequests"] == 0
    report(daemon, {"costMicrodollars": 7, "traceId": TRACE})
    week, month = (get(daemon, "/summary", period=period).json for period in ("7d", "30d"))
    assert [trace["totalCostMicrodollars"] for trace in (*week["traces"], *month["traces"])] == [7, 12]
    assert [day["totalCostMicrodollars"] for day in month["daily"]] == [5, 7]


def test_a_session_shows_its_first_two_hundred_events(start: StartDaemon) -> None:
    daemon = start()
    report(daemon, *[{"sessionId": "long", "costMicrodollars": 1, "durationMs": 2}] * 201)
    found = get(daemon, "/sessions/long").json
    ids = [event["id"] for event in found["events"]]
    assert (len(ids), ids) == (200, sorted(ids))
    assert found["summary"] == {
        "eventCount": 200,
        "totalCostMicrodollars": 200,
        "totalInputTokens": 200,
        "totalOutputTokens": 400,
        "totalDurationMs": 400,
        "startedAt": found["events"][0]["createdAt"],
        "endedAt": found["events"][-1]["createdAt"],
    }
    (listed,) = get(daemon, "/sessions").json["data"]
    assert (listed["sessionId"], listed["eventCount"], listed["totalCostMicrodollars"]) == ("long", 201, 201)


def test_an_unknown_session_is_empty_and_a_long_id_none(spent: Daemon) -> None:
    assert get(spent, f"/sessions/{'x' * 256}").json == {
        "sessionId": "x" * 256,
        "summary": {
            "eventCount": 0,
            "totalCostMicrodollars": 0,
            "totalInputTokens": 0,
            "totalOutputTokens": 0,
            "totalDurationMs": 0,
            "startedAt": None,
            "endedAt": None,
        },
        "events": [],
    }
    reply = get(spent, f"/sessions/{'x' * 257}")
    assert (reply.status, reply.json["error"]["details"]) == (400, None)


def test_sessions_go_page_by_page_with_a_time_as_cursor(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    for number in range(60):
        report(daemon, {"sessionId": f"s{number:02}"})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = get(daemon, "/sessions", **cursor).json
        assert len(page["data"]) >= 25 or page["cursor"] is None
        seen += [row["sessionId"] for row in page["data"]]
        if page["cursor"] is None:
            break
        assert page["cursor"] == page["data"][-1]["lastEventAt"]
        cursor = {"cursor": page["cursor"]}
    assert sorted(seen) == [f"s{number:02}" for number in range(60)]


def test_the_export_is_csv_as_documented(start: StartDaemon) -> None:
    daemon = start()
    breakdown = {"input": 5, "output": 6, "cached": 0}
    report(daemon, {"model": 'a,"b"\nc', "costMicrodollars": 1_234_567, "costBreakdown": breakdown, "sessionId": "s"})
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    (event,) = get(daemon, "").json["data"]
    reply = get(daemon, "/export")
    assert reply.body.decode() == (
        "id,request_id,provider,model,input_tokens,output_tokens,cached_input_tokens,reasoning_tokens,"
        "cost_microdollars,cost_usd,duration_ms,source,session_id,trace_id,key_name,created_at,cost_breakdown_input,"
        "cost_breakdown_output,cost_breakdown_cached,cost_breakdown_reasoning,cost_breakdown_tool_definition\n"
        f'{event["id"]},{event["requestId"]},openai,"a,""b""\nc",1,2,0,0,1234567,1.234567,,api,s,,default,'
        f"{event['createdAt']},5,6,0,,"
    )
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["content-disposition"].startswith('attachment; filename="nullspend-cost-events-20')
    for matching in ({"apiKeyId": key_id}, {"apiKeyId": key_id[7:]}, {"source": "nonsense"}, {"customerId": "x"}):
        assert get(daemon, "/export", **matching).body == reply.body, matching
    late = {"createdAfter": "2999-01-01T00:00:00.000Z"}
    assert get(daemon, "/export", **late).body == reply.body, "the export takes no times"
    for other in ({"model": "gpt-4o"}, {"provider": "x"}, {"source": "sdk"}, {"sessionId": "t"}, {"tag.a": "b"}):
        assert b"\n" not in get(daemon, "/export", **other).body, other


def test_bodies_of_an_event_that_has_none(spent: Daemon) -> None:
    event_id = get(spent, "", limit=1).json["data"][0]["id"]
    for spelled in (event_id, event_id.removeprefix("ns_evt_")):
        assert get(spent, f"/{spelled}/bodies").json == {"data": {"requestBody": None, "responseBody": None}}
    assert get(spent, "/ns_evt_00000000-0000-7000-8000-000000000000/bodies").status == 404
    bad = get(spent, "/ns_evt_garbage/bodies")
    assert (bad.status, bad.json["error"]["details"]) == (400, None)


def test_a_budgets_sources(spent: Daemon) -> None:
    def sources(entity_type: str, entity_id: str) -> Any:
        body = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": 1}
        budget = spent.call("POST", "/api/budgets", body).json["id"]
        return spent.call("GET", f"/api/budgets/{budget}/sources?period=7d").json["data"]

    assert sources("customer", "acme") == [{"source": "api", "totalCostMicrodollars": 700, "requestCount": 1}]
    assert sources("tag", "team=core") == [{"source": "api", "totalCostMicrodollars": 800, "requestCount": 2}]
    assert sources("tag", "team=none") == []
    missing = spent.call("GET", "/api/budgets/ns_bgt_00000000-0000-7000-8000-000000000000/sources")
    assert missing.status == 404


@pytest.mark.parametrize(
    "path", ["/summary", "/export", "/attribution?groupBy=team", "/tag-keys", "/sessions", "/sessions/s"]
)
def test_nobody_sees_anothers_money(spent: Daemon, path: str) -> None:
    email = f"{abs(hash(path))}@example.org"
    spent.call("POST", "/_local/users", {"email": email}, auth="admin")
    cookie = spent.call("POST", "/_local/sessions", {"email": email}, auth="admin").json["cookie"]
    reply = spent.call("GET", f"/api/cost-events{path}", auth=None, headers={"Cookie": cookie})
    assert reply.status == 200
    assert b"1200" not in reply.body
    assert b"acme" not in reply.body
    assert get(spent, path, auth="admin").status == 401


@pytest.mark.parametrize(
    ("filters", "models"),
    [
        ({"provider": "nowhere"}, []),
        ({"source": "mcp"}, []),
        ({"source": "sdk"}, ["a"]),
        ({"tag.team": "core"}, ["b", "gpt-4o"]),
        ({"tag.team": "nobody"}, []),
        ({"tag.team": "core", "tag._ns_estimated": "true"}, ["b"]),
        ({"tag.team": "core", "model": "gpt-4o", "customerId": "acme"}, ["gpt-4o"]),
        ({"provider": "openai", "model": "a", "source": "sdk"}, ["a"]),
        ({"budgetStatus": "denied"}, []),
    ],
)
def test_rare_and_combined_filters_find_what_there_is(
    spent: Daemon, filters: dict[str, str], models: list[str]
) -> None:
    assert [event["model"] for event in get(spent, "", **filters).json["data"]] == models
    first = get(spent, "", limit=1, **filters).json
    if len(models) > 1:
        assert [
            e["model"] for e in get(spent, "", cursor=json.dumps(first["cursor"]), **filters).json["data"]
        ] == models[1:]
