"""How fast budgets are being spent: core 4.6."""

import logging
import sqlite3

from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.store.transaction import Row, Tx

log = logging.getLogger(__name__)
_SELECT = (
    "SELECT b.entity_type, b.entity_id, b.velocity_window_seconds, v.* FROM budget_velocity v"
    " JOIN budgets b ON b.id = v.budget_id WHERE b.org_id = ? ORDER BY b.entity_type, b.entity_id"
)


def velocity_status(tx: Tx, call: Call[None, None]) -> Record:
    """List how fast each budget with a velocity limit is being spent, and whether its breaker is open."""
    try:
        rows = tx.all(_SELECT, (call.caller.org_id,))
    except sqlite3.Error as error:  # by contract never an error
        log.error("the velocity states cannot be read: %s", error)
        rows = []
    return {"velocityState": [_state(row) for row in rows]}


def _state(row: Row) -> Record:
    """The counters as the last check left them; the next one brings them up to date."""
    return {
        "entity_key": f"{row['entity_type']}:{row['entity_id']}",
        "window_size_ms": 1000 * row["velocity_window_seconds"],
        "window_start_ms": row["window_start"],
        "current_count": row["current_count"],
        "current_spend": row["current_microdollars"],
        "prev_count": row["previous_count"],
        "prev_spend": row["previous_microdollars"],
        "tripped_at": row["tripped_at"],
    }
