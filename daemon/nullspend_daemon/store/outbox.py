"""What the world should hear of: one row an event, in the transaction of its cause. Delivery reads from here."""

from typing import Any

from pydantic_core import to_json

from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.store import deliveries, slack_queue
from nullspend_daemon.store.transaction import Row, Tx

TOPIC = "outbox"
_INSERT = "INSERT INTO outbox (id, org_id, type, object, created_at, resent, wanted) VALUES (?, ?, ?, ?, ?, ?, ?)"


def stage(tx: Tx, org_id: str, event_type: str, data: dict[str, Any]) -> str:
    """Stage an event of the catalogue with its `data.object`; returns its id. Listeners of TOPIC hear of the commit."""
    event_id = new_id(Kind.WEBHOOK_EVENT, tx.now_ms)
    wanted = deliveries.is_wanted(tx, org_id, event_type)
    seq = _insert(tx, (event_id, org_id, event_type, to_json(data).decode(), tx.now_ms, 0, wanted))
    if event_type in slack_queue.TOLD:
        slack_queue.add_event(tx, org_id, seq, data.get("action_id"))
    return event_id


def stage_again(tx: Tx, row: Row) -> int:
    """Put an event into the log once more, as it was, for those who listen; returns its new number."""
    return _insert(tx, (row["id"], row["org_id"], row["type"], row["object"], row["created_at"], 1, 0))


def event_of(row: Row) -> Event:
    """The event of an outbox row."""
    return Event(row["id"], row["type"], row["object"], row["created_at"])


def cut(tx: Tx, keep: int) -> int:
    """Keep the newest `keep` events, and what a delivery may still need; returns how many rows went."""
    newest = tx.value("SELECT max(seq) FROM outbox") or 0
    needed = deliveries.oldest_event(tx)
    last = newest - keep if needed is None else min(newest - keep, needed - 1)
    return tx.changed("DELETE FROM outbox WHERE seq <= ?", (last,))


def _insert(tx: Tx, values: tuple[Any, ...]) -> int:
    seq = tx.execute(_INSERT, values).lastrowid
    tx.notify(TOPIC)
    return seq or 0
