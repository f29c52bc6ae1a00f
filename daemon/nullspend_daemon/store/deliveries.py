"""Who is to hear of an event: one delivery for each endpoint that wants it.

The event itself says, in its own transaction, that somebody wants it. The deliveries are made from that a moment later,
many at once, so that reporting a cost takes no longer with many endpoints than with one; and before an endpoint
changes, so that each event goes to whoever wanted it when it happened.
"""

from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.store.transaction import Tx

TOPIC = "deliveries"
"""Notified when there is something to send."""
ENDPOINTS = "webhook endpoints"
"""Notified when an endpoint has changed: what was read of it before no longer counts."""
AT_ONCE = 500
"""Deliveries made in one transaction that others wait for."""

_WANTING = (
    " FROM webhook_endpoints WHERE org_id = ? AND enabled = 1 AND (event_types = '[]' OR instr(event_types, ?) > 0)"
)
_ADD = (
    "INSERT INTO webhook_deliveries (id, endpoint_seq, event_seq, status, due_at, created_at)"
    " VALUES (?, ?, ?, 'pending', ?, ?)"
)


def is_wanted(tx: Tx, org_id: str, event_type: str) -> bool:
    """Whether an enabled endpoint of the organization takes events of a type."""
    wanted = tx.value(f"SELECT 1{_WANTING} LIMIT 1", (org_id, f'"{event_type}"')) is not None
    if wanted:
        tx.notify(TOPIC)
    return wanted


def fan_out(tx: Tx, most: int = -1) -> int:
    """Make the deliveries of the oldest `most` events that have none yet, of all with -1; returns of how many."""
    events = tx.all("SELECT seq, org_id, type, created_at FROM outbox WHERE wanted = 1 ORDER BY seq LIMIT ?", (most,))
    wanting: dict[tuple[str, str], list[int]] = {}
    rows: list[tuple[str, int, int, int, int]] = []
    for event in events:
        asked = event["org_id"], f'"{event["type"]}"'
        if asked not in wanting:
            wanting[asked] = [row["seq"] for row in tx.all(f"SELECT seq{_WANTING}", asked)]
        rows += [_row(endpoint, event["seq"], event["created_at"]) for endpoint in wanting[asked]]
    if events:
        tx.executemany(_ADD, rows)
        tx.execute("UPDATE outbox SET wanted = 0 WHERE wanted = 1 AND seq <= ?", (events[-1]["seq"],))
    return len(events)


def fan_out_some(tx: Tx) -> bool:
    """As `fan_out`, for about as many events as make AT_ONCE deliveries; returns whether there may be more."""
    endpoints = tx.value("SELECT count(*) FROM webhook_endpoints WHERE enabled = 1")
    most = max(1, AT_ONCE // max(1, endpoints))
    return fan_out(tx, most) == most


def add(tx: Tx, endpoint_seq: int, event_seq: int) -> str:
    """Add a delivery that is due now; returns its id."""
    row = _row(endpoint_seq, event_seq, tx.now_ms)
    tx.execute(_ADD, row)
    tx.notify(TOPIC)
    return row[0]


def earliest_wanted(tx: Tx) -> int | None:
    """When (epoch ms) the oldest event happened whose deliveries are still to be made; None when there is none."""
    return tx.value("SELECT created_at FROM outbox WHERE wanted = 1 ORDER BY seq LIMIT 1")


def oldest_event(tx: Tx) -> int | None:
    """The number of the oldest event that a delivery, made or still to be made, refers to; None when there is none."""
    made = tx.value("SELECT min(event_seq) FROM webhook_deliveries")
    wanted = tx.value("SELECT min(seq) FROM outbox WHERE wanted = 1")
    return min((seq for seq in (made, wanted) if seq is not None), default=None)


def _row(endpoint_seq: int, event_seq: int, due_at: int) -> tuple[str, int, int, int, int]:
    return new_id(Kind.DELIVERY, due_at), endpoint_seq, event_seq, due_at, due_at
