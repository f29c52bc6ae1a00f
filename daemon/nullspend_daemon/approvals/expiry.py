"""Pending actions whose time is over: noticed at the next look at them, or by the background pass."""

from nullspend_daemon.approvals.actions import event_object, find
from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Row, Tx

SLICE = 500
_DUE = "SELECT * FROM actions WHERE status = 'pending' AND expires_at <= ?"


def is_due(row: Row, now_ms: int) -> bool:
    """Whether a stored action is still pending although its time is over."""
    return row["status"] == "pending" and row["expires_at"] is not None and row["expires_at"] <= now_ms


def has_due(tx: Tx, org_id: str) -> bool:
    """Whether an org has actions to expire."""
    return tx.one(f"{_DUE} AND org_id = ? LIMIT 1", (tx.now_ms, org_id)) is not None


def expire_due_in(tx: Tx, org_id: str) -> None:
    """Expire whatever is due in one org."""
    for row in tx.all(f"{_DUE} AND org_id = ? ORDER BY expires_at, id", (tx.now_ms, org_id)):
        expire(tx, row)


def expire_due(tx: Tx) -> int:
    """Expire a slice of what is due in all orgs, the longest overdue first; returns how many."""
    rows = tx.all(f"{_DUE} ORDER BY expires_at, id LIMIT ?", (tx.now_ms, SLICE))
    for row in rows:
        expire(tx, row)
    return len(rows)


def expire(tx: Tx, row: Row) -> None:
    """Mark one pending action as expired now, and stage `action.expired`."""
    tx.execute("UPDATE actions SET status = 'expired', expired_at = ? WHERE id = ?", (tx.now_ms, row["id"]))
    expired = find(tx, row["org_id"], row["id"])
    outbox.stage(
        tx, row["org_id"], "action.expired", {**event_object(expired), "expired_at": to_iso(expired["expired_at"])}
    )
