"""What the world should hear of: one row an event, in the transaction of its cause. Delivery reads from here."""

from typing import Any

from pydantic_core import to_json

from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.store import slack_queue
from nullspend_daemon.store.transaction import Row, Tx

TOPIC = "outbox"
_INSERT = "INSERT INTO outbox (id, org_id, type, object, created_at) VALUES (?, ?, ?, ?, ?)"


def stage(tx: Tx, org_id: str, event_type: str, data: dict[str, Any]) -> str:
    """Stage an event of the catalogue with its `data.object`; returns its id. Listeners of TOPIC hear of the commit."""
    event_id = new_id(Kind.WEBHOOK_EVENT, tx.now_ms)
    staged = tx.execute(_INSERT, (event_id, org_id, event_type, to_json(data).decode(), tx.now_ms))
    if event_type in slack_queue.TOLD:
        slack_queue.add_event(tx, org_id, staged.lastrowid, data.get("action_id"))
    tx.notify(TOPIC)
    return event_id


def event_of(row: Row) -> Event:
    """The event of an outbox row."""
    return Event(row["id"], row["type"], row["object"], row["created_at"])
