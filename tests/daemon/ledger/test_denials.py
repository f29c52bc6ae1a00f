"""Every denial of the engine as its caller sees it, and what the world hears; typed from the contract's section 12."""

from typing import Any

from nullspend_daemon.ledger.rules import Standing
from tests.daemon.ledger.ground import Ground

OWNER_ACTS = {"retryable": False, "owner_action_required": True, "retry_after_seconds": None, "docs": None}
AT = "2026-01-01T00:00:00.000Z"


def blocked(ground: Ground, reason: str, details: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    keys = {"model": "gpt-4o", "provider": "openai", "api_key_id": ground.key}
    return ("request.blocked", {"reason": reason, **keys, "details": details})


def test_a_key_or_user_budget(ground: Ground) -> None:
    ground.budget("api_key", maximum=1000)
    ground.settle(ground.hold(300), 300)
    ground.hold(600)
    denied = ground.denied(101)
    details = {
        "entity_type": "api_key",
        "entity_id": ground.key,
        "budget_limit_microdollars": 1000,
        "budget_spend_microdollars": 900,
        "estimated_cost_microdollars": 101,
        "remaining_microdollars": 100,
    }
    assert (denied.code, denied.details, denied.recovery) == ("budget_exceeded", details, OWNER_ACTS)
    assert (denied.retry_after_seconds, denied.upgrade_url) == (None, None)
    assert denied.standing == Standing("api_key", ground.key, 1000, 900, 100)
    assert denied.message == (
        f"The budget of api_key {ground.key} has $0.000100 left of $0.001000; the call may cost $0.000101."
    )
    assert ground.told("budget.exceeded", "request.blocked") == [
        (
            "budget.exceeded",
            {
                "budget_entity_type": "api_key",
                "budget_entity_id": ground.key,
                "budget_limit_microdollars": 1000,
                "budget_spend_microdollars": 900,
                "estimated_request_cost_microdollars": 101,
                "model": "gpt-4o",
                "provider": "openai",
                "blocked_at": AT,
            },
        ),
        blocked(ground, "budget", details),
    ]


def test_a_budget_with_a_reserve_names_it(ground: Ground) -> None:
    ground.budget("user", maximum=1000, finalizationReserveMicrodollars=400)
    ground.hold(500)
    for finalize, estimate in ((False, 101), (True, 501)):
        assert ground.denied(estimate, finalize=finalize).details == {
            "entity_type": "user",
            "entity_id": ground.user,
            "budget_limit_microdollars": 1000,
            "budget_spend_microdollars": 500,
            "estimated_cost_microdollars": estimate,
            "remaining_microdollars": 100,
            "finalization_reserve_microdollars": 400,
            "finalization_remaining_microdollars": 500,
        }


def test_a_customer_budget(ground: Ground) -> None:
    ground.budget("customer", "acme", 1000)
    denied = ground.denied(1001, customer="acme")
    details = {
        "customer_id": "acme",
        "budget_limit_microdollars": 1000,
        "budget_spend_microdollars": 0,
        "remaining_microdollars": 1000,
    }
    assert (denied.code, denied.details, denied.recovery) == ("customer_budget_exceeded", details, OWNER_ACTS)
    assert ground.told() == [
        (
            "customer_budget.exceeded",
            {
                "budget_entity_type": "customer",
                "budget_entity_id": "acme",
                "customer_id": "acme",
                "budget_limit_microdollars": 1000,
                "budget_spend_microdollars": 0,
                "estimated_request_cost_microdollars": 1001,
                "model": "gpt-4o",
                "provider": "openai",
                "blocked_at": AT,
            },
        ),
        blocked(ground, "budget", details),
    ]


def test_a_tag_budget(ground: Ground) -> None:
    ground.budget("tag", "team=a=b", 1000, finalizationReserveMicrodollars=1)
    denied = ground.denied(1001, tags={"team": "a=b"})
    details = {
        "tag_key": "team",
        "tag_value": "a=b",
        "budget_limit_microdollars": 1000,
        "budget_spend_microdollars": 0,
        "remaining_microdollars": 999,
        "finalization_reserve_microdollars": 1,
        "finalization_remaining_microdollars": 1000,
    }
    assert (denied.code, denied.details, denied.recovery) == ("tag_budget_exceeded", details, OWNER_ACTS)
    assert denied.upgrade_url is None
    assert ground.told()[0] == (
        "tag_budget.exceeded",
        {
            "budget_entity_type": "tag",
            "budget_entity_id": "team=a=b",
            "tag_key": "team",
            "tag_value": "a=b",
            "budget_limit_microdollars": 1000,
            "budget_spend_microdollars": 0,
            "estimated_request_cost_microdollars": 1001,
            "model": "gpt-4o",
            "provider": "openai",
            "blocked_at": AT,
        },
    )


def test_a_session(ground: Ground) -> None:
    ground.budget("user", policy="warn", sessionLimitMicrodollars=1000)
    ground.settle(ground.hold(600, session_id="s1"), 600, session_id="s1")
    denied = ground.denied(401, session_id="s1")
    details = {"session_id": "s1", "session_spend_microdollars": 600, "session_limit_microdollars": 1000}
    neither = {"retryable": False, "owner_action_required": False, "retry_after_seconds": None, "docs": None}
    assert (denied.code, denied.details, denied.recovery) == ("session_limit_exceeded", details, neither)
    assert ground.told("session.limit_exceeded", "request.blocked") == [
        (
            "session.limit_exceeded",
            {
                "budget_entity_type": "user",
                "budget_entity_id": ground.user,
                "session_id": "s1",
                "session_spend_microdollars": 600,
                "session_limit_microdollars": 1000,
                "model": "gpt-4o",
                "provider": "openai",
                "blocked_at": AT,
            },
        ),
        blocked(ground, "budget", details),
    ]


def test_velocity(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=1000, velocityCooldownSeconds=45)
    ground.hold(600)
    details = {"limitMicrodollars": 1000, "windowSeconds": 60, "currentMicrodollars": 600}
    waits = {"retryable": True, "owner_action_required": False, "retry_after_seconds": 45, "docs": None}
    for _ in range(2):
        denied = ground.denied(401)
        assert (denied.code, denied.details, denied.recovery) == ("velocity_exceeded", details, waits)
        assert denied.retry_after_seconds == 45
    assert [event_type for event_type, _ in ground.told()] == ["velocity.exceeded", *2 * ["request.blocked"]]
    assert ground.told("request.blocked") == 2 * [blocked(ground, "rate_limit", details)]


def test_the_pages_where_more_can_be_bought(ground: Ground) -> None:
    for entity in (("customer", "a c"), ("user", None), ("tag", "team=a")):
        ground.budget(*entity, 10)
    denied = [{"customer": "a c"}, {}, {"tags": {"team": "a"}}]
    urls = lambda: [ground.denied(11, **more).upgrade_url for more in denied]  # noqa: E731
    assert urls() == [None, None, None]
    page = "https://acme.example/buy?who={customer_id}"
    ground.database.write(lambda tx: tx.execute("UPDATE orgs SET upgrade_url = ?", (page,)))
    # The customer budget stands before the user's; the tag call is denied by the tag, which has no page.
    assert urls() == ["https://acme.example/buy?who=a%20c", page, None]
    own = (ground.org, "a c", "https://own.example/{customer_id}/{customer_id}")
    ground.database.write(lambda tx: tx.execute("INSERT INTO customer_settings VALUES (?, ?, ?)", own))
    assert urls() == ["https://own.example/a%20c/a%20c", page, None]


def test_a_user_budget_shows_the_organizations_page_also_to_a_customer(ground: Ground) -> None:
    ground.budget("user", maximum=10)
    page = "https://acme.example/{customer_id}"
    ground.database.write(lambda tx: tx.execute("UPDATE orgs SET upgrade_url = ?", (page,)))
    own = (ground.org, "acme", "https://own.example")
    ground.database.write(lambda tx: tx.execute("INSERT INTO customer_settings VALUES (?, ?, ?)", own))
    assert ground.denied(11, customer="acme").upgrade_url == "https://acme.example/acme"


def test_session_limits_come_before_velocity_and_velocity_before_budgets(ground: Ground) -> None:
    ground.budget("api_key", maximum=10)
    assert ground.denied(11, session_id="s").code == "budget_exceeded"
    ground.budget("tag", "team=a", 10, velocityLimitMicrodollars=10)
    assert ground.denied(11, session_id="s", tags={"team": "a"}).code == "velocity_exceeded"
    ground.budget("user", maximum=10, sessionLimitMicrodollars=10)
    assert ground.denied(11, session_id="s", tags={"team": "a"}).code == "session_limit_exceeded"


def test_of_several_that_fail_the_first_in_type_and_id_order_denies(ground: Ground) -> None:
    for entity in (("user", None), ("tag", "a=b"), ("tag", "a=a"), ("customer", "c"), ("api_key", None)):
        ground.budget(*entity, 10)
    more = {"tags": {"a": "a"}, "customer": "c"}
    assert ground.denied(11, **more).details["entity_type"] == "api_key"
    ground.budget("api_key", maximum=99)
    assert ground.denied(11, **more).code == "customer_budget_exceeded"
    ground.budget("customer", "c", 99)
    assert ground.denied(11, **more).details["tag_value"] == "a"
    ground.budget("tag", "a=a", 99)
    assert ground.denied(11, **more).details["entity_type"] == "user"


def test_the_standing_is_that_of_the_tightest_budget_with_the_call_in_it(ground: Ground) -> None:
    ground.budget("user", maximum=100)
    ground.budget("api_key", maximum=90)
    ground.budget("tag", "team=a", 90)
    ground.settle(ground.hold(10), 10)
    ground.hold(20)
    answer = ground.try_hold(30, tags={"team": "a"})
    # 100 - 10 - 20 - 30 of the user; the key has 30 left, the tag 60
    assert answer.standing == Standing("api_key", ground.key, 90, 60, 30)
    assert ground.denied(31).standing == Standing("api_key", ground.key, 90, 60, 30)


def test_of_equally_tight_budgets_the_first_stands_and_nothing_is_below_zero(ground: Ground) -> None:
    ground.budget("user", maximum=100, policy="warn")
    ground.budget("tag", "team=a", 100, policy="warn")
    answer = ground.try_hold(130, tags={"team": "a"})
    assert answer.standing == Standing("tag", "team=a", 100, 130, 0)
