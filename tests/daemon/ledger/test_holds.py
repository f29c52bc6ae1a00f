"""Hold, settle, release: money is held before a call, charged after it, once, and nothing stays behind."""

import threading

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger import holds
from nullspend_daemon.ledger.holds import Approved, Denied
from nullspend_daemon.ledger.matching import held_by_entity, reserved_of
from nullspend_daemon.store.org_deletion import delete_org
from tests.daemon.ledger.ground import START_MS, Ground

DAY = 86_400_000


def test_a_hold_is_charged_to_every_matching_budget_when_it_settles(ground: Ground) -> None:
    user, key = ground.budget("user"), ground.budget("api_key")
    tag, other = ground.budget("tag", "team=a"), ground.budget("tag", "team=b")
    held = ground.hold(100, tags={"team": "a"})
    assert [ground.spend(budget) for budget in (user, key, tag, other)] == [0, 0, 0, 0]
    stored = ground.settle(held, 70, tags={"team": "a"})
    assert stored is not None
    assert [ground.spend(budget) for budget in (user, key, tag, other)] == [70, 70, 70, 0]
    assert ground.rows("SELECT * FROM holds") == ground.rows("SELECT * FROM hold_entities") == []


def test_a_second_settle_and_a_late_release_do_nothing(ground: Ground) -> None:
    user = ground.budget("user")
    held = ground.hold(100)
    assert ground.settle(held, 70) is not None
    assert ground.settle(held, 70) is None
    ground.release(held)
    assert ground.spend(user) == 70
    assert len(ground.rows("SELECT * FROM cost_events")) == 1


def test_a_released_hold_leaves_no_event_and_no_spend(ground: Ground) -> None:
    user = ground.budget("user", maximum=100)
    ground.release(ground.hold(100))
    assert ground.spend(user) == 0
    assert ground.rows("SELECT * FROM cost_events") == []
    ground.hold(100)


def test_what_is_held_is_not_free_until_it_is_released(ground: Ground) -> None:
    ground.budget("user", maximum=100)
    held = ground.hold(60)
    ground.denied(41)
    ground.hold(40)
    ground.denied(1)
    ground.release(held)
    ground.hold(60)


def test_all_matching_budgets_hold_or_none(ground: Ground) -> None:
    roomy, tight = ground.budget("user", maximum=1000), ground.budget("tag", "team=a", maximum=10)
    ground.denied(11, tags={"team": "a"})
    assert ground.rows("SELECT * FROM hold_entities") == []
    ground.hold(10, tags={"team": "a"})
    assert [ground.database.read(lambda tx, b=b: reserved_of(tx, b)) for b in (roomy, tight)] == [10, 10]


def test_a_call_without_a_budget_keeps_a_hold_for_its_event_alone(ground: Ground) -> None:
    answer = ground.try_hold(50)
    assert isinstance(answer, Approved)
    assert (answer.status, answer.standing) == ("skipped", None)
    assert len(ground.rows("SELECT * FROM holds")) == 1
    assert ground.settle(answer.hold_id, 7) is not None
    assert ground.rows("SELECT * FROM holds") == []


def test_a_budget_of_another_kind_team_or_organization_does_not_count(ground: Ground) -> None:
    ground.budget("tag", "team=b", maximum=1)
    ground.budget("customer", "globex", maximum=1)
    answer = ground.try_hold(50, tags={"team": "a"}, customer="acme")
    assert isinstance(answer, Approved) and answer.status == "skipped"


def test_the_customer_counts_as_a_tag_too(ground: Ground) -> None:
    customer, tag = ground.budget("customer", "acme"), ground.budget("tag", "customer=acme")
    ground.settle(ground.hold(50, customer="acme"), 40)
    assert (ground.spend(customer), ground.spend(tag)) == (40, 40)


def test_a_soft_budget_lets_pass_and_says_so_and_a_warning_one_only_counts(ground: Ground) -> None:
    soft, warn = (
        ground.budget("user", maximum=10, policy="soft_block"),
        ground.budget("api_key", maximum=1, policy="warn"),
    )
    first, second = ground.try_hold(10), ground.try_hold(1)
    assert isinstance(first, Approved) and isinstance(second, Approved)
    assert (first.status, second.status) == ("approved", "denied")
    ground.settle(first.hold_id, 10)
    ground.settle(second.hold_id, 1)
    assert (ground.spend(soft), ground.spend(warn)) == (11, 11)


def test_the_finalization_reserve_is_for_final_calls(ground: Ground) -> None:
    ground.budget("user", maximum=100, finalizationReserveMicrodollars=30)
    ground.denied(71)
    ground.hold(70)
    ground.denied(1)
    ground.hold(30, finalize=True)
    ground.denied(1, finalize=True)


def test_the_reserve_means_nothing_to_a_budget_that_does_not_deny(ground: Ground) -> None:
    ground.budget("user", maximum=100, policy="soft_block", finalizationReserveMicrodollars=30)
    answer = ground.try_hold(100)
    assert isinstance(answer, Approved) and answer.status == "approved"


def test_a_call_that_holds_nothing_passes_a_used_up_budget(ground: Ground) -> None:
    ground.budget("user", maximum=10)
    ground.settle(ground.hold(10), 15)
    ground.hold(0)
    ground.denied(1)


def test_a_session_is_limited_by_what_it_spent_and_what_it_holds(ground: Ground) -> None:
    ground.budget("user", sessionLimitMicrodollars=100)
    ground.settle(ground.hold(60, session_id="s1"), 50)
    held = ground.hold(50, session_id="s1")
    assert ground.denied(1, session_id="s1").details["session_spend_microdollars"] == 100
    ground.hold(100, session_id="s2")
    ground.hold(5000)
    ground.release(held)
    ground.hold(50, session_id="s1")


def test_a_session_that_is_idle_for_a_day_starts_anew(ground: Ground) -> None:
    ground.budget("user", sessionLimitMicrodollars=100)
    ground.settle(ground.hold(100, session_id="s1"), 100)
    ground.clock.advance(DAY - 1)
    ground.database.write(holds.drop_lapsed)
    ground.denied(1, session_id="s1")
    ground.clock.advance(1)
    ground.database.write(holds.drop_lapsed)
    ground.hold(100, session_id="s1")


def test_a_limit_counts_from_the_next_call_on_raised_or_lowered(ground: Ground) -> None:
    ground.budget("user", maximum=100)
    ground.hold(100)
    ground.denied(1)
    ground.budget("user", maximum=101)
    ground.hold(1)
    ground.budget("user", maximum=50)
    ground.denied(1)


def test_a_reservation_stops_counting_after_its_time_and_is_charged_all_the_same(ground: Ground) -> None:
    user = ground.budget("user", maximum=100)
    late = ground.hold(100, expires_at=START_MS + 30_000)
    ground.clock.advance(29_999)
    ground.denied(1)
    ground.clock.advance(1)
    ground.release(ground.hold(100))
    assert ground.settle(late, 80) is not None
    assert ground.spend(user) == 80
    assert ground.settle(late, 80) is None


def test_an_expired_reservation_is_forgotten_after_a_day_a_call_never(ground: Ground) -> None:
    ground.budget("user", maximum=100)
    reservation, call = ground.hold(1, expires_at=START_MS + 30_000), ground.hold(1)
    ground.clock.advance(30_000 + DAY - 1)
    assert ground.database.write(holds.drop_lapsed) == 0
    ground.clock.advance(1)
    assert ground.database.write(holds.drop_lapsed) == 1
    assert ground.settle(reservation, 1) is None
    assert ground.settle(call, 1) is not None


def test_nothing_is_kept_of_a_reservation_without_a_budget(ground: Ground) -> None:
    answer = ground.try_hold(5, expires_at=START_MS + 30_000)
    assert isinstance(answer, Approved) and answer.status == "skipped"
    assert ground.rows("SELECT * FROM holds") == []


def test_a_hold_of_another_organization_is_not_settled(ground: Ground) -> None:
    user = ground.budget("user")
    held = ground.hold(10)
    assert ground.settle(held, 10, org_id="ns_org_00000000-0000-4000-8000-000000000000") is None
    assert ground.settle(held, 10) is not None
    assert ground.spend(user) == 10


def test_a_deleted_budget_is_skipped_and_a_new_one_of_the_entity_starts_clean(ground: Ground) -> None:
    old, key = ground.budget("user", velocityLimitMicrodollars=50), ground.budget("api_key")
    ground.settle(ground.hold(20, session_id="s"), 20, session_id="s")
    held = ground.hold(20)
    ground.delete(old)
    for table in ("budget_velocity", "budget_sessions"):
        assert ground.rows(f"SELECT * FROM {table} WHERE budget_id = ?", old) == []
    new = ground.budget("user")
    ground.settle(held, 20)
    assert (ground.spend(new), ground.spend(key)) == (0, 40)


def test_a_settle_writes_the_event_its_thresholds_and_the_news_of_both(ground: Ground) -> None:
    ground.budget("user", maximum=100, thresholdPercentages=[50, 90])
    held = ground.hold(10)
    ground.settle(held, 90)
    types = [event_type for event_type, _ in ground.told()]
    assert types == ["cost_event.created", "budget.threshold.warning", "budget.threshold.critical"]
    assert ground.told("budget.threshold.critical")[0][1] == {
        "budget_entity_type": "user",
        "budget_entity_id": ground.user,
        "threshold_percent": 90,
        "budget_spend_microdollars": 90,
        "budget_limit_microdollars": 100,
        "budget_remaining_microdollars": 10,
        "triggered_by_request_id": ground.rows("SELECT request_id FROM cost_events")[0][0],
    }


def test_holds_set_off_no_threshold(ground: Ground) -> None:
    ground.budget("user", maximum=100, thresholdPercentages=[1])
    ground.hold(100)
    assert ground.told() == []


def test_a_repeated_request_id_is_stored_under_another_one(ground: Ground) -> None:
    ground.budget("user")
    ids = []
    for _ in range(3):
        stored = ground.settle(ground.hold(1), 1, request_id="req-same", trace_id="a" * 32)
        assert stored is not None
        ids.append(stored.request_id)
    assert ids[:2] == ["req-same", "req-same#" + "a" * 32]
    assert len(ids[2]) == 36 and len(set(ids)) == 3
    assert [event["request_id"] for _, event in ground.told("cost_event.created")] == ids
    assert [row[0] for row in ground.rows("SELECT request_id FROM cost_events ORDER BY seq")] == ids


def test_a_manual_reset_frees_everything_but_the_live_holds(ground: Ground) -> None:
    user = ground.budget("user", maximum=100, sessionLimitMicrodollars=90, velocityLimitMicrodollars=95)
    ground.settle(ground.hold(40, session_id="s"), 40, session_id="s")
    held = ground.hold(50, session_id="s")
    ground.denied(10)
    ground.clock.advance(1000)
    ground.reset(user)
    row = ground.row(user)
    assert (row["spend_microdollars"], row["period_start"]) == (0, START_MS + 1000)
    assert ground.denied(51).details["budget_spend_microdollars"] == 50
    assert ground.denied(41, session_id="s").details["session_spend_microdollars"] == 50
    ground.hold(40, session_id="s")
    ground.settle(held, 45, session_id="s")
    assert ground.spend(user) == 45
    assert ground.told("budget.reset") == []


def test_a_new_period_frees_the_spend_and_keeps_holds_sessions_and_velocity(ground: Ground) -> None:
    user = ground.budget("user", maximum=100, resetInterval="daily", sessionLimitMicrodollars=200)
    ground.settle(ground.hold(60, session_id="s"), 60, session_id="s")
    held = ground.hold(40, session_id="s")
    ground.denied(1)
    ground.clock.advance(DAY)
    assert ground.denied(61).details["budget_spend_microdollars"] == 40
    assert ground.denied(101, session_id="s").details["session_spend_microdollars"] == 100
    assert ground.told("budget.reset") == [
        (
            "budget.reset",
            {
                "budget_entity_type": "user",
                "budget_entity_id": ground.user,
                "budget_limit_microdollars": 100,
                "previous_spend_microdollars": 60,
                "new_period_start": "2026-01-02T00:00:00.000Z",
                "reset_interval": "daily",
            },
        )
    ]
    ground.settle(held, 40, session_id="s")
    assert ground.spend(user) == 40


def test_the_reset_of_a_lapsed_period_stays_when_the_call_is_denied(ground: Ground) -> None:
    user = ground.budget("user", maximum=100, resetInterval="weekly")
    ground.settle(ground.hold(60), 60)
    ground.clock.advance(15 * DAY)
    ground.denied(101)
    row = ground.row(user)
    assert (row["spend_microdollars"], row["period_start"]) == (0, START_MS + 14 * DAY)


def test_a_month_from_the_31st_overflows_as_in_javascript_and_stays_there(ground: Ground) -> None:
    ground.clock.advance(30 * DAY + 10 * 3_600_000)  # 31 January, 10:00
    user = ground.budget("user", maximum=100, resetInterval="monthly")
    starts = []
    for _ in range(4):
        ground.clock.advance(31 * DAY)
        ground.release(ground.hold(1))
        starts.append(ground.row(user)["period_start"])
    assert starts == [
        1_772_532_000_000,  # 3 March 2026, 10:00
        1_775_210_400_000,  # 3 April
        1_777_802_400_000,  # 3 May
        1_780_480_800_000,  # 3 June
    ]


def test_saving_a_budget_whose_period_is_over_does_not_carry_its_spend_on(ground: Ground) -> None:
    user = ground.budget("user", maximum=100, resetInterval="daily")
    ground.settle(ground.hold(60), 60)
    ground.clock.advance(DAY)
    ground.budget("user", maximum=100, resetInterval="daily")
    assert ground.spend(user) == 0


def test_absurd_estimates_neither_overflow_nor_pass(ground: Ground) -> None:
    ground.budget("user", maximum=MAX_MICRODOLLARS, policy="warn", velocityLimitMicrodollars=None)
    for _ in range(3):
        ground.hold(10**30)
    ground.budget("api_key", maximum=MAX_MICRODOLLARS)
    ground.hold(MAX_MICRODOLLARS)
    ground.denied(1)


def test_what_is_held_is_listed_by_entity(ground: Ground) -> None:
    ground.budget("user")
    ground.budget("tag", "team=a")
    ground.hold(5)
    ground.hold(7, tags={"team": "a"})
    ground.hold(9, tags={"team": "a"}, expires_at=START_MS + 30_000)
    listed = lambda: [tuple(row)[1:] for row in ground.database.read(held_by_entity)]  # noqa: E731
    assert listed() == [("tag", "team=a", 16, 2), ("user", ground.user, 21, 3)]
    ground.clock.advance(30_000)
    assert listed() == [("tag", "team=a", 7, 1), ("user", ground.user, 12, 2)]


def test_an_organization_leaves_nothing_of_the_engine_behind(ground: Ground) -> None:
    ground.budget("user", velocityLimitMicrodollars=100)
    ground.settle(ground.hold(5, session_id="s"), 5, session_id="s")
    held = ground.hold(5, session_id="s")
    ground.database.write(lambda tx: delete_org(tx, ground.org))
    for table in ("holds", "hold_entities", "budget_velocity", "budget_sessions", "budgets", "cost_events"):
        assert ground.rows(f"SELECT * FROM {table}") == []
    assert ground.settle(held, 5) is None


def test_a_budget_for_ten_calls_lets_exactly_ten_of_many_threads_pass(ground: Ground) -> None:
    ground.budget("user", maximum=1000)
    passed = _race(ground, threads=64, each=4, estimate=100, cost=100)
    assert passed == 10
    assert ground.rows("SELECT spend_microdollars FROM budgets")[0][0] == 1000


def test_no_sum_of_five_overlapping_budgets_passes_its_limit(ground: Ground) -> None:
    limits = {("user", ground.user): 2000, ("api_key", ground.key): 1700, ("customer", "acme"): 900}
    limits |= {("tag", "team=a"): 700, ("tag", "team=b"): 650}
    ids = {entity: ground.budget(*entity, limit) for entity, limit in limits.items()}
    _race(ground, threads=48, each=6, estimate=37, cost=37)
    for entity, limit in limits.items():
        assert 0 <= limit - ground.spend(ids[entity])
    assert 1700 - ground.spend(ids["api_key", ground.key]) < 37  # the calls without a team or customer filled it


def test_calls_dearer_than_their_hold_pass_a_limit_by_no_more_than_the_calls_in_flight(
    ground: Ground,
) -> None:
    user = ground.budget("user", maximum=1000)
    _race(ground, threads=16, each=20, estimate=10, cost=100)
    assert 1000 <= ground.spend(user) <= 1000 + 16 * 90


def _race(ground: Ground, *, threads: int, each: int, estimate: int, cost: int) -> int:
    """Many threads hold and settle at once, in several teams and for a customer; returns how many calls passed."""
    callers = [{"tags": {"team": "a"}}, {"tags": {"team": "b"}}, {"customer": "acme"}, {}]
    barrier, passed = threading.Barrier(threads), []

    def run(number: int) -> None:
        barrier.wait()
        for n in range(each):
            answer = ground.try_hold(estimate, **callers[(number + n) % 4])
            assert isinstance(answer, Approved | Denied)
            if isinstance(answer, Approved):
                passed.append(ground.settle(answer.hold_id, cost))

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert ground.rows("SELECT * FROM holds") == []
    return len(passed)
