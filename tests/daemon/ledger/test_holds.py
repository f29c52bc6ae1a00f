"""Hold, settle, release: money is held before a call, charged after it, once, and nothing stays behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.ledger.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path / "nullspend.db")
    yield made
    made.close()


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
