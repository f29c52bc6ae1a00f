"""Actions: core 6, over HTTP. What an agent asks for, a person decides and the world hears of it."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon, Reply

HOUR = 3_600_000
MAIL = {"agentId": "mailer", "actionType": "send_email", "payload": {"to": "a@example.org", "subject": "Hi"}}


def create(daemon: Daemon, **fields: Any) -> dict[str, Any]:
    reply = daemon.call("POST", "/api/actions", {**MAIL, **fields}, auth="key")
    assert reply.status == 201, reply.body
    return reply.json


def get(daemon: Daemon, action_id: str) -> dict[str, Any]:
    return daemon.call("GET", f"/api/actions/{action_id}").json["data"]


def decide(daemon: Daemon, action_id: str, verb: str, body: object = None, **options: Any) -> Reply:
    return daemon.call("POST", f"/api/actions/{action_id}/{verb}", body, **options)


def result(daemon: Daemon, action_id: str, status: str, **fields: Any) -> Reply:
    return daemon.call("POST", f"/api/actions/{action_id}/result", {"status": status, **fields}, auth="key")


def advance(daemon: Daemon, ms: int) -> None:
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def rows(daemon: Daemon, sql: str, *params: Any) -> list[Any]:
    connection = sqlite3.connect(daemon.data / "nullspend.db")
    try:
        return connection.execute(sql, params).fetchall()
    finally:
        connection.close()


def staged(daemon: Daemon, action_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The events about one action, in the order they were staged."""
    found = rows(
        daemon, "SELECT type, object FROM outbox WHERE json_extract(object, '$.action_id') = ? ORDER BY seq", action_id
    )
    return [(event_type, json.loads(data)) for event_type, data in found]


def audited(daemon: Daemon, action_id: str) -> list[tuple[str, str, str, Any]]:
    found = rows(
        daemon, "SELECT actor_id, action, resource_type, metadata FROM audit_log WHERE resource_id = ?", action_id
    )
    return [(actor, action, kind, json.loads(metadata)) for actor, action, kind, metadata in found]


def budget(daemon: Daemon, entity: str = "acme", limit: int = 5_000_000, **fields: Any) -> dict[str, Any]:
    body = {"entityType": "customer", "entityId": entity, "maxBudgetMicrodollars": limit, **fields}
    reply = daemon.call("POST", "/api/budgets", body)
    assert reply.status == 201, reply.body
    return reply.json["data"]


def limit_of(daemon: Daemon, budget_id: str) -> int:
    listed = daemon.call("GET", "/api/budgets").json["data"]
    return next(each["maxBudgetMicrodollars"] for each in listed if each["id"] == budget_id)


def increase(daemon: Daemon, entity: str = "acme", kind: str = "customer", **fields: Any) -> str:
    payload = {
        "entityType": kind,
        "entityId": entity,
        "requestedAmountMicrodollars": 2_000_000,
        "currentLimitMicrodollars": 0,
        "currentSpendMicrodollars": 0,
        "reason": "more pages than expected",
        **fields,
    }
    return str(create(daemon, actionType="budget_increase", payload=payload)["id"])


# -- creating and reading


def test_creating_answers_wrapped_and_at_top_level(daemon: Daemon) -> None:
    reply = create(daemon)
    assert reply["data"] == {"id": reply["id"], "status": "pending", "expiresAt": reply["expiresAt"]}
    assert reply["id"].startswith("ns_act_")


def test_an_action_has_the_documented_18_keys(daemon: Daemon) -> None:
    metadata = {"environment": "prod", "sourceFramework": "langchain", "ticket": 7}
    made = create(daemon, agentId="  mailer ", metadata=metadata)
    reply = daemon.call("GET", f"/api/actions/{made['id']}", auth="key").json
    record = reply.pop("data")
    assert reply == record
    assert {key: record[key] for key in record if key not in ("createdAt", "expiresAt")} == {
        "id": made["id"],
        "agentId": "mailer",
        "actionType": "send_email",
        "status": "pending",
        "payload": {"to": "a@example.org", "subject": "Hi"},
        "metadata": {"environment": "prod", "sourceFramework": "langchain", "ticket": 7},
        "approvedAt": None,
        "rejectedAt": None,
        "executedAt": None,
        "expiredAt": None,
        "approvedBy": None,
        "rejectedBy": None,
        "result": None,
        "errorMessage": None,
        "environment": "prod",
        "sourceFramework": "langchain",
    }


def test_blank_or_other_metadata_is_not_copied(daemon: Daemon) -> None:
    made = create(daemon, metadata={"environment": "  ", "sourceFramework": 5})
    record = get(daemon, made["id"])
    assert (record["environment"], record["sourceFramework"]) == (None, None)


def nested(levels: int) -> dict[str, Any]:
    """An object whose innermost value stands `levels` below the root."""
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"agentId": ""}, ["agentId"]),
        ({"agentId": "   "}, ["agentId"]),
        ({"agentId": "a" * 256}, ["agentId"]),
        ({"actionType": "launch"}, ["actionType"]),
        ({"payload": None}, ["payload"]),
        ({"payload": []}, ["payload"]),
        ({"payload": {"a": "x" * 63_993}}, ["payload"]),
        ({"payload": nested(21)}, ["payload"]),
        ({"metadata": None}, ["metadata"]),
        ({"metadata": {"a": "x" * 15_993}}, ["metadata"]),
        ({"metadata": nested(21)}, ["metadata"]),
        ({"expiresInSeconds": -1}, ["expiresInSeconds"]),
        ({"expiresInSeconds": 2_592_001}, ["expiresInSeconds"]),
        ({"expiresInSeconds": "60"}, ["expiresInSeconds"]),
        ({"idempotencyKey": "k" * 201}, ["idempotencyKey"]),
    ],
)
def test_a_field_outside_its_bounds_is_named(daemon: Daemon, fields: dict[str, Any], path: list[str]) -> None:
    reply = daemon.call("POST", "/api/actions", {**MAIL, **fields}, auth="key")
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


@pytest.mark.parametrize(
    "fields",
    [
        {"agentId": "a" * 255},
        {"payload": {"a": "x" * 63_992}},
        {"payload": nested(20)},
        {"metadata": {"a": "x" * 15_992}},
        {"payload": {"big": 10**300, "small": 1e-300, "text": "\u202e\x1b[31m"}},
    ],
)
def test_a_field_at_its_bounds_is_kept_as_it_came(daemon: Daemon, fields: dict[str, Any]) -> None:
    record = get(daemon, create(daemon, **fields)["id"])
    assert {name: record[name] for name in fields} == fields


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1" + b"0" * 4500])
def test_a_number_no_reader_could_give_back_is_refused(daemon: Daemon, number: bytes) -> None:
    body = b'{"agentId":"a","actionType":"http_post","payload":{"n":[' + number + b"]}}"
    reply = daemon.call("POST", "/api/actions", body, auth="key")
    assert reply.status == 400


def test_the_list_filters_by_status_and_pages(start: StartDaemon) -> None:
    daemon = start()
    made = [create(daemon)["id"] for _ in range(5)]
    assert decide(daemon, made[0], "approve").status == 200
    assert decide(daemon, made[1], "reject").status == 200

    def ids(query: str) -> list[str]:
        return [each["id"] for each in daemon.call("GET", f"/api/actions{query}").json["data"]]

    assert ids("") == made[::-1]
    assert ids("?status=approved") == [made[0]]
    assert ids("?statuses=approved,rejected&status=pending") == [made[1], made[0]]
    first = daemon.call("GET", "/api/actions?limit=2&status=pending").json
    assert [each["id"] for each in first["data"]] == [made[4], made[3]]
    cursor = json.dumps(first["cursor"]).replace(" ", "+")
    assert ids(f"?limit=2&status=pending&cursor={cursor}") == [made[2]]
    for query in ("?status=open", "?statuses=", "?statuses=pending,,approved", "?limit=0", "?cursor=x"):
        assert daemon.call("GET", f"/api/actions{query}").status == 400, query


# -- deciding


def test_after_an_approve_exactly_the_expected_happened(daemon: Daemon) -> None:
    owner = daemon.state["owner"]["userId"]
    made = create(daemon)
    reply = decide(daemon, made["id"], "approve")
    approved_at = reply.json["approvedAt"]
    assert reply.status == 200
    assert reply.json["data"] == {"id": made["id"], "status": "approved", "approvedAt": approved_at}
    record = get(daemon, made["id"])
    assert (record["status"], record["approvedBy"], record["approvedAt"]) == ("approved", owner, approved_at)
    common = {"action_id": made["id"], "action_type": "send_email", "agent_id": "mailer"}
    assert staged(daemon, made["id"]) == [
        (
            "action.created",
            {
                **common,
                "status": "pending",
                "payload": {"to": "a@example.org", "subject": "Hi"},
                "created_at": record["createdAt"],
                "expires_at": record["expiresAt"],
            },
        ),
        ("action.approved", {**common, "status": "approved", "approved_by": owner, "approved_at": approved_at}),
    ]
    assert audited(daemon, made["id"]) == [(owner, "action.approved", "action", {"actionType": "send_email"})]


def test_after_a_reject_exactly_the_expected_happened(daemon: Daemon) -> None:
    owner = daemon.state["owner"]["userId"]
    made = create(daemon)
    reply = decide(daemon, made["id"], "reject", b"ignored")
    rejected_at = reply.json["rejectedAt"]
    assert reply.json["data"] == {"id": made["id"], "status": "rejected", "rejectedAt": rejected_at}
    assert [event_type for event_type, _ in staged(daemon, made["id"])] == ["action.created", "action.rejected"]
    assert staged(daemon, made["id"])[1][1] == {
        "action_id": made["id"],
        "action_type": "send_email",
        "agent_id": "mailer",
        "status": "rejected",
        "rejected_by": owner,
        "rejected_at": rejected_at,
        "reason": None,
    }
    assert audited(daemon, made["id"]) == [(owner, "action.rejected", "action", {"actionType": "send_email"})]


def test_a_decided_action_stays_decided(daemon: Daemon) -> None:
    made = create(daemon)["id"]
    assert decide(daemon, made, "reject").status == 200
    for verb in ("approve", "reject"):
        reply = decide(daemon, made, verb)
        assert (reply.status, reply.json["error"]["code"]) == (409, "invalid_action_transition")
    assert reply.json["error"]["message"] == "Cannot transition action from rejected to rejected."
    assert len(staged(daemon, made)) == 2


def test_of_many_who_decide_at_once_one_wins(daemon: Daemon) -> None:
    """The others are told that it changed under their hands, or that it is decided; nothing happens twice."""
    seen: set[str] = set()
    for _ in range(6):
        made = create(daemon)["id"]
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda verb: decide(daemon, made, verb), ["approve", "reject"] * 4))
        winners = [reply for reply in replies if reply.status == 200]
        losers = [reply for reply in replies if reply.status != 200]
        assert (len(winners), {reply.status for reply in losers}) == (1, {409})
        seen |= {reply.json["error"]["code"] for reply in losers}
        assert [event_type for event_type, _ in staged(daemon, made)] == [
            "action.created",
            f"action.{winners[0].json['status']}",
        ]
        assert len(audited(daemon, made)) == 1
    assert seen <= {"stale_action", "invalid_action_transition"}


def test_the_body_of_an_approval_is_read_only_when_it_is_json(daemon: Daemon) -> None:
    made = create(daemon)["id"]
    for body in (b"", b"null", b"[]", b'{"approvedAmountMicrodollars": 0}', b'{"approvedAmountMicrodollars": null}'):
        reply = decide(daemon, made, "approve", body)
        assert (body, reply.status) == (body, 400)
    assert decide(daemon, made, "approve", b"what", headers={"Content-Type": "text/plain"}).status == 200
    other = create(daemon)["id"]
    reply = decide(daemon, other, "approve", {"approvedAmountMicrodollars": 5})
    assert (reply.status, "budgetIncrease" in reply.json) == (200, False)


# -- expiry


def test_an_action_expires_after_an_hour_unless_told_otherwise(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    default, short, never, zero = (
        create(daemon, **fields)["id"]
        for fields in ({}, {"expiresInSeconds": 60}, {"expiresInSeconds": None}, {"expiresInSeconds": 0})
    )
    assert [get(daemon, each)["expiresAt"] for each in (never, zero)] == [None, None]

    def statuses() -> list[str]:
        return [get(daemon, each)["status"] for each in (default, short, never, zero)]

    advance(daemon, 61_000)
    assert statuses() == ["pending", "expired", "pending", "pending"]
    advance(daemon, HOUR)
    assert statuses() == ["expired", "expired", "pending", "pending"]
    advance(daemon, 29 * 24 * HOUR)
    assert statuses() == ["expired", "expired", "pending", "pending"]


def test_expiry_is_scheduled_and_heard_of_once(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    made = create(daemon)["id"]
    advance(daemon, HOUR + 1)
    events = staged(daemon, made)  # nobody has looked at the action since
    assert [event_type for event_type, _ in events] == ["action.created", "action.expired"]
    record = get(daemon, made)
    assert events[1][1] == {
        "action_id": made,
        "action_type": "send_email",
        "agent_id": "mailer",
        "status": "expired",
        "expired_at": record["expiredAt"],
    }
    for verb in ("approve", "reject"):
        reply = decide(daemon, made, verb)
        assert (reply.status, reply.json["error"]["code"]) == (409, "action_expired")
    daemon.call("GET", "/api/actions")
    daemon.call("GET", f"/api/actions/{made}/costs")
    assert len(staged(daemon, made)) == 2
    assert audited(daemon, made) == []


@pytest.mark.parametrize("look", ["approve", "reject", "get", "costs", "list"])
def test_a_lapsed_action_expires_when_somebody_looks(daemon: Daemon, look: str) -> None:
    made = create(daemon)["id"]
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:  # as if an hour had passed, unnoticed
        connection.execute("UPDATE actions SET expires_at = 1 WHERE id = ?", (made,))
    connection.close()
    if look in ("approve", "reject"):
        reply = decide(daemon, made, look)
        assert (reply.status, reply.json["error"]["code"]) == (409, "action_expired")
    else:
        path = {"get": f"/{made}", "costs": f"/{made}/costs", "list": ""}[look]
        assert daemon.call("GET", f"/api/actions{path}").status == 200
    assert rows(daemon, "SELECT status FROM actions WHERE id = ?", made) == [("expired",)]
    assert [event_type for event_type, _ in staged(daemon, made)] == ["action.created", "action.expired"]


# -- budget increases


def test_an_approved_increase_raises_the_limit_and_is_heard_of(daemon: Daemon) -> None:
    owner = daemon.state["owner"]["userId"]
    stored = budget(daemon, "raised")
    made = increase(daemon, "raised")
    reply = decide(daemon, made, "approve")
    assert reply.json["data"]["budgetIncrease"] == {
        "previousLimit": 5_000_000,
        "newLimit": 7_000_000,
        "amount": 2_000_000,
        "requestedAmount": 2_000_000,
    }
    assert limit_of(daemon, stored["id"]) == 7_000_000
    assert [event_type for event_type, _ in staged(daemon, made)] == [
        "action.created",
        "action.approved",
        "budget.increased",
    ]
    assert staged(daemon, made)[2][1] == {
        "budget_entity_type": "customer",
        "budget_entity_id": "raised",
        "previous_limit_microdollars": 5_000_000,
        "new_limit_microdollars": 7_000_000,
        "increased_by_microdollars": 2_000_000,
        "approved_by": owner,
        "action_id": made,
    }
    metadata = {"entityType": "customer", "entityId": "raised", "amountMicrodollars": 2_000_000}
    assert audited(daemon, made) == [(owner, "budget_increase.approved", "action", metadata)]
    assert [row for row in audited(daemon, stored["id"]) if row[1] != "budget.created"] == []


def test_a_part_of_an_increase_can_be_approved_and_spend_stays(daemon: Daemon) -> None:
    stored = budget(daemon, "partly")
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1}
    spent = {**event, "costMicrodollars": 4_000_000, "customer": "partly"}
    assert daemon.call("POST", "/api/cost-events", spent, auth="key").status == 201
    made = increase(daemon, "partly")
    reply = decide(daemon, made, "approve", {"approvedAmountMicrodollars": 500_000})
    assert reply.json["budgetIncrease"] == {
        "previousLimit": 5_000_000,
        "newLimit": 5_500_000,
        "amount": 500_000,
        "requestedAmount": 2_000_000,
    }
    (after,) = [each for each in daemon.call("GET", "/api/budgets").json["data"] if each["id"] == stored["id"]]
    assert (after["maxBudgetMicrodollars"], after["spendMicrodollars"]) == (5_500_000, 4_000_000)


def test_a_rejected_increase_changes_no_limit(daemon: Daemon) -> None:
    owner = daemon.state["owner"]["userId"]
    stored = budget(daemon, "refused")
    made = increase(daemon, "refused")
    assert decide(daemon, made, "reject").status == 200
    assert limit_of(daemon, stored["id"]) == 5_000_000
    assert [event_type for event_type, _ in staged(daemon, made)] == ["action.created", "action.rejected"]
    metadata = {"entityType": "customer", "entityId": "refused", "amountMicrodollars": 2_000_000}
    assert audited(daemon, made) == [(owner, "budget_increase.rejected", "action", metadata)]


@pytest.mark.parametrize("kind", ["user", "api_key", "tag", "customer"])
@pytest.mark.parametrize("bare", [False, True])
def test_every_kind_of_budget_can_be_raised_by_either_form_of_its_id(daemon: Daemon, kind: str, bare: bool) -> None:
    caller = daemon.call("GET", "/api/auth/introspect", auth="key").json
    entity = {"user": caller["userId"], "api_key": caller["keyId"], "tag": "team=x", "customer": "either"}[kind]
    stored = budget(daemon, entity, entityType=kind)
    made = increase(daemon, entity[-36:].upper() if bare and kind in ("user", "api_key") else entity, kind)
    assert decide(daemon, made, "approve").json["budgetIncrease"]["newLimit"] == 7_000_000
    assert limit_of(daemon, stored["id"]) == 7_000_000


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"entityId": "unknown"}, 404, "budget_entity_not_found"),
        ({"entityType": "org"}, 404, "budget_entity_not_found"),
        ({"requestedAmountMicrodollars": 0}, 400, "validation_error"),
        ({"requestedAmountMicrodollars": "5"}, 400, "validation_error"),
        ({"reason": ""}, 400, "validation_error"),
        ({"currentLimitMicrodollars": -1}, 400, "validation_error"),
        ({"requestedAmountMicrodollars": 9_007_199_254_740_991}, 400, "validation_error"),
    ],
)
def test_an_increase_that_cannot_be_made_leaves_everything_as_it_was(
    daemon: Daemon, fields: dict[str, Any], status: int, code: str
) -> None:
    stored = budget(daemon, "unmoved")
    made = increase(daemon, **{"entity": "unmoved", **fields})
    reply = decide(daemon, made, "approve")
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    assert (get(daemon, made)["status"], limit_of(daemon, stored["id"])) == ("pending", 5_000_000)
    assert (len(staged(daemon, made)), audited(daemon, made)) == (1, [])


def test_the_payload_is_checked_at_the_approval_with_every_issue(daemon: Daemon) -> None:
    made = create(daemon, actionType="budget_increase", payload={"entityType": "user"})["id"]
    issues = decide(daemon, made, "approve").json["error"]["details"]["issues"]
    assert [issue["path"] for issue in issues] == [
        ["payload", "entityId"],
        ["payload", "requestedAmountMicrodollars"],
        ["payload", "currentLimitMicrodollars"],
        ["payload", "currentSpendMicrodollars"],
        ["payload", "reason"],
    ]
    assert decide(daemon, made, "reject").status == 200
    ((_, _, _, metadata),) = audited(daemon, made)
    assert metadata == {"entityType": "user", "entityId": None, "amountMicrodollars": None}


def test_the_plans_cap_counts_what_the_limit_would_become(start: StartDaemon) -> None:
    daemon = start("--hosted")
    stored = budget(daemon, "capped", 4_999_000_000)
    made = increase(daemon, "capped")
    reply = decide(daemon, made, "approve")
    assert (reply.status, reply.json["error"]["code"]) == (400, "spend_cap_exceeded")
    assert get(daemon, made)["status"] == "pending"
    exact = decide(daemon, made, "approve", {"approvedAmountMicrodollars": 1_000_000})
    assert exact.json["budgetIncrease"]["newLimit"] == 5_000_000_000
    assert limit_of(daemon, stored["id"]) == 5_000_000_000


def test_increases_approved_at_once_add_up(daemon: Daemon) -> None:
    stored = budget(daemon, "added")
    made = [increase(daemon, "added") for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda each: decide(daemon, each, "approve"), made))
    assert {reply.status for reply in replies} == {200}
    assert limit_of(daemon, stored["id"]) == 25_000_000


# -- results and costs


def test_an_approved_action_is_carried_out_step_by_step(daemon: Daemon) -> None:
    made = create(daemon)["id"]
    early = result(daemon, made, "executing")
    assert (early.status, early.json["error"]["code"]) == (409, "invalid_action_transition")
    decide(daemon, made, "approve")
    assert result(daemon, made, "failed", errorMessage="x").status == 409, "only what is executing can fail"
    started = result(daemon, made, "executing").json
    assert started["data"] == {"id": made, "status": "executing", "executedAt": None}
    ended = result(daemon, made, "executed", result={"sent": True}).json
    assert (ended["status"], ended["executedAt"] is not None) == ("executed", True)
    record = get(daemon, made)
    assert (record["result"], record["executedAt"]) == ({"sent": True}, ended["executedAt"])
    assert result(daemon, made, "executing").status == 409
    assert [event_type for event_type, _ in staged(daemon, made)] == ["action.created", "action.approved"]


def test_a_failure_says_why_and_may_carry_a_result(daemon: Daemon) -> None:
    made = create(daemon)["id"]
    decide(daemon, made, "approve")
    result(daemon, made, "executing")
    assert result(daemon, made, "failed", errorMessage="  no route  ", result={"tries": 3}).status == 200
    record = get(daemon, made)
    assert (record["errorMessage"], record["result"]) == ("no route", {"tries": 3})
    assert record["executedAt"] is not None


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"status": "approved"}, [["status"]]),
        ({"status": "executing", "result": {}}, [["result"]]),
        ({"status": "executing", "errorMessage": "x"}, [["errorMessage"]]),
        ({"status": "executing", "result": {}, "errorMessage": "x"}, [["result"], ["errorMessage"]]),
        ({"status": "executed", "errorMessage": "x"}, [["errorMessage"]]),
        ({"status": "failed"}, [[]]),
        ({"status": "failed", "errorMessage": "  "}, [["errorMessage"]]),
        ({"status": "failed", "errorMessage": "x" * 4001}, [["errorMessage"]]),
        ({"status": "executed", "result": nested(21)}, [["result"]]),
    ],
)
def test_a_result_that_does_not_fit_its_status_is_refused(
    daemon: Daemon, body: dict[str, Any], paths: list[list[str]]
) -> None:
    reply = daemon.call("POST", f"/api/actions/{create(daemon)['id']}/result", body, auth="key")
    assert reply.status == 400
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == paths


def test_costs_are_the_events_that_name_the_action(daemon: Daemon) -> None:
    made = create(daemon)["id"]
    assert daemon.call("GET", f"/api/actions/{made}/costs", auth="key").json == {"data": []}
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 7}
    stored = daemon.call("POST", "/api/cost-events", {**event, "actionId": made}, auth="key").json["data"]["id"]
    assert daemon.call("GET", f"/api/actions/{made}/costs").json == {"data": []}, "reported events carry no action"
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        connection.execute("UPDATE cost_events SET action_id = ? WHERE id = ?", (made, stored))
    connection.close()
    (found,) = daemon.call("GET", f"/api/actions/{made}/costs").json["data"]
    assert (found["id"], found["costMicrodollars"], len(found)) == (stored, 7, 24)


@pytest.mark.parametrize("header", ["X-NullSpend-Action-Id", "x-nullspend-actionid"])
def test_a_proxied_call_that_names_the_action_counts_as_its_cost(daemon: Daemon, header: str) -> None:
    made, other = create(daemon)["id"], create(daemon)["id"]
    body = {"model": "fake/model", "messages": [{"role": "user", "content": "hi"}], "fake": {"outputTokens": 100}}
    call = daemon.call("POST", "/v1/chat/completions", body, auth="key", headers={header: made})
    assert call.status == 200, call.body
    (found,) = daemon.call("GET", f"/api/actions/{made}/costs", auth="key").json["data"]
    assert (found["source"], found["outputTokens"], found["costMicrodollars"] > 0) == ("proxy", 100, True)
    assert daemon.call("GET", f"/api/actions/{other}/costs").json == {"data": []}


def test_ids_are_whole_or_refused(daemon: Daemon) -> None:
    missing = "019a0000-0000-7000-8000-000000000000"
    for path in ("", "/costs"):
        assert daemon.call("GET", f"/api/actions/{missing}{path}").status == 400
        assert daemon.call("GET", f"/api/actions/ns_act_{missing}{path}").status == 404
    assert decide(daemon, f"ns_act_{missing}", "approve").json["error"]["code"] == "not_found"


# -- repeats


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_repeat_with_the_same_key_has_one_effect(daemon: Daemon, where: str) -> None:
    def send(path: str, body: dict[str, Any], key: str) -> Reply:
        if where == "header":
            return daemon.call("POST", path, body, auth="key", headers={"Idempotency-Key": key})
        return daemon.call("POST", path, {**body, "idempotencyKey": key}, auth="key")

    first = send("/api/actions", MAIL, f"{where}-1")
    again = send("/api/actions", {**MAIL, "agentId": "other"}, f"{where}-1")
    assert (first.status, again.status) == (201, 200)
    assert (again.headers["x-idempotent-replayed"], again.body) == ("true", first.body)
    made = first.json["id"]
    assert len(staged(daemon, made)) == 1
    decide(daemon, made, "approve")
    path = f"/api/actions/{made}/result"
    assert send(path, {"status": "executing"}, f"{where}-2").status == 200
    assert send(path, {"status": "executing"}, f"{where}-2").headers["x-idempotent-replayed"] == "true"
    assert send(path, {"status": "executing"}, f"{where}-3").status == 409


def test_the_header_wins_over_the_body(daemon: Daemon) -> None:
    body = {**MAIL, "idempotencyKey": "in-body"}
    first = daemon.call("POST", "/api/actions", body, auth="key", headers={"Idempotency-Key": "in-header"})
    second = daemon.call("POST", "/api/actions", body, auth="key")
    assert first.json["id"] != second.json["id"]
