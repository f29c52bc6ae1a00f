"""A budget as the ledger sees it: its row with the current period applied, and the entities a call matches."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.ledger.periods import Interval, current_start
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Row, Tx

Entity = tuple[str, str]
"""(type, id): user, api_key, tag or customer, and the id as the API shows it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget in its current period. Money in microdollars, times in epoch ms. Fields stand as in the table."""

    id: str
    org_id: str
    entity_type: str
    entity_id: str
    limit: int
    spend: int
    policy: str
    interval: Interval | None
    period_start: int | None
    thresholds: tuple[int, ...]
    velocity_limit: int | None
    velocity_window_seconds: int
    velocity_cooldown_seconds: int
    session_limit: int | None
    reserve: int
    period_number: int
    """Counts periods and resets: what was charged under another number is not part of `spend`."""

    @property
    def remaining(self) -> int:
        """What is left of the limit, never below 0; holds and the finalization reserve are not subtracted."""
        return max(0, self.limit - self.spend)

    @property
    def entity_keys(self) -> dict[str, str]:
        """The two keys that name a budget in every webhook event about it."""
        return {"budget_entity_type": self.entity_type, "budget_entity_id": self.entity_id}

    def at(self, now_ms: int) -> "Budget":
        """The same budget in the period of `now_ms`: nothing spent yet when that period is a new one."""
        if self.interval is None or self.period_start is None:
            return self
        start = current_start(self.period_start, self.interval, now_ms)
        if start == self.period_start:
            return self
        return replace(self, spend=0, period_start=start, period_number=self.period_number + 1)


def from_row(row: Row) -> Budget:
    """A budget as stored, its period not yet applied. `row` begins with the columns of the table, in their order.

    Read by position: a call reads several budgets, and looking twenty names up in each takes longer than the query.
    """
    values: list[Any] = list(row[:_FIELDS])
    values[_THRESHOLDS] = _percentages(values[_THRESHOLDS])
    values.append(row["period_number"])
    return Budget(*values)


_FIELDS = 15
_THRESHOLDS = 9


@lru_cache(maxsize=1024)
def _percentages(text: str) -> tuple[int, ...]:
    return tuple(from_json(text))


def find(tx: Tx, org_id: str, entity: Entity) -> Budget | None:
    """The budget of one entity as stored, or None."""
    row = tx.one("SELECT * FROM budgets WHERE org_id = ? AND entity_type = ? AND entity_id = ?", (org_id, *entity))
    return None if row is None else from_row(row)


def set_limit(tx: Tx, budget: Budget, limit: int) -> None:
    """Change the limit of a stored budget, in microdollars; what is spent stays."""
    tx.execute("UPDATE budgets SET max_microdollars = ?, updated_at = ? WHERE id = ?", (limit, tx.now_ms, budget.id))


def matching_entities(user_id: str, key_id: str, tags: dict[str, str], customer: str | None) -> list[Entity]:
    """Every entity a call of a key is charged to, in (type, id) order: its user, itself, each tag, the customer.

    The customer counts as tag `customer` too, so that a tag budget `customer=acme` sees it.
    """
    named = {f"{key}={value}" for key, value in tags.items()}
    entities: set[Entity] = {("user", user_id), ("api_key", key_id)}
    if customer is not None:
        entities.add(("customer", customer))
        named.add(f"customer={customer}")
    return sorted(entities | {("tag", tag) for tag in named})


_START_PERIOD = (
    "UPDATE budgets SET spend_microdollars = 0, carried_microdollars = 0, period_number = period_number + 1,"
    " period_start = ? WHERE id = ?"
)


def start_period(tx: Tx, budget_id: str, start_ms: int) -> None:
    """Begin a period at `start_ms`: nothing is spent yet. Holds of calls in flight stay and will be charged to it."""
    tx.execute(_START_PERIOD, (start_ms, budget_id))


def store_roll(tx: Tx, stored: Budget) -> Budget:
    """Apply the current period to a stored budget; when a new one began, write it and stage `budget.reset`."""
    budget = stored.at(tx.now_ms)
    if budget is stored or budget.period_start is None:
        return stored
    start_period(tx, budget.id, budget.period_start)
    outbox.stage(
        tx,
        budget.org_id,
        "budget.reset",
        {
            **budget.entity_keys,
            "budget_limit_microdollars": budget.limit,
            "previous_spend_microdollars": stored.spend,
            "new_period_start": to_iso(budget.period_start),
            "reset_interval": budget.interval,
        },
    )
    return budget


def store_lapsed(tx: Tx) -> int:
    """Roll every budget whose period is over, in all orgs; returns how many."""
    rows = tx.all("SELECT * FROM budgets WHERE reset_interval IS NOT NULL AND period_start IS NOT NULL")
    stored = [from_row(row) for row in rows]
    return sum(store_roll(tx, budget) is not budget for budget in stored)
