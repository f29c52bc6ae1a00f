"""Charging reported spend: every matching budget, in the transaction of the event. Reported spend is never denied."""

from collections.abc import Iterable

from nullspend_daemon.ledger import alerts
from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.budgets import Budget, Entity, find, store_roll
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Tx


class Charges:
    """The charges of one transaction. Budgets are read once and written once, however many events a batch holds."""

    def __init__(self, tx: Tx, org_id: str) -> None:
        self._tx = tx
        self._org_id = org_id
        self._budgets: dict[Entity, Budget | None] = {}
        self._touched: set[Entity] = set()

    def charge(self, entities: Iterable[Entity], cause: Cause) -> None:
        """Add the cost of `cause` to each entity's budget and stage the alerts it sets off; nothing for a zero cost."""
        if cause.cost <= 0:
            return
        for entity in entities:
            before = self._budget(entity)
            if before is None:
                continue
            after = self._budgets[entity] = before.charged(cause.cost)
            self._touched.add(entity)
            for event_type, data in (
                *alerts.crossings(before, after, cause.request_id),
                *alerts.reported_over_limit(before, after, cause),
            ):
                outbox.stage(self._tx, self._org_id, event_type, data)

    def store(self) -> None:
        """Write the spends that changed."""
        for entity in self._touched:
            budget = self._budgets[entity]
            if budget is not None:
                self._tx.execute("UPDATE budgets SET spend_microdollars = ? WHERE id = ?", (budget.spend, budget.id))

    def _budget(self, entity: Entity) -> Budget | None:
        if entity not in self._budgets:
            stored = find(self._tx, self._org_id, entity)
            self._budgets[entity] = None if stored is None else store_roll(self._tx, stored)
        return self._budgets[entity]
