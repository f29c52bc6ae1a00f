"""What the enforcing engine must do, written a second time from the contract: plain Python, fractions, no database.

Nothing of the ledger is used here. Names follow the contract's sections 13.4 to 13.7.
"""

import calendar
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

DAY = 86_400_000
Entity = tuple[str, str]


def month_later(ms: int, months: int = 1) -> int:
    """JavaScript's setUTCMonth: the day stays and overflows into the month after."""
    year, month, day, hour, minute, second, *_ = time.gmtime(ms // 1000)
    month += months
    first = calendar.timegm((year + (month - 1) // 12, (month - 1) % 12 + 1, 1, hour, minute, second))
    return (first + (day - 1) * 86_400) * 1000 + ms % 1000


STEPS = {
    "daily": lambda ms: ms + DAY,
    "weekly": lambda ms: ms + 7 * DAY,
    "monthly": month_later,
    "yearly": lambda ms: month_later(ms, 12),
}


@dataclass
class Speed:
    """13.6"""

    start: int
    current: int = 0
    previous: int = 0
    tripped: int | None = None


@dataclass(eq=False)
class Budget:
    entity: Entity
    limit: int
    policy: str = "strict_block"
    interval: str | None = None
    start: int | None = None
    reserve: int = 0
    session_limit: int | None = None
    velocity: tuple[int, int, int] | None = None
    thresholds: tuple[int, ...] = (50, 80, 90, 95)
    spend: int = 0
    sessions: dict[str, tuple[int, int]] = field(default_factory=dict)
    speed: Speed | None = None
    number: int = 0
    """Counts resets of either kind, so that a correction knows whether its budget is still in the same period."""


@dataclass(eq=False)
class Hold:
    amount: int
    budgets: list[Budget]
    session: str | None
    expires: int | None
    event: dict[str, Any]


@dataclass(eq=False)
class Event:
    cost: int
    at: int
    session: str | None
    charged: list[tuple[Budget, int]]
    awaited: bool = False


class Model:
    """The engine's state and what it has told the world, as a multiset."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.budgets: dict[Entity, Budget] = {}
        self.holds: dict[str, Hold] = {}
        self.events: list[Event] = []
        self.told: Counter[tuple[str, ...]] = Counter()

    # -- what is held

    def live(self) -> list[Hold]:
        return [hold for hold in self.holds.values() if hold.expires is None or hold.expires > self.now]

    def reserved(self, budget: Budget) -> int:
        return sum(hold.amount for hold in self.live() if budget in hold.budgets)

    def of_session(self, budget: Budget, session: str) -> int:
        held = sum(hold.amount for hold in self.live() if budget in hold.budgets and hold.session == session)
        return budget.sessions.get(session, (0, 0))[0] + held

    # -- 13.5

    def roll(self, budget: Budget) -> None:
        if budget.interval is None or budget.start is None:
            return
        moved = False
        while STEPS[budget.interval](budget.start) <= self.now:
            budget.start = STEPS[budget.interval](budget.start)
            moved = True
        if moved:
            budget.spend = 0
            budget.number += 1
            self.told["budget.reset", budget.entity[1]] += 1

    def matching(self, entities: set[Entity]) -> list[Budget]:
        found = [self.budgets[entity] for entity in sorted(entities) if entity in self.budgets]
        for budget in found:
            self.roll(budget)
        return found

    def check(self, entities: set[Entity], estimate: int, session: str | None, finalize: bool) -> tuple[Any, ...]:
        """("approved" | "skipped" | "denied",) or a denial: its code, for a budget whose, and its figure."""
        matching = self.matching(entities)
        refusal = (
            self._session(matching, estimate, session)
            or self._velocity(matching, estimate)
            or self._budget(matching, estimate, finalize)
        )
        if refusal is not None:
            self.told["request.blocked", "rate_limit" if refusal[0] == "velocity_exceeded" else "budget"] += 1
            return refusal
        for budget in matching:
            if budget.speed is not None:
                budget.speed.current += estimate
        if not matching:
            return ("skipped",)
        over = [b for b in matching if b.policy == "soft_block" and estimate > self.left(b)]
        return ("denied",) if over else ("approved",)

    def left(self, budget: Budget) -> int:
        return max(0, budget.limit - budget.spend - self.reserved(budget))

    def _session(self, matching: list[Budget], estimate: int, session: str | None) -> tuple[Any, ...] | None:
        for budget in matching:
            if session is None or budget.session_limit is None:
                continue
            used = self.of_session(budget, session)
            if used + estimate > budget.session_limit:
                self.told["session.limit_exceeded", budget.entity[1]] += 1
                return ("session_limit_exceeded", used)
        return None

    def _velocity(self, matching: list[Budget], estimate: int) -> tuple[Any, ...] | None:
        for budget in matching:
            if budget.velocity is None:
                continue
            limit, window, cooldown = budget.velocity
            speed = budget.speed
            assert speed is not None
            if speed.tripped is not None:
                if self.now - speed.tripped < cooldown:
                    wait = -((speed.tripped + cooldown - self.now) // -1000)
                    return ("velocity_exceeded", wait)
                budget.speed = Speed(self.now)
                self.told["velocity.recovered", budget.entity[1]] += 1
                continue
            if self.now >= speed.start + window:
                start = self.now - self.now % window
                previous = 0 if start > speed.start + window else speed.current
                budget.speed = speed = Speed(start, 0, previous)
            weight = max(Fraction(0), Fraction(window - (self.now - speed.start), window))
            if speed.previous * weight + speed.current + estimate > limit:
                speed.tripped = self.now
                self.told["velocity.exceeded", budget.entity[1]] += 1
                return ("velocity_exceeded", -(cooldown // -1000))
        return None

    def _budget(self, matching: list[Budget], estimate: int, finalize: bool) -> tuple[Any, ...] | None:
        for budget in matching:
            left = self.left(budget)
            ordinary = max(0, left - budget.reserve)
            if budget.policy == "strict_block" and estimate > (left if finalize else ordinary):
                kind, name = budget.entity
                family = {"tag": "tag_budget", "customer": "customer_budget"}.get(kind, "budget")
                self.told[f"{family}.exceeded", name] += 1
                return (f"{family}_exceeded", kind, name, ordinary)
        return None

    def hold(self, hold_id: str, entities: set[Entity], **more: Any) -> None:
        self.holds[hold_id] = Hold(budgets=self.matching(entities), **more)

    # -- 13.7 and 15.4

    def settle(self, hold_id: str, cost: int, *, awaited: bool = False) -> None:
        hold = self.holds.pop(hold_id)
        budgets = [budget for budget in hold.budgets if self.budgets.get(budget.entity) is budget]
        self.charge(budgets, cost, session=hold.session, awaited=awaited)
        if hold.session is not None and cost > 0:
            for budget in budgets:
                spent = budget.sessions.get(hold.session, (0, 0))[0]
                budget.sessions[hold.session] = (spent + cost, self.now)

    def report(self, entities: set[Entity], cost: int) -> None:
        budgets = self.matching(entities)
        before = {budget.entity: budget.spend for budget in budgets}
        self.charge(budgets, cost, session=None)
        for budget in budgets:
            was = floor(Fraction(100 * before[budget.entity], budget.limit))
            if was < 100 <= floor(Fraction(100 * budget.spend, budget.limit)) and 100 not in budget.thresholds:
                self.told["budget.exceeded", budget.entity[1]] += 1

    def charge(self, budgets: list[Budget], cost: int, *, session: str | None, awaited: bool = False) -> None:
        for budget in budgets:
            self.roll(budget)
        charged = [(budget, budget.number) for budget in budgets]
        self.events.append(Event(cost, self.now, session, charged, awaited))
        for budget in budgets:
            self.add(budget, cost)

    def add(self, budget: Budget, amount: int) -> None:
        before = floor(Fraction(100 * budget.spend, budget.limit))
        budget.spend = max(0, budget.spend + amount)
        after = floor(Fraction(100 * budget.spend, budget.limit))
        for threshold in budget.thresholds:
            if before < threshold <= after:
                kind = "critical" if threshold >= 90 else "warning"
                self.told[f"budget.threshold.{kind}", budget.entity[1]] += 1

    def correct(self, event: Event, cost: int) -> None:
        difference, event.cost, event.awaited = cost - event.cost, cost, False
        for budget, number in event.charged:
            if self.budgets.get(budget.entity) is not budget:
                continue
            self.roll(budget)
            if budget.number == number:
                self.add(budget, difference)
                if event.session in budget.sessions:
                    spent, at = budget.sessions[event.session]  # type: ignore[index]
                    budget.sessions[event.session] = (max(0, spent + difference), at)  # type: ignore[index]

    # -- what people do

    def reset(self, budget: Budget) -> None:
        budget.spend, budget.start = 0, self.now
        budget.number += 1
        budget.sessions.clear()
        if budget.velocity is not None:
            budget.speed = Speed(self.now)

    def save(self, entity: Entity, settings: dict[str, Any]) -> None:
        budget = self.budgets.get(entity)
        if budget is None:
            budget = self.budgets[entity] = Budget(entity, settings["limit"])
        else:
            self.roll(budget)
        velocity = budget.velocity
        for name, value in settings.items():
            setattr(budget, name, value)
        if budget.interval is not None:
            budget.start = self.now
        if budget.velocity is None:
            budget.speed = None
        elif velocity is None:
            budget.speed = Speed(self.now)
        elif velocity[1] != budget.velocity[1] and budget.speed is not None:
            budget.speed = Speed(self.now, tripped=budget.speed.tripped)

    # -- time, and a daemon that dies

    def tidy(self) -> None:
        for budget in self.budgets.values():
            self.roll(budget)
            idle = [name for name, (_, at) in budget.sessions.items() if at <= self.now - DAY]
            for name in idle:
                del budget.sessions[name]
        lapsed = [name for name, hold in self.holds.items() if hold.expires and hold.expires <= self.now - DAY]
        for name in lapsed:
            del self.holds[name]

    def recover(self) -> int:
        calls = [name for name, hold in self.holds.items() if hold.expires is None]
        for name in calls:
            self.settle(name, self.holds[name].amount)
        return len(calls)
