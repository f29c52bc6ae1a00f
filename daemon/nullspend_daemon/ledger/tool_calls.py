"""Calls of tools that an MCP proxy reports: their events, and the end of the reservations they were made under."""

from collections.abc import Sequence
from typing import NamedTuple

from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.budgets import matching_entities
from nullspend_daemon.ledger.charges import Charges
from nullspend_daemon.ledger.events import NewEvent, Stored, store_unique
from nullspend_daemon.ledger.holds import charge_session, end
from nullspend_daemon.ledger.rollups import Rollups
from nullspend_daemon.store.transaction import Tx


class ToolCall(NamedTuple):
    """One reported call, and the reservation it was made under, if any."""

    event: NewEvent
    reservation_id: str | None


def settle_tool_calls(tx: Tx, org_id: str, calls: Sequence[ToolCall]) -> list[Stored]:
    """Store 1 or more calls and end their reservations, also expired ones; thresholds see the whole batch at once.

    A call without a reservation is charged like reported spend. One whose reservation is over already, because the
    proxy repeats itself, is charged to nothing.
    """
    charges, rollups = Charges(tx, org_id), Rollups(tx)
    totals: dict[str, int] = {}
    stored: list[Stored] = []
    for call in calls:
        budgets = _charged(tx, charges, org_id, call)
        stored.append(store_unique(tx, rollups, call.event, charges.periods(budgets)))
        for budget_id in budgets:
            totals[budget_id] = totals.get(budget_id, 0) + call.event.cost_microdollars
    first = calls[0].event
    for budget_id, total in totals.items():
        charges.charge([budget_id], Cause(stored[0].request_id, total, first.provider, first.model, tx.now_ms))
    charges.store()
    rollups.store()
    return stored


def _charged(tx: Tx, charges: Charges, org_id: str, call: ToolCall) -> list[str]:
    event = call.event
    if call.reservation_id is None:
        entities = matching_entities(event.user_id, event.api_key_id or "", event.tags, event.customer_id)
        return charges.of_entities(entities)
    if tx.one("SELECT 1 FROM holds WHERE id = ? AND draft IS NULL", (call.reservation_id,)) is None:
        return []  # settled before, or the hold of a call, which only that call ends
    ended = end(tx, charges, org_id, call.reservation_id)
    if ended is None:
        return []
    charge_session(tx, ended, event.cost_microdollars)
    return ended.budgets
