"""The engine against a model of it: any order of holds, settles, resets, changes, clock moves and restarts."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nullspend_daemon.ledger import budgets, corrections, holds, retention
from nullspend_daemon.ledger.check import find_differences
from nullspend_daemon.ledger.holds import Approved
from nullspend_daemon.ledger.recovery import recover
from tests.daemon.ledger.ground import Ground
from tests.property.engine_model import Entity, Event, Model

FULL = os.environ.get("NULLSPEND_FULL") == "1"
JANUARY_31 = 1_769_853_600_000  # 2026-01-31T10:00:00Z: the anchor whose monthly step overflows
TAGS = [("tag", "team=a"), ("tag", "team=b"), ("tag", "customer=acme")]
MONEY = st.integers(0, 6).map(lambda tens: 10 * tens)  # few values, so that limits are met exactly
PERCENT = st.sampled_from([0, 1, 50, 99, 100, 101, 150])
WAITS = st.sampled_from([1, 999, 10_000, 29_999, 30_000, 60_000, 90_000, 3_600_000, 86_400_000, 9 * 86_400_000, 2**35])


def calls() -> st.SearchStrategy[dict[str, Any]]:
    """Who makes a call: in which team, for which customer, in which session."""
    return st.fixed_dictionaries(
        {
            "tags": st.sampled_from([{}, {"team": "a"}, {"team": "b"}]),
            "customer": st.sampled_from([None, None, "acme"]),
            "session_id": st.sampled_from([None, "s1", "s2"]),
        }
    )


SETTINGS = st.fixed_dictionaries(
    {
        "limit": st.sampled_from([1, 50, 150, 400, 1000]),
        "policy": st.sampled_from(["strict_block", "warn", "soft_block", "warn"]),
        "interval": st.sampled_from([None, None, "daily", "weekly", "monthly", "yearly"]),
        "session_limit": st.sampled_from([None, None, 50, 150]),
        "velocity": st.sampled_from([None, None, (100, 60_000, 60_000), (100, 90_000, 30_000), (250, 60_000, 10_000)]),
        "thresholds": st.sampled_from([(50, 80, 90, 95), (), (1, 100)]),
        "reserve": st.sampled_from([0, 0, 20, 100]),
    }
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its owner in it, to be copied: making one takes longer than many steps."""
    path = tmp_path_factory.mktemp("template") / "nullspend.db"
    Ground(path, JANUARY_31).close()
    return path


class Engine(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model; the invariants compare the two after each step."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "nullspend.db")
        self.ground = Ground(self.folder / "nullspend.db", JANUARY_31)
        self.model = Model(JANUARY_31)
        self.ids: dict[Entity, str] = {}
        self.requests: dict[str, dict[str, Any]] = {}
        self.awaited: dict[str, Event] = {}
        self.seen = 0
        self.told: Counter[tuple[str, ...]] = Counter()

    def teardown(self) -> None:
        self.ground.close()
        shutil.rmtree(self.folder)

    @property
    def entities(self) -> list[Entity]:
        return [("user", self.ground.user), ("api_key", self.ground.key), ("customer", "acme"), *TAGS]

    def matching(self, call: dict[str, Any]) -> set[Entity]:
        found = {("user", self.ground.user), ("api_key", self.ground.key)}
        found |= {("tag", f"{name}={value}") for name, value in call["tags"].items()}
        if call["customer"]:
            found |= {("customer", call["customer"]), ("tag", f"customer={call['customer']}")}
        return found

    def write(self, fn: Callable[[Any], Any]) -> Any:
        return self.ground.database.write(fn, durable=False)

    # -- what people do

    @initialize(which=st.sets(st.integers(0, 5), min_size=3), data=st.data())
    def begin(self, which: set[int], data: st.DataObject) -> None:
        for number in sorted(which):
            self.save(number, data.draw(SETTINGS))

    @rule(which=st.integers(0, 5), wanted=SETTINGS)
    def save(self, which: int, wanted: dict[str, Any]) -> None:
        entity = self.entities[which]
        wanted = {**wanted, "reserve": min(wanted["reserve"], wanted["limit"])}
        limit, window, cooldown = wanted["velocity"] or (None, 60_000, 60_000)
        self.ids[entity] = self.ground.budget(
            *entity,
            wanted["limit"],
            policy=wanted["policy"],
            resetInterval=wanted["interval"],
            sessionLimitMicrodollars=wanted["session_limit"],
            velocityLimitMicrodollars=limit,
            thresholdPercentages=list(wanted["thresholds"]),
            finalizationReserveMicrodollars=wanted["reserve"],
            **({} if limit is None else {"velocityWindowSeconds": window // 1000}),
            **({} if limit is None else {"velocityCooldownSeconds": cooldown // 1000}),
        )
        self.model.save(entity, wanted)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        entity = data.draw(st.sampled_from(sorted(self.ids)))
        self.ground.reset(self.ids[entity])
        self.model.reset(self.model.budgets[entity])

    @precondition(lambda self: len(self.ids) > 3)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        entity = data.draw(st.sampled_from(sorted(self.ids)))
        self.ground.delete(self.ids.pop(entity))
        del self.model.budgets[entity]

    # -- calls

    @rule(call=calls(), estimates=st.lists(MONEY, min_size=1, max_size=4), finalize=st.booleans())
    def hold(self, call: dict[str, Any], estimates: list[int], finalize: bool) -> None:
        for estimate in estimates:
            self._hold(call, estimate, finalize, None)

    @rule(call=calls(), estimate=MONEY, seconds=st.sampled_from([1, 30, 60, 90]))
    def hold_after_a_while(self, call: dict[str, Any], estimate: int, seconds: int) -> None:
        self.wait(1000 * seconds)
        self._hold(call, estimate, False, None)

    @rule(call=calls(), estimate=MONEY)
    def reserve(self, call: dict[str, Any], estimate: int) -> None:
        self._hold(call, estimate, False, self.model.now + 30_000)

    def _hold(self, call: dict[str, Any], estimate: int, finalize: bool, expires: int | None) -> None:
        more = {} if expires is None else {"expires_at": expires}
        answer = self.ground.try_hold(estimate, finalize=finalize, **call, **more)
        entities = self.matching(call)
        wanted = self.model.check(entities, estimate, call["session_id"], finalize)
        assert _shown(answer) == wanted
        if isinstance(answer, Approved) and (answer.status != "skipped" or expires is None):
            self.requests[answer.hold_id] = call
            self.model.hold(
                answer.hold_id, entities, amount=estimate, session=call["session_id"], expires=expires, event=call
            )

    def _draw_hold(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model.holds, key=list(self.model.holds).index)))

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), percent=PERCENT, awaits=st.booleans())
    def settle(self, data: st.DataObject, percent: int, awaits: bool) -> None:
        self._settle(data, percent, awaits)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), percents=st.lists(PERCENT, min_size=1))
    def settle_many(self, data: st.DataObject, percents: list[int]) -> None:
        for percent in percents[: len(self.model.holds)]:
            self._settle(data, percent, False)

    def _settle(self, data: st.DataObject, percent: int, awaits: bool) -> None:
        hold_id = self._draw_hold(data)
        cost = self.model.holds[hold_id].amount * percent // 100
        call = self.requests[hold_id]
        event = self.ground.event(cost, tags=call["tags"], session_id=call["session_id"], customer_id=call["customer"])
        for attempt in range(2):  # the second is a no-op
            stored = self.write(lambda tx: holds.settle(tx, hold_id, event, awaits=hold_id if awaits else None))
            assert (stored is None) == bool(attempt)
        self.model.settle(hold_id, cost, awaited=awaits)
        if awaits:
            self.awaited[hold_id] = self.model.events[-1]

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        hold_id = self._draw_hold(data)
        self.ground.release(hold_id)
        del self.model.holds[hold_id]

    @rule(call=calls(), cost=MONEY)
    def report(self, call: dict[str, Any], cost: int) -> None:
        self.ground.report(cost, tags=call["tags"], customer=call["customer"])
        self.model.report(self.matching(call), cost)

    @precondition(lambda self: self.awaited)
    @rule(data=st.data(), cost=MONEY, first=st.sampled_from(["nothing", "a reset", "a day"]))
    def correct(self, data: st.DataObject, cost: int, first: str) -> None:
        if first == "a reset" and self.ids:
            self.reset(data)
        if first == "a day":
            self.wait(86_400_000)
        reply_id = data.draw(st.sampled_from(list(self.awaited)))
        final = corrections.Final(
            model="gpt-4o",
            input_tokens=1,
            output_tokens=2,
            cached_input_tokens=0,
            reasoning_tokens=0,
            cost_microdollars=cost,
            cost_breakdown=None,
            stop_reason="stop",
            tags={},
        )
        event = self.awaited.pop(reply_id)
        kept = any(event is one for one in self.model.events)
        for attempt in range(2):
            done = self.write(lambda tx: corrections.correct(tx, self.ground.org, reply_id, final))
            assert done == (kept and not attempt)
        if kept:
            self.model.correct(event, cost)

    # -- time, and a daemon that dies

    @rule(ms=WAITS)
    def wait(self, ms: int) -> None:
        self.ground.clock.advance(ms)
        self.model.now += ms

    @rule()
    def tidy(self) -> None:
        self.write(budgets.store_lapsed)
        self.write(holds.drop_lapsed)
        self.model.tidy()

    @rule(days=st.sampled_from([0, 1, 30]))
    def forget_old_events(self, days: int) -> None:
        while self.write(lambda tx: retention.drop_old_events(tx, days * 86_400_000)):
            continue
        self.model.events = [e for e in self.model.events if e.at > self.model.now - days * 86_400_000]

    @rule()
    def restart(self) -> None:
        self.ground.close()
        self.ground.open()
        assert self.write(recover) == self.model.recover()

    # -- after every step

    @invariant()
    def budgets_agree(self) -> None:
        rows = self.ground.rows("SELECT * FROM budgets")
        now = self.model.now
        stored = {
            (b.entity_type, b.entity_id): (b.limit, b.spend, b.period_start)
            for b in (budgets.from_row(row).at(now) for row in rows)
        }
        lazily = {entity: (b.limit, *self._current(b)) for entity, b in self.model.budgets.items()}
        assert stored == lazily

    def _current(self, budget: Any) -> tuple[int, int | None]:
        """Spend and period start as a reader sees them: a lapsed period counts as over although nothing stored it."""
        copy = Model(self.model.now)
        shadow = type(budget)(budget.entity, budget.limit, interval=budget.interval, start=budget.start)
        shadow.spend = budget.spend
        copy.roll(shadow)
        return shadow.spend, shadow.start

    @invariant()
    def holds_agree(self) -> None:
        rows = self.ground.rows(
            "SELECT b.entity_type, b.entity_id, sum(h.amount_microdollars) FROM hold_entities h"
            " JOIN budgets b ON b.id = h.budget_id WHERE h.expires_at > ? GROUP BY b.id",
            self.model.now,
        )
        reserved = {entity: self.model.reserved(budget) for entity, budget in self.model.budgets.items()}
        held = {b.entity for hold in self.model.live() for b in hold.budgets if b in self.model.budgets.values()}
        assert {(row[0], row[1]): row[2] for row in rows} == {entity: reserved[entity] for entity in held}
        assert {row[0] for row in self.ground.rows("SELECT id FROM holds")} == set(self.model.holds)

    @invariant()
    def velocity_and_sessions_agree(self) -> None:
        rows = self.ground.rows("SELECT * FROM budget_velocity v JOIN budgets b ON b.id = v.budget_id")
        stored = {
            (row["entity_type"], row["entity_id"]): (
                row["window_start"],
                row["current_microdollars"],
                row["previous_microdollars"],
                row["tripped_at"],
            )
            for row in rows
        }
        assert stored == {
            entity: (b.speed.start, b.speed.current, b.speed.previous, b.speed.tripped)
            for entity, b in self.model.budgets.items()
            if b.speed is not None
        }
        rows = self.ground.rows("SELECT * FROM budget_sessions s JOIN budgets b ON b.id = s.budget_id")
        assert {(r["entity_type"], r["entity_id"], r["session_id"]): r[2] for r in rows} == {
            (*entity, name): spent
            for entity, b in self.model.budgets.items()
            for name, (spent, _) in b.sessions.items()
        }

    @invariant()
    def events_and_alerts_agree(self) -> None:
        costs = [row[0] for row in self.ground.rows("SELECT cost_microdollars FROM cost_events ORDER BY seq")]
        assert Counter(costs) == Counter(event.cost for event in self.model.events)
        told = self.ground.told()
        for event_type, data in told[self.seen :]:
            if event_type not in ("cost_event.created",):
                about = data["reason"] if event_type == "request.blocked" else data["budget_entity_id"]
                self.told[event_type, about] += 1
        self.seen = len(told)
        assert self.told == self.model.told

    @invariant()
    def figures_agree_with_their_events(self) -> None:
        assert self.ground.database.read(find_differences) == []


def _shown(answer: Any) -> tuple[Any, ...]:
    """An answer as the model gives it."""
    if isinstance(answer, Approved):
        return (answer.status,)
    details = answer.details
    if answer.code == "session_limit_exceeded":
        return (answer.code, details["session_spend_microdollars"])
    if answer.code == "velocity_exceeded":
        return (answer.code, answer.retry_after_seconds)
    if answer.code == "tag_budget_exceeded":
        entity = ("tag", f"{details['tag_key']}={details['tag_value']}")
    elif answer.code == "customer_budget_exceeded":
        entity = ("customer", details["customer_id"])
    else:
        entity = (details["entity_type"], details["entity_id"])
    return (answer.code, *entity, details["remaining_microdollars"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_store_and_model_agree_after_every_step(template: Path) -> None:
    Engine.template = template
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=200 if FULL else 30,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
