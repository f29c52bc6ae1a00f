"""Budgets: core 4, over HTTP; spend comes from reported events."""

import json
import sqlite3
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon

EVENT = {"provider": "openai", "model": "m", "inputTokens": 1, "outputTokens": 1}


def put(daemon: Daemon, entity: str = "acme", **fields: Any) -> dict[str, Any]:
    body = {"entityType": "customer", "entityId": entity, "maxBudgetMicrodollars": 1_000_000, **fields}
    reply = daemon.call("POST", "/api/budgets", body)
    assert reply.status == 201, reply.body
    return reply.json["data"]


def get(daemon: Daemon, budget_id: str) -> dict[str, Any]:
    return next(each for each in daemon.call("GET", "/api/budgets").json["data"] if each["id"] == budget_id)


def spend(daemon: Daemon, cost: int, **fields: Any) -> None:
    reply = daemon.call("POST", "/api/cost-events", {**EVENT, "costMicrodollars": cost, **fields}, auth="key")
    assert reply.status == 201, reply.body


def advance(daemon: Daemon, ms: int) -> None:
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def outbox(daemon: Daemon, like: str = "%budget%") -> list[tuple[str, dict[str, Any]]]:
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        rows = connection.execute("SELECT type, object FROM outbox WHERE type LIKE ? ORDER BY seq", (like,)).fetchall()
    connection.close()
    return [(event_type, json.loads(data)) for event_type, data in rows]


def test_a_minimal_budget_has_the_documented_defaults(daemon: Daemon) -> None:
    budget = put(daemon, "defaults")
    assert {key: budget[key] for key in budget if key not in ("id", "createdAt", "updatedAt")} == {
        "entityType": "customer",
        "entityId": "defaults",
        "maxBudgetMicrodollars": 1_000_000,
        "spendMicrodollars": 0,
        "policy": "strict_block",
        "resetInterval": None,
        "currentPeriodStart": None,
        "thresholdPercentages": [50, 80, 90, 95],
        "velocityLimitMicrodollars": None,
        "velocityWindowSeconds": 60,
        "velocityCooldownSeconds": 60,
        "sessionLimitMicrodollars": None,
        "finalizationReserveMicrodollars": 0,
    }


def test_an_update_keeps_what_it_does_not_name_except_the_reset_interval(daemon: Daemon) -> None:
    first = put(
        daemon,
        "kept",
        policy="warn",
        resetInterval="daily",
        thresholdPercentages=[10],
        velocityLimitMicrodollars=5,
        velocityWindowSeconds=10,
        velocityCooldownSeconds=3600,
        sessionLimitMicrodollars=7,
        finalizationReserveMicrodollars=9,
    )
    spend(daemon, 40, customer="kept")
    second = put(daemon, "kept", maxBudgetMicrodollars=2_000_000)
    changed = {key for key in first if first[key] != second[key]}
    assert changed <= {"maxBudgetMicrodollars", "spendMicrodollars", "resetInterval", "updatedAt"}
    assert (second["resetInterval"], second["currentPeriodStart"]) == (None, first["currentPeriodStart"])
    assert (second["spendMicrodollars"], second["createdAt"]) == (40, first["createdAt"])


def test_an_interval_starts_a_period_each_time_and_keeps_the_spend(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    first = put(daemon, "p", resetInterval="monthly")
    spend(daemon, 40, customer="p")
    advance(daemon, 1000)
    second = put(daemon, "p", resetInterval="monthly")
    assert second["currentPeriodStart"] > first["currentPeriodStart"]
    assert second["spendMicrodollars"] == 40


def test_null_clears_the_nullable_and_resets_the_velocity_times(daemon: Daemon) -> None:
    put(daemon, "nulls", velocityLimitMicrodollars=5, velocityWindowSeconds=10, sessionLimitMicrodollars=7)
    cleared = put(daemon, "nulls", velocityLimitMicrodollars=None, sessionLimitMicrodollars=None, resetInterval=None)
    assert (cleared["velocityLimitMicrodollars"], cleared["velocityWindowSeconds"]) == (None, 60)
    assert cleared["sessionLimitMicrodollars"] is None


def test_empty_thresholds_are_kept_empty(daemon: Daemon) -> None:
    assert put(daemon, "silent", thresholdPercentages=[])["thresholdPercentages"] == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"maxBudgetMicrodollars": 0}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": -1}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": 9_007_199_254_740_992}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": 1.5}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": "5"}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": True}, ["maxBudgetMicrodollars"]),
        ({"maxBudgetMicrodollars": 10**400}, ["maxBudgetMicrodollars"]),
        ({"entityType": "org"}, ["entityType"]),
        ({"entityId": ""}, ["entityId"]),
        ({"entityId": "c" * 257}, ["entityId"]),
        ({"entityType": "tag", "entityId": "team"}, ["entityId"]),
        ({"entityType": "tag", "entityId": "team="}, ["entityId"]),
        ({"entityType": "tag", "entityId": "a b=c"}, ["entityId"]),
        ({"entityType": "tag", "entityId": "_ns_x=1"}, ["entityId"]),
        ({"entityType": "tag", "entityId": "k=" + "v" * 320}, ["entityId"]),
        ({"entityType": "user", "entityId": "ns_key_019a0000-0000-7000-8000-000000000000"}, ["entityId"]),
        ({"entityType": "api_key", "entityId": "019a0000-0000-7000-8000-000000000000"}, ["entityId"]),
        ({"policy": None}, ["policy"]),
        ({"policy": "block"}, ["policy"]),
        ({"resetInterval": "hourly"}, ["resetInterval"]),
        ({"thresholdPercentages": [0]}, ["thresholdPercentages", 0]),
        ({"thresholdPercentages": [101]}, ["thresholdPercentages", 0]),
        ({"thresholdPercentages": [50, 50]}, ["thresholdPercentages"]),
        ({"thresholdPercentages": [60, 50]}, ["thresholdPercentages"]),
        ({"thresholdPercentages": list(range(1, 12))}, ["thresholdPercentages"]),
        ({"thresholdPercentages": None}, ["thresholdPercentages"]),
        ({"velocityLimitMicrodollars": 0}, ["velocityLimitMicrodollars"]),
        ({"velocityWindowSeconds": 9}, ["velocityWindowSeconds"]),
        ({"velocityWindowSeconds": 3601}, ["velocityWindowSeconds"]),
        ({"velocityWindowSeconds": None}, ["velocityWindowSeconds"]),
        ({"velocityCooldownSeconds": 9}, ["velocityCooldownSeconds"]),
        ({"sessionLimitMicrodollars": 0}, ["sessionLimitMicrodollars"]),
        ({"finalizationReserveMicrodollars": -1}, ["finalizationReserveMicrodollars"]),
        ({"finalizationReserveMicrodollars": 1_000_001}, ["finalizationReserveMicrodollars"]),
    ],
)
def test_a_field_outside_its_bounds_is_named(daemon: Daemon, fields: dict[str, Any], path: list[str | int]) -> None:
    body = {"entityType": "customer", "entityId": "bad", "maxBudgetMicrodollars": 1_000_000, **fields}
    reply = daemon.call("POST", "/api/budgets", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


@pytest.mark.parametrize(
    "fields",
    [
        {"maxBudgetMicrodollars": 9_007_199_254_740_991},
        {"maxBudgetMicrodollars": 5.0},
        {"entityId": "c" * 256},
        {"entityId": "acme corp/ü"},
        {"entityType": "tag", "entityId": "k=" + "v" * 319},
        {"entityType": "tag", "entityId": "k=a=b"},
        {"thresholdPercentages": list(range(91, 101))},
        {"velocityWindowSeconds": 10, "velocityCooldownSeconds": 3600},
        {"finalizationReserveMicrodollars": 1_000_000},
        {"unknown": "ignored", "spendMicrodollars": 99},
    ],
)
def test_a_field_at_its_bounds_is_taken(daemon: Daemon, fields: dict[str, Any]) -> None:
    budget = put(daemon, f"edge of {sorted(fields)}", **fields)
    assert budget["spendMicrodollars"] == 0


def test_lowering_the_limit_below_the_stored_reserve_is_refused(daemon: Daemon) -> None:
    put(daemon, "reserved", finalizationReserveMicrodollars=900_000)
    body = {"entityType": "customer", "entityId": "reserved", "maxBudgetMicrodollars": 800_000}
    reply = daemon.call("POST", "/api/budgets", body)
    assert reply.json["error"]["details"]["issues"][0]["path"] == ["finalizationReserveMicrodollars"]


def test_reported_spend_charges_key_user_tags_and_customer(start: StartDaemon) -> None:
    daemon = start()
    owner = daemon.state["owner"]
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    entities = {
        "user": owner["userId"],
        "api_key": key_id,
        "tag": "team=x",
        "customer": "acme",
    }
    budgets = {kind: put(daemon, entity, entityType=kind)["id"] for kind, entity in entities.items()}
    as_tag = put(daemon, "customer=acme", entityType="tag")["id"]
    elsewhere = put(daemon, "team=y", entityType="tag")["id"]
    spend(daemon, 100, tags={"team": "x"}, customer="acme")
    spend(daemon, 20, tags={"customer": "acme"})
    spend(daemon, 3)
    spends = {kind: get(daemon, budget_id)["spendMicrodollars"] for kind, budget_id in budgets.items()}
    assert spends == {"user": 123, "api_key": 123, "tag": 100, "customer": 120}
    assert get(daemon, as_tag)["spendMicrodollars"] == 120
    assert get(daemon, elsewhere)["spendMicrodollars"] == 0


def test_reported_spend_is_never_denied_whatever_the_policy(daemon: Daemon) -> None:
    budget = put(daemon, "over", maxBudgetMicrodollars=10)
    for _ in range(3):
        spend(daemon, 1_000, customer="over")
    assert get(daemon, budget["id"])["spendMicrodollars"] == 3_000


def test_spend_stops_at_the_largest_amount_instead_of_failing(daemon: Daemon) -> None:
    budget = put(daemon, "huge")
    for _ in range(2):
        spend(daemon, 9_007_199_254_740_991, customer="huge", sessionId="huge")
    assert get(daemon, budget["id"])["spendMicrodollars"] == 9_007_199_254_740_991


def test_status_shows_the_callers_user_and_key_budget_only(start: StartDaemon) -> None:
    daemon = start()
    assert daemon.call("GET", "/api/budgets/status", auth="key").json == {"entities": []}
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    put(daemon, key_id, entityType="api_key")
    put(daemon, daemon.state["owner"]["userId"], entityType="user", maxBudgetMicrodollars=100)
    put(daemon, "team=x", entityType="tag")
    spend(daemon, 150, tags={"team": "x"})
    entities = daemon.call("GET", "/api/budgets/status", auth="key").json["entities"]
    assert [entity["entityType"] for entity in entities] == ["user", "api_key"]
    assert [(e["spendMicrodollars"], e["remainingMicrodollars"]) for e in entities] == [(150, 0), (150, 999_850)]
    assert entities[0]["finalizationReserveMicrodollars"] == 0


def test_a_reset_zeroes_the_spend_and_starts_a_period_without_a_webhook(daemon: Daemon) -> None:
    budget = put(daemon, "reset")
    spend(daemon, 99, customer="reset")
    reply = daemon.call("POST", f"/api/budgets/{budget['id']}", b"ignored")
    assert (reply.status, reply.json["spendMicrodollars"], reply.json["data"]["spendMicrodollars"]) == (200, 0, 0)
    assert reply.json["currentPeriodStart"] is not None
    assert not [data for kind, data in outbox(daemon, "budget.reset") if data["budget_entity_id"] == "reset"]


def test_a_deleted_budget_is_gone(daemon: Daemon) -> None:
    budget = put(daemon, "gone")
    assert daemon.call("DELETE", f"/api/budgets/{budget['id']}").json == {"deleted": True}
    assert daemon.call("DELETE", f"/api/budgets/{budget['id']}").status == 404


def test_budgets_are_listed_newest_first(start: StartDaemon) -> None:
    daemon = start()
    made = [put(daemon, name)["id"] for name in ("a", "b", "c")]
    put(daemon, "a", maxBudgetMicrodollars=5)
    assert [each["id"] for each in daemon.call("GET", "/api/budgets").json["data"]] == made[::-1]


DAY = 86_400_000


@pytest.mark.parametrize(
    ("interval", "starts", "moments"),
    [
        ("daily", "2026-05-01T10:00:00.000Z", ["2026-05-02T09:59:59.999Z", "2026-05-02T10:00:00.000Z"]),
        ("weekly", "2026-05-01T10:00:00.000Z", ["2026-05-08T09:59:59.999Z", "2026-05-08T10:00:00.000Z"]),
        ("monthly", "2026-05-01T10:00:00.000Z", ["2026-06-01T09:59:59.999Z", "2026-06-01T10:00:00.000Z"]),
        ("yearly", "2026-05-01T10:00:00.000Z", ["2027-05-01T09:59:59.999Z", "2027-05-01T10:00:00.000Z"]),
    ],
)
def test_a_period_ends_to_the_millisecond(interval: Any, starts: str, moments: list[str]) -> None:
    from nullspend_daemon.contract.clock import from_iso, to_iso
    from nullspend_daemon.ledger.periods import current_start

    anchor = from_iso(starts)
    assert to_iso(current_start(anchor, interval, from_iso(moments[0]))) == starts
    assert to_iso(current_start(anchor, interval, from_iso(moments[1]))) == moments[1]


def test_a_month_from_the_31st_overflows_and_goes_on_from_there() -> None:
    from nullspend_daemon.contract.clock import from_iso, to_iso
    from nullspend_daemon.ledger.periods import current_start, period_end

    anchor = from_iso("2026-01-31T10:00:00Z")
    assert to_iso(period_end(anchor, "monthly")) == "2026-03-03T10:00:00.000Z"
    assert to_iso(current_start(anchor, "monthly", from_iso("2026-05-20T00:00:00Z"))) == "2026-05-03T10:00:00.000Z"
    leap = from_iso("2028-02-29T00:00:00Z")
    assert to_iso(period_end(leap, "yearly")) == "2029-03-01T00:00:00.000Z"
    december = from_iso("2026-12-31T10:00:00Z")
    assert to_iso(period_end(december, "monthly")) == "2027-01-31T10:00:00.000Z"


def test_a_lapsed_period_is_over_before_any_read_and_says_so_once(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    budget = put(daemon, "rolling", resetInterval="daily")
    spend(daemon, 700_000, customer="rolling")
    advance(daemon, 3 * DAY)
    after = get(daemon, budget["id"])
    assert after["spendMicrodollars"] == 0
    first, now = budget["currentPeriodStart"], after["currentPeriodStart"]
    assert now[:10] > first[:10]
    assert now[10:] == first[10:], "the anchor's time of day stays"
    spend(daemon, 5, customer="rolling")
    assert get(daemon, budget["id"])["spendMicrodollars"] == 5
    (reset,) = outbox(daemon, "budget.reset")
    assert reset[1] == {
        "budget_entity_type": "customer",
        "budget_entity_id": "rolling",
        "budget_limit_microdollars": 1_000_000,
        "previous_spend_microdollars": 700_000,
        "new_period_start": now,
        "reset_interval": "daily",
    }


def alerts(daemon: Daemon, entity: str) -> list[tuple[str, int | None]]:
    return [
        (kind, data.get("threshold_percent"))
        for kind, data in outbox(daemon, "budget.%")
        if data["budget_entity_id"] == entity and kind != "budget.reset"
    ]


def test_each_threshold_fires_once_when_it_is_passed(daemon: Daemon) -> None:
    put(daemon, "steps", maxBudgetMicrodollars=100)
    for cost in (49, 1, 10, 30, 5, 5, 40):
        spend(daemon, cost, customer="steps")
    assert alerts(daemon, "steps") == [
        ("budget.threshold.warning", 50),
        ("budget.threshold.warning", 80),
        ("budget.threshold.critical", 90),
        ("budget.threshold.critical", 95),
        ("budget.exceeded", None),
    ]


def test_one_event_passes_several_thresholds_in_order_with_all_their_fields(daemon: Daemon) -> None:
    put(daemon, "leap", maxBudgetMicrodollars=1_000, thresholdPercentages=[10, 89, 90, 100])
    spend(daemon, 2_500, customer="leap", idempotencyKey="leap-1")
    assert alerts(daemon, "leap") == [
        ("budget.threshold.warning", 10),
        ("budget.threshold.warning", 89),
        ("budget.threshold.critical", 90),
        ("budget.threshold.critical", 100),
    ]
    last = [data for kind, data in outbox(daemon, "budget.threshold.critical") if data["budget_entity_id"] == "leap"][
        -1
    ]
    assert last == {
        "budget_entity_type": "customer",
        "budget_entity_id": "leap",
        "threshold_percent": 100,
        "budget_spend_microdollars": 2_500,
        "budget_limit_microdollars": 1_000,
        "budget_remaining_microdollars": 0,
        "triggered_by_request_id": "leap-1",
    }


def test_reported_spend_over_the_limit_says_exceeded_with_the_triggering_request(daemon: Daemon) -> None:
    put(daemon, "exceeded", maxBudgetMicrodollars=10, thresholdPercentages=[])
    spend(daemon, 12, customer="exceeded", idempotencyKey="x-1")
    (event,) = [data for kind, data in outbox(daemon, "budget.exceeded") if data["budget_entity_id"] == "exceeded"]
    assert event.pop("blocked_at").endswith("Z")
    assert event == {
        "budget_entity_type": "customer",
        "budget_entity_id": "exceeded",
        "budget_limit_microdollars": 10,
        "budget_spend_microdollars": 12,
        "estimated_request_cost_microdollars": 12,
        "model": "m",
        "provider": "openai",
        "triggered_by_request_id": "x-1",
    }


def test_changes_leave_audit_rows(daemon: Daemon) -> None:
    budget = put(daemon, "audited")
    put(daemon, "audited", maxBudgetMicrodollars=2)
    daemon.call("POST", f"/api/budgets/{budget['id']}")
    daemon.call("DELETE", f"/api/budgets/{budget['id']}")
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        rows = connection.execute(
            "SELECT action, metadata FROM audit_log WHERE resource_id = ? ORDER BY id", (budget["id"],)
        ).fetchall()
    connection.close()
    assert [action for action, _ in rows] == ["budget.created", "budget.updated", "budget.reset", "budget.deleted"]
    assert json.loads(rows[1][1]) == {"entityType": "customer", "entityId": "audited", "maxBudgetMicrodollars": 2}
