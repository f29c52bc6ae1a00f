"""A background reply is charged its hold at once, and corrected once by its final usage."""

import json

import pytest

from nullspend_daemon.ledger.check import find_differences
from nullspend_daemon.ledger.corrections import Final, correct
from nullspend_daemon.ledger.retention import drop_old_events
from tests.daemon.ledger.ground import Ground

ESTIMATED = {"_ns_estimated": "true", "_ns_no_usage": "true", "team": "a"}


def final(cost: int) -> Final:
    return Final(
        model="gpt-4o-2024-08-06",
        input_tokens=100,
        output_tokens=20,
        cached_input_tokens=7,
        reasoning_tokens=3,
        cost_microdollars=cost,
        cost_breakdown={"input": cost, "output": 0, "cached": 0},
        stop_reason="completed",
        tags={},
    )


def charge(ground: Ground, reply_id: str = "resp_1", amount: int = 60) -> None:
    held = ground.hold(amount, session_id="s", tags={"team": "a"})
    ground.settle(held, amount, session_id="s", tags=dict(ESTIMATED), awaits=reply_id)


def fix(ground: Ground, cost: int, reply_id: str = "resp_1") -> bool:
    return ground.database.write(lambda tx: correct(tx, ground.org, reply_id, final(cost)))


@pytest.mark.parametrize("cost", [0, 25, 60, 90])
def test_event_budgets_session_and_rollups_follow_by_the_difference_once(ground: Ground, cost: int) -> None:
    user, tag = ground.budget("user", maximum=1000), ground.budget("tag", "team=a", 1000)
    charge(ground)
    assert fix(ground, cost)
    assert not fix(ground, 999)
    assert (ground.spend(user), ground.spend(tag)) == (cost, cost)
    assert ground.rows("SELECT spend_microdollars FROM budget_sessions WHERE budget_id = ?", user)[0][0] == cost
    event = ground.rows("SELECT * FROM cost_events")[0]
    assert (event["cost_microdollars"], event["model"], event["stop_reason"]) == (
        cost,
        "gpt-4o-2024-08-06",
        "completed",
    )
    assert (event["input_tokens"], event["output_tokens"], event["reasoning_tokens"]) == (100, 20, 3)
    assert json.loads(event["tags"]) == {"team": "a"}
    assert [tuple(row) for row in ground.rows("SELECT tag_key, tag_value FROM cost_event_tags")] == [("team", "a")]
    assert ground.rows("SELECT sum(estimated), sum(cost_microdollars) FROM cost_days")[0][:] == (0, cost)
    assert len(ground.told("cost_event.created")) == 1
    assert ground.database.read(find_differences) == []


def test_a_correction_upwards_crosses_thresholds_like_any_charge(ground: Ground) -> None:
    ground.budget("user", maximum=100, thresholdPercentages=[50, 80])
    charge(ground)
    fix(ground, 85)
    crossed = [data["threshold_percent"] for _, data in ground.told("budget.threshold.warning")]
    assert crossed == [50, 80]


def test_a_budget_that_was_reset_or_rolled_since_is_left_alone(ground: Ground) -> None:
    reset = ground.budget("user", maximum=1000)
    rolled = ground.budget("api_key", maximum=1000, resetInterval="daily")
    running = ground.budget("tag", "team=a", 1000)
    charge(ground)
    ground.reset(reset)
    ground.clock.advance(86_400_000)
    ground.settle(ground.hold(5), 5)
    fix(ground, 40)
    assert [ground.spend(budget) for budget in (reset, rolled, running)] == [5, 5, 40]
    assert ground.database.read(find_differences) == []


def test_a_period_that_lapsed_unnoticed_is_left_alone_too(ground: Ground) -> None:
    user = ground.budget("user", maximum=1000, resetInterval="daily")
    charge(ground)
    ground.clock.advance(86_400_000)
    fix(ground, 90)
    assert ground.spend(user) == 0


def test_a_reply_nobody_waits_for_changes_nothing(ground: Ground) -> None:
    user = ground.budget("user")
    charge(ground, "resp_1")
    assert not fix(ground, 1, "resp_2")
    assert not ground.database.write(lambda tx: correct(tx, "ns_org_other", "resp_1", final(1)))
    ground.clock.advance(1000)
    ground.database.write(lambda tx: drop_old_events(tx, 0))
    assert not fix(ground, 1)
    assert ground.spend(user) == 60
    assert ground.database.read(find_differences) == []
