"""GET /api/cost-events/:id/bodies: what a captured call sent and got."""

from typing import Any

from pydantic_core import from_json

from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.ledger.bodies import find_bodies
from nullspend_daemon.store.transaction import Tx


def get_bodies(tx: Tx, call: Call[None, None]) -> Record:
    """Show the captured request and response of an event; null where nothing was captured."""
    org_id = call.caller.org_id
    request_id = tx.value("SELECT request_id FROM cost_events WHERE id = ? AND org_id = ?", (call.params["id"], org_id))
    if request_id is None:
        raise NotFound("Cost event not found.")
    found = find_bodies(tx, org_id, request_id)
    if found is None:
        return {"requestBody": None, "responseBody": None}
    if found.is_stream and found.response is not None:
        return {"requestBody": _json(found.request), "responseBody": {"_format": "sse", "text": found.response}}
    return {"requestBody": _json(found.request), "responseBody": _json(found.response)}


def _json(text: str | None) -> Any:
    """The JSON value, or the text itself when redaction or the provider left no JSON."""
    if text is None:
        return None
    try:
        return from_json(text)
    except ValueError:
        return text
