"""The dearest traces of a window, without reading every trace.

A trace's whole cost is the most it can have cost in the window. Traces are read from the dearest down; once the next
one's whole cost is below the last kept cost, no later trace can belong to the list.
"""

from nullspend_daemon.http.route import Record
from nullspend_daemon.http.windows import Window, shown
from nullspend_daemon.ledger.rollups import ESTIMATED_TAG
from nullspend_daemon.store.transaction import Row, Tx

_FROM_THE_TOP = (
    "SELECT * FROM cost_traces WHERE org_id = ? AND last_day >= ? ORDER BY cost_microdollars DESC, trace_id DESC"
)
_IN_WINDOW = (
    "SELECT count(*) AS requests, coalesce(sum(cost_microdollars), 0) AS cost FROM cost_events"
    " WHERE org_id = ? AND trace_id = ? AND created_at >= ?"
)
_NOT_ESTIMATED = f" AND coalesce(tags ->> '$.{ESTIMATED_TAG}', '') != 'true'"


def dearest_traces(tx: Tx, org_id: str, window: Window, most: int) -> list[Record]:
    """The `most` dearest traces with their cost in the window, the dearest first, equal ones by id."""
    kept: list[tuple[int, str, int]] = []
    for row in tx.execute(_FROM_THE_TOP, (org_id, window.first_day)):
        if len(kept) >= most and row["cost_microdollars"] < -kept[most - 1][0]:
            break
        cost, requests = _within(tx, row, window)
        if requests:
            kept = sorted([*kept, (-cost, row["trace_id"], requests)])[:most]
    return [
        {"traceId": trace_id, "totalCostMicrodollars": shown(-negative), "requestCount": requests}
        for negative, trace_id, requests in kept
    ]


def _within(tx: Tx, row: Row, window: Window) -> tuple[int, int]:
    """(cost, requests) of a trace in the window: its own sums when they are all in it, else from its events."""
    whole = row["first_day"] >= window.first_day
    if whole and not (window.without_estimated and row["estimated_requests"]):
        return row["cost_microdollars"], row["requests"]
    sql = _IN_WINDOW + (_NOT_ESTIMATED if window.without_estimated else "")
    found = tx.all(sql, (row["org_id"], row["trace_id"], window.start_ms))[0]
    return found["cost"], found["requests"]
