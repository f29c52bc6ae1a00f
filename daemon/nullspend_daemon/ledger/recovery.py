"""After a crash: what was in flight may have been spent, so every hold a dead daemon left behind becomes an event."""

from dataclasses import fields

from pydantic_core import from_json

from nullspend_daemon.ledger.events import NewEvent
from nullspend_daemon.ledger.holds import settle
from nullspend_daemon.ledger.rollups import ESTIMATED_TAG
from nullspend_daemon.store.transaction import Tx

RECOVERED_TAG = "_ns_recovered"
_KNOWN = frozenset(field.name for field in fields(NewEvent))


def recover(tx: Tx) -> int:
    """Settle every call's hold at its own amount, as an event tagged so; returns how many.

    Called at start, before anything is served. Reservations are left to expire.
    """
    rows = tx.all("SELECT id, amount_microdollars, draft FROM holds WHERE draft IS NOT NULL ORDER BY created_at, id")
    for row in rows:
        event = _drafted(row["draft"])
        event.cost_microdollars = row["amount_microdollars"]
        event.tags |= {ESTIMATED_TAG: "true", RECOVERED_TAG: "true"}
        settle(tx, row["id"], event)
    return len(rows)


def _drafted(draft: str) -> NewEvent:
    """The event of a draft; it may have been written by an older version, with fields there are no more."""
    return NewEvent(**{name: value for name, value in from_json(draft).items() if name in _KNOWN})
