"""Deleting old events, a few at a time: the writer is never held up for long, and every derived figure follows."""

import time

from pydantic_core import from_json

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger.events import counted_row
from nullspend_daemon.ledger.rollups import Rollups
from nullspend_daemon.store.transaction import Row, Tx

SLICE_SECONDS = 0.01
"""How long one transaction goes on deleting. Taking the roll-ups back and the commit take about as long again: together
well under the 50 ms that a waiting request may notice."""
_STEP = 5
"""Events between two looks at the clock: their rows may have to come from the disk, a dozen pages each."""
_REDUCE_SESSION = (
    "UPDATE cost_sessions SET event_count = event_count - 1, cost_microdollars = max(0, cost_microdollars - ?),"
    " first_event_at = coalesce((SELECT min(created_at) FROM cost_events"
    " WHERE org_id = cost_sessions.org_id AND session_id = cost_sessions.session_id), first_event_at)"
    " WHERE org_id = ? AND session_id = ?"
)

_CARRY = (
    f"UPDATE budgets SET carried_microdollars = min(carried_microdollars + ?, {MAX_MICRODOLLARS})"
    " WHERE id = ? AND period_number = ?"
)


def drop_old_events(tx: Tx, keep_ms: int) -> int:
    """Delete events older than `keep_ms`, the oldest first, for at most a slice of time; returns how many went."""
    ends = time.perf_counter() + SLICE_SECONDS
    rollups = Rollups(tx)
    dropped = 0
    while time.perf_counter() < ends:
        # The primary key is the order of arrival, so the oldest events are the first rows.
        rows = tx.all(
            "SELECT * FROM (SELECT * FROM cost_events ORDER BY seq LIMIT ?) WHERE created_at <= ?",
            (_STEP, tx.now_ms - keep_ms),
        )
        for row in rows:
            _drop(tx, rollups, row)
        dropped += len(rows)
        if len(rows) < _STEP:
            break
    rollups.store()
    return dropped


def _drop(tx: Tx, rollups: Rollups, row: Row) -> None:
    rollups.take_back(counted_row(row))
    charged: dict[str, int] = from_json(row["charged"] or "{}")
    # What a budget has spent in its current period stays spent.
    tx.executemany(_CARRY, [(row["cost_microdollars"], budget_id, number) for budget_id, number in charged.items()])
    tx.execute("DELETE FROM cost_events WHERE seq = ?", (row["seq"],))
    tx.execute("DELETE FROM event_bodies WHERE org_id = ? AND request_id = ?", (row["org_id"], row["request_id"]))
    if row["session_id"] is not None:
        tx.execute(_REDUCE_SESSION, (row["cost_microdollars"], row["org_id"], row["session_id"]))
        tx.execute(
            "DELETE FROM cost_sessions WHERE org_id = ? AND session_id = ? AND event_count <= 0",
            (row["org_id"], row["session_id"]),
        )
