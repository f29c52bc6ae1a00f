"""GET /api/policy: what a key may still do."""

from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon


def new_key(daemon: Daemon, **fields: Any) -> tuple[str, str]:
    made = daemon.call("POST", "/api/keys", {"name": "agent", **fields}).json
    return made["id"], made["rawKey"]


def set_budget(daemon: Daemon, entity_type: str, entity_id: str, limit: int, **fields: Any) -> None:
    body = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": limit, **fields}
    assert daemon.call("POST", "/api/budgets", body).status in (200, 201)


def policy(daemon: Daemon, key: str) -> dict[str, Any]:
    reply = daemon.call("GET", "/api/policy", auth=None, headers={"X-NullSpend-Key": key})
    assert reply.status == 200, reply.body
    return reply.json


def spend(daemon: Daemon, key: str, cost: int) -> None:
    event = {"provider": "openai", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": cost}
    headers = {"X-NullSpend-Key": key}
    assert daemon.call("POST", "/api/cost-events", event, auth=None, headers=headers).status == 201


def test_a_key_without_budgets_and_mandates_may_do_everything(daemon: Daemon) -> None:
    found = policy(daemon, new_key(daemon)[1])
    assert found["budget"] is None and found["session_limit_microdollars"] is None
    assert found["restrictions_active"] is False
    assert (found["allowed_models"], found["allowed_providers"]) == (None, None)
    assert sorted(found["cheapest_per_provider"]) == ["anthropic", "google", "openai"]
    assert found["cheapest_overall"]["provider"] in ("openai", "anthropic", "google")


def test_the_reply_is_never_stored_and_needs_a_key(daemon: Daemon) -> None:
    reply = daemon.call("GET", "/api/policy", auth="key")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert daemon.call("GET", "/api/policy", auth="session").status == 401


def test_the_tightest_strict_budget_of_key_and_default_tags_is_shown(daemon: Daemon) -> None:
    key_id, key = new_key(daemon, defaultTags={"team": "red"})
    set_budget(daemon, "api_key", key_id, 9_000_000, sessionLimitMicrodollars=700)
    set_budget(
        daemon, "tag", "team=red", 5_000_000, sessionLimitMicrodollars=900, finalizationReserveMicrodollars=1_000_000
    )
    spend(daemon, key, 1_500_000)
    found = policy(daemon, key)
    assert found["budget"] == {
        "remaining_microdollars": 3_500_000,
        "max_microdollars": 5_000_000,
        "spend_microdollars": 1_500_000,
        "period_end": None,
        "entity_type": "tag",
        "entity_id": "team=red",
        "finalization_reserve_microdollars": 1_000_000,
        "policy": "strict_block",
    }
    assert found["session_limit_microdollars"] == 700


@pytest.mark.parametrize("kind", ["soft_block", "warn"])
def test_a_budget_that_does_not_deny_is_left_out(daemon: Daemon, kind: str) -> None:
    key_id, key = new_key(daemon)
    set_budget(daemon, "api_key", key_id, 1, policy=kind, sessionLimitMicrodollars=5)
    found = policy(daemon, key)
    assert (found["budget"], found["session_limit_microdollars"]) == (None, None)


def test_other_keys_tags_and_customers_do_not_count(daemon: Daemon) -> None:
    other_id, _ = new_key(daemon)
    _, key = new_key(daemon, defaultTags={"customer": "acme-policy"})
    set_budget(daemon, "api_key", other_id, 1)
    set_budget(daemon, "tag", "team=elsewhere", 1)
    set_budget(daemon, "customer", "acme-policy", 1)
    assert policy(daemon, key)["budget"] is None


def test_a_budget_that_is_spent_has_nothing_left_and_not_less(daemon: Daemon) -> None:
    key_id, key = new_key(daemon)
    set_budget(daemon, "api_key", key_id, 100)
    spend(daemon, key, 250)
    assert policy(daemon, key)["budget"]["remaining_microdollars"] == 0


def test_a_period_that_is_over_counts_nothing_and_the_next_one_is_shown(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    key_id, key = new_key(daemon)
    set_budget(daemon, "api_key", key_id, 1000, resetInterval="daily")
    spend(daemon, key, 400)
    before = policy(daemon, key)["budget"]
    assert (before["spend_microdollars"], before["remaining_microdollars"]) == (400, 600)
    assert daemon.call("POST", "/_local/clock", {"advanceMs": 90_000_000}, auth="admin").status == 200
    after = policy(daemon, key)["budget"]
    assert (after["spend_microdollars"], after["remaining_microdollars"]) == (0, 1000)
    assert after["period_end"] > before["period_end"]


def test_mandates_choose_what_is_cheapest(daemon: Daemon) -> None:
    _, key = new_key(daemon, allowedModels=["gpt-4o", "gpt-4o-2024-08-06", "claude-haiku-4-5"])
    found = policy(daemon, key)
    assert found["restrictions_active"] is True
    cheapest = found["cheapest_per_provider"]
    assert cheapest["openai"] == {"model": "gpt-4o", "input_per_mtok": 2.5, "output_per_mtok": 10.0}
    assert cheapest["anthropic"] == {"model": "claude-haiku-4-5", "input_per_mtok": 1.0, "output_per_mtok": 5.0}
    assert found["cheapest_overall"] == {
        "model": "claude-haiku-4-5",
        "provider": "anthropic",
        "input_per_mtok": 1.0,
        "output_per_mtok": 5.0,
    }
    _, only = new_key(daemon, allowedProviders=["anthropic"])
    assert list(policy(daemon, only)["cheapest_per_provider"]) == ["anthropic"]
    _, nothing = new_key(daemon, allowedProviders=[], allowedModels=[])
    assert policy(daemon, nothing)["cheapest_per_provider"] is None
    assert policy(daemon, nothing)["cheapest_overall"] is None
