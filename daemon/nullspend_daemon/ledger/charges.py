"""Charging spend to budgets: each is read once, brought into its current period, and written once a transaction."""

from collections.abc import Iterable, Sequence

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger import alerts
from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.budgets import Budget, Entity, find, from_row, store_roll
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Tx

_OF_HOLD = "SELECT b.* FROM hold_entities h JOIN budgets b ON b.id = h.budget_id WHERE h.hold_id = ? ORDER BY 3, 4"
_STORE = "UPDATE budgets SET spend_microdollars = ? WHERE id = ?"


class Charges:
    """The charges of one transaction, however many events it holds. Nothing is ever denied here."""

    def __init__(self, tx: Tx, org_id: str) -> None:
        self._tx = tx
        self._org_id = org_id
        self._by_entity: dict[Entity, str | None] = {}
        self._budgets: dict[str, Budget] = {}
        self._spends: dict[str, int] = {}

    def of_entities(self, entities: Iterable[Entity]) -> list[str]:
        """The ids of the budgets that these entities have."""
        found = [self._of_entity(entity) for entity in entities]
        return [budget_id for budget_id in found if budget_id is not None]

    def of_hold(self, hold_id: str) -> list[str]:
        """The ids of the budgets a hold counts against; those deleted since are not among them."""
        return [self._known(from_row(row)) for row in self._tx.all(_OF_HOLD, (hold_id,))]

    def of_ids(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that are still there."""
        rows = [self._tx.one("SELECT * FROM budgets WHERE id = ?", (budget_id,)) for budget_id in ids]
        return [self._known(from_row(row)) for row in rows if row is not None]

    def periods(self, ids: Sequence[str]) -> dict[str, int]:
        """The number of the period each budget is in: what an event keeps about what it was charged to."""
        return {budget_id: self._budgets[budget_id].period_number for budget_id in ids}

    def charge(self, ids: Iterable[str], cause: Cause, *, reported: bool = False) -> None:
        """Add the cost of `cause` to each budget and stage the thresholds it crosses; a negative cost takes back.

        `reported` spend, which nothing could deny, also sends `budget.exceeded` when it reaches a limit.
        """
        if cause.cost == 0:
            return
        for budget_id in ids:
            budget = self._budgets[budget_id]
            before = self._spends.get(budget_id, budget.spend)
            # The sum stops at the largest amount the API carries, and at 0.
            after = self._spends[budget_id] = max(0, min(before + cause.cost, MAX_MICRODOLLARS))
            self._stage(alerts.crossings(budget, before, after, cause.request_id))
            if reported:
                self._stage(alerts.reported_over_limit(budget, before, after, cause))

    def store(self) -> None:
        """Write the spends that changed."""
        self._tx.executemany(_STORE, [(spend, budget_id) for budget_id, spend in self._spends.items()])

    def _stage(self, staged: Iterable[alerts.Alert]) -> None:
        for event_type, data in staged:
            outbox.stage(self._tx, self._org_id, event_type, data)

    def _of_entity(self, entity: Entity) -> str | None:
        if entity not in self._by_entity:
            stored = find(self._tx, self._org_id, entity)
            self._by_entity[entity] = None if stored is None else self._known(stored)
        return self._by_entity[entity]

    def _known(self, stored: Budget) -> str:
        """Remember a budget in its current period, unless it was met before."""
        if stored.id not in self._budgets:
            self._budgets[stored.id] = store_roll(self._tx, stored)
        return stored.id
