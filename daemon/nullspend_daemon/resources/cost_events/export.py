"""GET /api/cost-events/export: the newest 10,000 matching events as CSV."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.money import usd_text
from nullspend_daemon.http.route import Call, Document
from nullspend_daemon.resources.cost_events.csv import attachment, csv_text
from nullspend_daemon.resources.cost_events.filters import matching
from nullspend_daemon.resources.cost_events.models import ExportQuery
from nullspend_daemon.store.pages import NEWEST_FIRST
from nullspend_daemon.store.transaction import Row, Tx

MOST_ROWS = 10_000
_PARTS = {
    "cost_breakdown_input": "input",
    "cost_breakdown_output": "output",
    "cost_breakdown_cached": "cached",
    "cost_breakdown_reasoning": "reasoning",
    "cost_breakdown_tool_definition": "toolDefinition",
}
_STORED = (
    "id",
    "request_id",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost_microdollars",
)
_STORED_TOO = ("duration_ms", "source", "session_id", "trace_id", "key_name")
COLUMNS = (*_STORED, "cost_usd", *_STORED_TOO, "created_at", *_PARTS)


def export(tx: Tx, call: Call[None, ExportQuery]) -> Document:
    """Export the newest 10,000 matching cost events as CSV."""
    select, params = matching(tx, call.caller.org_id, call.query)
    rows = tx.execute(f"{select} {NEWEST_FIRST} LIMIT {MOST_ROWS}", params)
    return attachment(csv_text(COLUMNS, map(_cells, rows)), "nullspend-cost-events", tx.now_ms)


def _cells(row: Row) -> list[Any]:
    return [
        *(row[name] for name in _STORED),
        usd_text(row["cost_microdollars"]),
        *(row[name] for name in _STORED_TOO),
        to_iso(row["created_at"]),
        *_breakdown(row),
    ]


def _breakdown(row: Row) -> Iterator[int | None]:
    parts = from_json(row["cost_breakdown"]) if row["cost_breakdown"] else {}
    return (parts.get(name) for name in _PARTS.values())
