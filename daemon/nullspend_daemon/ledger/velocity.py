"""How fast a budget is spent: two fixed windows weighed into a sliding one, and a breaker with a cooldown. Pure.

Estimates are counted and never corrected to what a call really cost. Money in microdollars, times in epoch ms.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from nullspend_daemon.contract.money import MAX_MICRODOLLARS


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent in a window, and how long the breaker stays open once it trips."""

    microdollars: int
    window_ms: int
    cooldown_ms: int


@dataclass(frozen=True, slots=True)
class Velocity:
    """The state of one budget."""

    window_start: int
    current_count: int = 0
    current: int = 0
    previous_count: int = 0
    previous: int = 0
    tripped_at: int | None = None
    tripped_spend: int = 0

    def counted(self, estimate: int) -> "Velocity":
        """The state after an approved call; the sum stops at the largest amount the API carries."""
        current = min(self.current + estimate, MAX_MICRODOLLARS)
        return replace(self, current=current, current_count=self.current_count + 1)


class Tested(NamedTuple):
    """What testing a call came to: the state after it, and how."""

    state: Velocity
    outcome: Literal["passed", "recovered", "tripped", "cooling"]
    retry_after_seconds: int = 0

    @property
    def denies(self) -> bool:
        """Whether the call must not go on."""
        return self.outcome in ("tripped", "cooling")


def check(state: Velocity | None, limit: Limit, estimate: int, now: int) -> Tested:
    """Test a call of `estimate`; what it adds is counted separately, once every other test has passed too.

    A budget without a state yet, and the first call after a cooldown, always pass.
    """
    if state is None:
        return Tested(Velocity(now), "passed")
    if state.tripped_at is not None:
        left = state.tripped_at + limit.cooldown_ms - now
        return Tested(state, "cooling", _seconds(left)) if left > 0 else Tested(Velocity(now), "recovered")
    state = _rotated(state, limit.window_ms, now)
    # The weighed sum times the window's length, so that it is an integer.
    scaled = state.previous * _weight(state, limit.window_ms, now) + state.current * limit.window_ms
    if scaled + estimate * limit.window_ms <= limit.microdollars * limit.window_ms:
        return Tested(state, "passed")
    spend = min((2 * scaled + limit.window_ms) // (2 * limit.window_ms), MAX_MICRODOLLARS)
    return Tested(replace(state, tripped_at=now, tripped_spend=spend), "tripped", _seconds(limit.cooldown_ms))


def _rotated(state: Velocity, window_ms: int, now: int) -> Velocity:
    """The state in the window of `now`; windows after the first are aligned to multiples of their length."""
    if now < state.window_start + window_ms:
        return state
    start = now - now % window_ms
    if start > state.window_start + window_ms:  # a whole window without a call lies between
        return Velocity(start)
    return Velocity(start, previous_count=state.current_count, previous=state.current)


def _weight(state: Velocity, window_ms: int, now: int) -> int:
    """How much of the previous window still lies in the sliding one, in ms."""
    return max(0, window_ms - (now - state.window_start))


def _seconds(ms: int) -> int:
    return -(-ms // 1000)
