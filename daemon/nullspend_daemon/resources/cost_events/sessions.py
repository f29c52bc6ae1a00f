"""GET /api/cost-events/sessions and /sessions/:sessionId: what a session cost, and its events in order."""

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.errors import ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.http.windows import shown
from nullspend_daemon.http.wire import Moment, Query
from nullspend_daemon.resources.cost_events.records import SELECT, record
from nullspend_daemon.store.transaction import Row, Tx

PAGE = 25
MOST_EVENTS = 200


class ListSessions(Query):
    """Query of GET /api/cost-events/sessions: the cursor is the time of the last row seen."""

    cursor: Moment | None = None


def list_sessions(tx: Tx, call: Call[None, ListSessions]) -> Record:
    """List sessions, the one with the latest event first."""
    rows = _older_than(tx, call.caller.org_id, call.query.cursor)
    page = rows[:PAGE]
    more = len(rows) > PAGE
    if more and rows[PAGE]["last_event_at"] == page[-1]["last_event_at"]:
        page += _rest_of_moment(tx, page[-1])
    return {
        "data": [_session(row) for row in page],
        "cursor": to_iso(page[-1]["last_event_at"]) if more else None,
    }


def _older_than(tx: Tx, org_id: str, cursor: int | None) -> list[Row]:
    before = "" if cursor is None else " AND last_event_at < ?"
    return tx.all(
        f"SELECT * FROM cost_sessions WHERE org_id = ?{before} ORDER BY last_event_at DESC, session_id DESC LIMIT ?",
        (org_id, *(() if cursor is None else (cursor,)), PAGE + 1),
    )


def _rest_of_moment(tx: Tx, last: Row) -> list[Row]:
    """The sessions that share the last row's millisecond: the cursor, a mere time, would pass over them."""
    return tx.all(
        "SELECT * FROM cost_sessions WHERE org_id = ? AND last_event_at = ? AND session_id < ?"
        " ORDER BY session_id DESC",
        (last["org_id"], last["last_event_at"], last["session_id"]),
    )


def _session(row: Row) -> Record:
    return {
        "sessionId": row["session_id"],
        "eventCount": row["event_count"],
        "totalCostMicrodollars": row["cost_microdollars"],
        "firstEventAt": to_iso(row["first_event_at"]),
        "lastEventAt": to_iso(row["last_event_at"]),
    }


def get_session(tx: Tx, call: Call[None, None]) -> Record:
    """Show a session's first 200 events, the oldest first, and what they add up to."""
    session_id = call.params["session_id"]
    rows = tx.all(
        f"{SELECT} WHERE org_id = ? AND session_id = ? ORDER BY created_at, id LIMIT ?",
        (call.caller.org_id, session_id, MOST_EVENTS),
    )
    return {"sessionId": session_id, "summary": _summary(rows), "events": [record(row) for row in rows]}


def _summary(rows: list[Row]) -> Record:
    return {
        "eventCount": len(rows),
        "totalCostMicrodollars": shown(sum(row["cost_microdollars"] for row in rows)),
        "totalInputTokens": shown(sum(row["input_tokens"] for row in rows)),
        "totalOutputTokens": shown(sum(row["output_tokens"] for row in rows)),
        "totalDurationMs": shown(sum(row["duration_ms"] or 0 for row in rows)),
        "startedAt": to_iso_or_none(rows[0]["created_at"] if rows else None),
        "endedAt": to_iso_or_none(rows[-1]["created_at"] if rows else None),
    }


def read_session_id(text: str) -> str:
    """The `{session_id}` of a path. Raises ValidationFailed without details."""
    if not 1 <= len(text) <= 256:
        raise ValidationFailed("A session id has 1 to 256 characters.")
    return text
