"""May a call go on? Pure: matched budgets, the call and the time in, a decision out. Money in microdollars.

The tests run in this order, each over all budgets in (type, id) order, and the first that fails denies: session
limits, velocity, budgets. Period resets come before and are not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nullspend_daemon.ledger.budgets import Budget
from nullspend_daemon.ledger.velocity import Limit, Velocity, check


@dataclass(frozen=True, slots=True)
class Matched:
    """A budget that a call counts against, in its current period, with what counts besides its spend."""

    budget: Budget
    reserved: int
    velocity: Velocity | None = None
    session_spend: int = 0
    """Of the call's session: settled and held."""

    @property
    def used(self) -> int:
        """Spent or held."""
        return self.budget.spend + self.reserved

    @property
    def remaining(self) -> int:
        """What neither is spent nor held, never below 0."""
        return max(0, self.budget.limit - self.used)

    @property
    def ordinary(self) -> int:
        """What a call without the right to the finalization reserve may still take."""
        return max(0, self.remaining - self.budget.reserve)

    @property
    def velocity_limit(self) -> Limit | None:
        """The budget's velocity limit, if it has one."""
        budget = self.budget
        if budget.velocity_limit is None:
            return None
        window_ms, cooldown_ms = 1000 * budget.velocity_window_seconds, 1000 * budget.velocity_cooldown_seconds
        return Limit(budget.velocity_limit, window_ms, cooldown_ms)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call wants: its estimate, its session, and whether it may use finalization reserves."""

    estimate: int
    session_id: str | None = None
    finalize: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The tightest matched budget, as the X-NullSpend-Budget-* headers show it; the call itself counts as spent."""

    entity_type: str
    entity_id: str
    limit: int
    spent: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which budget refuses a call, and why."""

    test: Literal["session", "velocity", "budget"]
    by: Matched
    tripped: bool = False
    retry_after_seconds: int | None = None
    velocity_spend: int = 0


@dataclass(slots=True)
class Decision:
    """The outcome: refused or not, and every velocity state to store, also when refused."""

    refusal: Refusal | None = None
    over_limit: bool = False
    """A soft budget let the call through although it asks for more than there is."""
    standing: Standing | None = None
    velocities: dict[str, Velocity] = field(default_factory=dict[str, Velocity])
    recovered: list[Budget] = field(default_factory=list[Budget])


def decide(matched: Sequence[Matched], ask: Ask, now: int) -> Decision:
    """Decide about a call. `matched` stands in (type, id) order; `now` is epoch ms."""
    decision = Decision()
    decision.refusal = (
        _session_refusal(matched, ask)
        or _velocity_refusal(matched, ask, now, decision)
        or _budget_refusal(matched, ask)
    )
    passed = decision.refusal is None
    if passed:
        _count(matched, ask, decision)
    decision.standing = _standing(matched, ask.estimate if passed else 0)
    return decision


def _session_refusal(matched: Sequence[Matched], ask: Ask) -> Refusal | None:
    if ask.session_id is None:
        return None
    for one in matched:
        limit = one.budget.session_limit
        if limit is not None and one.session_spend + ask.estimate > limit:
            return Refusal("session", one)
    return None


def _velocity_refusal(matched: Sequence[Matched], ask: Ask, now: int, decision: Decision) -> Refusal | None:
    for one in matched:
        limit = one.velocity_limit
        if limit is None:
            continue
        tested = check(one.velocity, limit, ask.estimate, now)
        decision.velocities[one.budget.id] = tested.state
        if tested.outcome == "recovered":
            decision.recovered.append(one.budget)
        if tested.denies:
            return Refusal(
                "velocity",
                one,
                tripped=tested.outcome == "tripped",
                retry_after_seconds=tested.retry_after_seconds,
                velocity_spend=tested.state.tripped_spend,
            )
    return None


def _budget_refusal(matched: Sequence[Matched], ask: Ask) -> Refusal | None:
    for one in matched:
        free = one.remaining if ask.finalize else one.ordinary
        if one.budget.policy == "strict_block" and ask.estimate > free:
            return Refusal("budget", one)
    return None


def _count(matched: Sequence[Matched], ask: Ask, decision: Decision) -> None:
    decision.velocities = {name: state.counted(ask.estimate) for name, state in decision.velocities.items()}
    decision.over_limit = any(one.budget.policy == "soft_block" and ask.estimate > one.remaining for one in matched)


def _standing(matched: Sequence[Matched], added: int) -> Standing | None:
    if not matched:
        return None
    # The first of several equally tight ones wins: they stand in (type, id) order.
    one = min(matched, key=lambda m: max(0, m.budget.limit - m.used - added))
    budget, spent = one.budget, one.used + added
    return Standing(budget.entity_type, budget.entity_id, budget.limit, spent, max(0, budget.limit - spent))
