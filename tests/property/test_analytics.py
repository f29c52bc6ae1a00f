"""Every aggregate equals the same figure added up naively from the raw rows."""

from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nullspend_daemon.http.windows import PeriodQuery, WindowQuery
from nullspend_daemon.ledger.check import find_differences, repair
from nullspend_daemon.ledger.retention import drop_old_events
from nullspend_daemon.resources.budgets import sources
from nullspend_daemon.resources.cost_events import attribution, sessions, summary
from tests.property.spending import DAY_MS, STEPS, Ground


def summed(rows: list[dict[str, Any]], *columns: str) -> dict[Any, tuple[int, int]]:
    found: dict[Any, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        key = row[columns[0]] if len(columns) == 1 else tuple(row[column] for column in columns)
        cost, count = found[key]
        found[key] = (cost + row["cost_microdollars"], count + 1)
    return dict(found)


def as_pairs(items: list[dict[str, Any]], *names: str) -> dict[Any, tuple[int, int]]:
    return {
        item[names[0]] if len(names) == 1 else tuple(item[name] for name in names): (
            item["totalCostMicrodollars"],
            item["requestCount"],
        )
        for item in items
    }


def started(ground: Ground, days: int) -> int:
    return (ground.clock.now_ms() // DAY_MS - days + 1) * DAY_MS


def check_summary(ground: Ground, period: str, exclude: str) -> None:
    query = WindowQuery.model_validate({"period": period, "excludeEstimated": exclude})
    shown = ground.database.read(lambda tx: summary.summarize(tx, ground.call(query=query)))
    rows = ground.rows(started(ground, int(period[:-1])), without_estimated=exclude == "true")
    assert as_pairs(shown["models"], "provider", "model") == summed(rows, "provider", "model")
    assert as_pairs(shown["providers"], "provider") == summed(rows, "provider")
    assert as_pairs(shown["sources"], "source") == summed(rows, "source")
    assert as_pairs(shown["keys"], "apiKeyId") == summed(rows, "api_key_id")
    tools = [row for row in rows if row["event_type"] == "tool" or row["provider"] == "mcp"]
    assert as_pairs(shown["tools"], "model") == summed(tools, "model")
    traced = [row for row in rows if row["trace_id"]]
    assert as_pairs(shown["traces"], "traceId") == summed(traced, "trace_id")
    assert shown["totals"]["totalCostMicrodollars"] == sum(row["cost_microdollars"] for row in rows)
    assert shown["totals"]["totalRequests"] == len(rows)
    assert sum(day["totalCostMicrodollars"] for day in shown["daily"]) == shown["totals"]["totalCostMicrodollars"]
    assert [day["date"] for day in shown["daily"]] == sorted(day["date"] for day in shown["daily"])
    for item in shown["models"]:
        mine = [row for row in rows if (row["provider"], row["model"]) == (item["provider"], item["model"])]
        assert item["inputTokens"] == sum(row["input_tokens"] for row in mine)
        assert item["reasoningTokens"] == sum(row["reasoning_tokens"] for row in mine)


def check_attribution(ground: Ground, group_by: str, column: str) -> None:
    query = attribution.AttributionQuery.model_validate({"groupBy": group_by, "period": "90d"})
    shown = ground.database.read(lambda tx: attribution.attribute(tx, ground.call(query=query)))
    assert isinstance(shown, dict)
    rows = ground.rows(started(ground, 90))
    for row in rows:
        tag = f'"{group_by}":"'
        row["group"] = row["tags"].split(tag)[1].split('"')[0] if tag in row["tags"] else "(none)"
        if column == "customer_id":
            row["group"] = row["customer_id"] or "(none)"
    assert as_pairs(shown["groups"], "key") == summed(rows, "group")
    costs = [group["totalCostMicrodollars"] for group in shown["groups"]]
    assert costs == sorted(costs, reverse=True)
    for group in shown["groups"]:
        detail_query = attribution.AttributionDetailQuery.model_validate({"groupBy": group_by, "period": "90d"})
        detail = ground.database.read(
            lambda tx, key=group["key"]: attribution.attribute_one(tx, ground.call(query=detail_query, key=key))
        )
        assert (detail["totalCostMicrodollars"], detail["requestCount"]) == (
            group["totalCostMicrodollars"],
            group["requestCount"],
        )
        assert sum(day["count"] for day in detail["daily"]) == group["requestCount"]
        assert sum(model["cost"] for model in detail["models"]) == group["totalCostMicrodollars"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_aggregates_equal_what_the_raw_rows_say(new_ground: Any, steps: list[tuple[int, list[dict[str, Any]]]]) -> None:
    ground = new_ground()
    for advance, events in steps:
        ground.clock.advance(advance)
        if events:
            ground.report(events)
    for period in ("7d", "90d"):
        for exclude in ("true", "false"):
            check_summary(ground, period, exclude)
    check_attribution(ground, "team", "tags")
    check_attribution(ground, "customer", "customer_id")
    listed = ground.database.read(
        lambda tx: sessions.list_sessions(tx, ground.call(query=sessions.ListSessions.model_validate({})))
    )
    counted = summed([row for row in ground.rows() if row["session_id"] is not None], "session_id")
    assert {s["sessionId"]: (s["totalCostMicrodollars"], s["eventCount"]) for s in listed["data"]} == counted
    assert ground.database.read(find_differences) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, keep_days=st.sampled_from([1, 10, 40]))
def test_retention_leaves_aggregates_that_still_equal_the_raw_rows(
    new_ground: Any, steps: list[tuple[int, list[dict[str, Any]]]], keep_days: int
) -> None:
    ground = new_ground()
    for advance, events in steps:
        ground.clock.advance(advance)
        if events:
            ground.report(events)
    before = {row["id"]: row["created_at"] for row in ground.rows()}
    earliest_cut = ground.clock.now_ms() - keep_days * DAY_MS
    while ground.database.write(lambda tx: drop_old_events(tx, keep_days * DAY_MS)):
        pass
    latest_cut = ground.clock.now_ms() - keep_days * DAY_MS
    left = {row["id"] for row in ground.rows()}
    assert left <= {event_id for event_id, at in before.items() if at > earliest_cut}
    assert left >= {event_id for event_id, at in before.items() if at > latest_cut}
    check_summary(ground, "90d", "false")
    assert ground.database.read(find_differences) == []


def test_a_damaged_figure_is_found_and_repaired(new_ground: Any) -> None:
    ground = new_ground()
    event = {
        "provider": "p",
        "model": "m",
        "inputTokens": 1,
        "outputTokens": 1,
        "costMicrodollars": 70,
        "sessionId": "s",
    }
    ground.report([event | {"traceId": "a" * 32, "tags": {"team": "x"}}] * 3)
    damages = (
        "UPDATE cost_days SET cost_microdollars = 1",
        "DELETE FROM cost_label_days",
        "UPDATE cost_traces SET requests = 9",
        "UPDATE cost_sessions SET event_count = 0",
    )
    for damage in damages:
        ground.database.write(lambda tx, sql=damage: tx.changed(sql))
        assert len(ground.database.read(find_differences)) == 1, damage
        ground.database.write(repair)
        assert ground.database.read(find_differences) == []


def test_a_budgets_sources_add_up_to_what_its_entity_spent(new_ground: Any) -> None:
    ground = new_ground()
    base = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1}
    ground.report(
        [
            base | {"costMicrodollars": 5, "customer": "acme", "source": "sdk"},
            base | {"costMicrodollars": 7, "tags": {"team": "x"}},
            base | {"costMicrodollars": 11, "tags": {"team": "y"}},
        ]
    )
    wanted = {
        ("api_key", ground.key.key_id): [("api", 18, 2), ("sdk", 5, 1)],
        ("user", ground.key.user_id): [("api", 18, 2), ("sdk", 5, 1)],
        ("tag", "team=x"): [("api", 7, 1)],
        ("customer", "acme"): [("sdk", 5, 1)],
        ("tag", "team=nobody"): [],
    }
    for number, ((entity_type, entity_id), expected) in enumerate(wanted.items()):
        budget_id = f"ns_bgt_00000000-0000-7000-8000-00000000000{number}"
        ground.database.write(
            lambda tx, row=(budget_id, ground.key.org_id, entity_type, entity_id): tx.changed(
                "INSERT INTO budgets (id, org_id, entity_type, entity_id, max_microdollars, policy, thresholds,"
                " velocity_window_seconds, velocity_cooldown_seconds, created_by, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, 100, 'warn', '[]', 60, 60, 'u', 0, 0)",
                row,
            )
        )
        shown = ground.database.read(
            lambda tx, budget=budget_id: sources.list_sources(tx, ground.call(query=PeriodQuery(), id=budget))
        )
        found = [(row["source"], row["totalCostMicrodollars"], row["requestCount"]) for row in shown["data"]]
        assert found == expected
