"""Who is to hear of an event: one delivery for each endpoint that wants it, in the transaction of the event itself."""

from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.store.transaction import Tx

TOPIC = "deliveries"
"""Notified when there is something to send."""
ENDPOINTS = "webhook endpoints"
"""Notified when an endpoint has changed: what was read of it before no longer counts."""

_WANTING = (
    "SELECT seq FROM webhook_endpoints WHERE org_id = ? AND enabled = 1"
    " AND (event_types = '[]' OR instr(event_types, ?) > 0)"
)
_ADD = (
    "INSERT INTO webhook_deliveries (id, endpoint_seq, event_seq, status, due_at, created_at)"
    " VALUES (?, ?, ?, 'pending', ?, ?)"
)


def enqueue(tx: Tx, org_id: str, event_seq: int, event_type: str) -> None:
    """Add a delivery of an outbox row for each enabled endpoint of the organization whose filter takes its type."""
    for endpoint in tx.all(_WANTING, (org_id, f'"{event_type}"')):
        add(tx, endpoint["seq"], event_seq)


def add(tx: Tx, endpoint_seq: int, event_seq: int) -> str:
    """Add a delivery that is due now; returns its id."""
    delivery_id = new_id(Kind.DELIVERY, tx.now_ms)
    tx.execute(_ADD, (delivery_id, endpoint_seq, event_seq, tx.now_ms, tx.now_ms))
    tx.notify(TOPIC)
    return delivery_id
