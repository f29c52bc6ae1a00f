"""The examples of the contract's 13.6, typed by hand, on the pure rule and through the engine."""

import pytest

from nullspend_daemon.ledger.velocity import Limit, Velocity, check
from tests.daemon.ledger.ground import START_MS, Ground

LIMIT = Limit(10_000_000, 60_000, 60_000)
BEFORE = Velocity(30_000, current_count=3, current=6_000_000)


def test_the_contracts_example_passes_at_the_limit() -> None:
    tested = check(BEFORE, LIMIT, 7_500_000, 95_000)
    assert tested.outcome == "passed"
    assert tested.state == Velocity(60_000, previous_count=3, previous=6_000_000)


def test_the_contracts_example_trips_one_microdollar_above() -> None:
    tested = check(BEFORE, LIMIT, 7_500_001, 95_000)
    assert (tested.outcome, tested.denies, tested.retry_after_seconds) == ("tripped", True, 60)
    assert (tested.state.tripped_at, tested.state.tripped_spend) == (95_000, 2_500_000)


@pytest.mark.parametrize(
    ("now", "start", "previous"),
    [
        (89_999, 30_000, 0),  # the window still runs
        (90_000, 60_000, 6_000_000),  # over: the next one is aligned, and began before the first ended
        (119_999, 60_000, 6_000_000),
        (120_000, 120_000, 0),  # a start after the first window's end: a whole window lies between
    ],
)
def test_windows_rotate(now: int, start: int, previous: int) -> None:
    state = check(BEFORE, LIMIT, 0, now).state
    assert (state.window_start, state.previous) == (start, previous)
    assert state.current == (6_000_000 if start == 30_000 else 0)


def test_the_shown_figure_is_rounded_half_up() -> None:
    state = Velocity(60_000, previous=3)  # half of 3 weighs 1.5
    assert check(state, Limit(1, 60_000, 60_000), 0, 90_000).state.tripped_spend == 2


def test_a_single_call_above_the_limit_trips() -> None:
    assert check(Velocity(0), LIMIT, 10_000_001, 1).outcome == "tripped"
    assert check(Velocity(0), LIMIT, 10_000_000, 1).outcome == "passed"


@pytest.mark.parametrize(("now", "retry_after"), [(1_001, 60), (2_000, 59), (2_001, 59), (59_001, 2), (60_999, 1)])
def test_calls_are_denied_during_the_cooldown(now: int, retry_after: int) -> None:
    tested = check(Velocity(0, tripped_at=1_000, tripped_spend=77), LIMIT, 0, now)
    assert (tested.outcome, tested.retry_after_seconds, tested.state.tripped_spend) == ("cooling", retry_after, 77)


def test_the_first_call_after_the_cooldown_always_passes_and_starts_from_zero() -> None:
    tested = check(Velocity(0, current=9_999, tripped_at=1_000), LIMIT, 999_999_999, 61_000)
    assert (tested.outcome, tested.state) == ("recovered", Velocity(61_000))


def test_without_a_state_a_call_passes_and_makes_one() -> None:
    tested = check(None, LIMIT, 999_999_999, 5)
    assert (tested.outcome, tested.state) == ("passed", Velocity(5))


# -- through the engine


def state(ground: Ground) -> tuple[int, ...]:
    """(window start, count, current, previous count, previous, tripped at)"""
    row = ground.rows("SELECT * FROM budget_velocity")[0]
    return tuple(row)[1:7]


def test_a_saved_limit_tests_the_first_call_already(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=100)
    assert state(ground) == (START_MS, 0, 0, 0, 0, None)
    ground.denied(101)


def test_estimates_are_counted_and_never_corrected(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=100)
    ground.settle(ground.hold(60), 1)
    ground.release(ground.hold(40))
    assert state(ground) == (START_MS, 2, 100, 0, 0, None)
    ground.denied(1)


def test_a_call_that_a_budget_denies_does_not_count(ground: Ground) -> None:
    ground.budget("user", maximum=10, velocityLimitMicrodollars=100)
    assert ground.denied(11).code == "budget_exceeded"
    assert state(ground) == (START_MS, 0, 0, 0, 0, None)


def test_a_breaker_trips_denies_and_recovers_and_the_world_hears_of_both(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=100, velocityWindowSeconds=60, velocityCooldownSeconds=30)
    ground.hold(90)
    ground.clock.advance(1_000)
    assert ground.denied(11).retry_after_seconds == 30
    ground.clock.advance(10_001)
    again = ground.denied(1)
    assert (again.retry_after_seconds, again.details["currentMicrodollars"]) == (20, 90)
    assert ground.told("velocity.exceeded") == [
        (
            "velocity.exceeded",
            {
                "budget_entity_type": "user",
                "budget_entity_id": ground.user,
                "velocity_limit_microdollars": 100,
                "velocity_window_seconds": 60,
                "velocity_current_microdollars": 90,
                "cooldown_seconds": 30,
                "model": "gpt-4o",
                "provider": "openai",
                "blocked_at": "2026-01-01T00:00:01.000Z",
            },
        )
    ]
    ground.clock.advance(19_999)
    ground.hold(5_000)
    assert ground.told("velocity.recovered") == [
        (
            "velocity.recovered",
            {
                "budget_entity_type": "user",
                "budget_entity_id": ground.user,
                "velocity_limit_microdollars": 100,
                "velocity_window_seconds": 60,
                "velocity_cooldown_seconds": 30,
                "recovered_at": "2026-01-01T00:00:31.000Z",
            },
        )
    ]
    assert state(ground) == (START_MS + 31_000, 1, 5_000, 0, 0, None)


def test_another_window_counts_anew_a_raised_limit_goes_on_and_none_forgets(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=100)
    ground.hold(100)
    ground.budget("user", velocityLimitMicrodollars=150)
    assert state(ground)[2] == 100
    ground.clock.advance(5)
    ground.budget("user", velocityLimitMicrodollars=150, velocityWindowSeconds=90)
    assert state(ground) == (START_MS + 5, 0, 0, 0, 0, None)
    ground.budget("user", velocityLimitMicrodollars=None)
    assert ground.rows("SELECT * FROM budget_velocity") == []


def test_an_open_breaker_stays_open_when_settings_change_and_closes_with_a_reset(ground: Ground) -> None:
    user = ground.budget("user", velocityLimitMicrodollars=100)
    ground.denied(101)
    ground.budget("user", velocityLimitMicrodollars=1_000, velocityWindowSeconds=90)
    assert ground.denied(1).code == "velocity_exceeded"
    ground.reset(user)
    ground.hold(1)


def test_velocity_denies_whatever_the_policy(ground: Ground) -> None:
    ground.budget("user", policy="warn", velocityLimitMicrodollars=100)
    assert ground.denied(101).code == "velocity_exceeded"
