"""Reading cost events: core 5.3 and 5.4."""

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.errors import NotFound, ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.cost_events.filters import matching
from nullspend_daemon.resources.cost_events.models import ListCostEvents
from nullspend_daemon.resources.cost_events.records import SELECT, record
from nullspend_daemon.store.pages import fetch_page
from nullspend_daemon.store.transaction import Tx


def list_cost_events(tx: Tx, call: Call[None, ListCostEvents]) -> Record:
    """List the organization's cost events, newest first."""
    query = call.query
    select, params = matching(tx, call.caller.org_id, query)
    page = fetch_page(tx, select, params, cursor=query.cursor, limit=query.limit)
    return {"data": [record(row) for row in page.rows], "cursor": page.next and page.next.on_the_wire()}


def get_cost_event(tx: Tx, call: Call[None, None]) -> Record:
    """Show one cost event."""
    row = tx.one(f"{SELECT} WHERE id = ? AND org_id = ?", (call.params["id"], call.caller.org_id))
    if row is None:
        raise NotFound("Cost event not found.")
    return record(row)


def read_event_id(text: str) -> str:
    """The `{id}` of a cost event's path, with or without prefix. Raises ValidationFailed without details."""
    try:
        return parse_id(Kind.COST_EVENT, text, bare=True)
    except InvalidId:
        raise ValidationFailed("Invalid cost event ID.") from None
