"""GET /_local/events: what happens, as it happens, for whoever listens on this machine.

The outbox log is read from where the listener stands, so nothing is lost between two connections; the bell rings at
each commit that adds to it, so nothing is read while nothing happens. Comments carry an `id` as well: a client that has
heard nothing yet knows where it stands all the same.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from nullspend_daemon import API_VERSION
from nullspend_daemon.contract import envelope
from nullspend_daemon.contract.events import check_type
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.errors import ValidationFailed
from nullspend_daemon.http.caller import ADMIN
from nullspend_daemon.http.route import Call, Route
from nullspend_daemon.http.wire import Moment, Query, Wire, whole_text
from nullspend_daemon.local.models import OrgId
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Row, Tx

COMMENT_SECONDS = 15.0
UP_TO_DATE = "up to date"
"""The comment after the events that were in the log already, for a client that wants those and no more."""
SLICE = 200
"""Events read at once: a listener that is far behind must not hold the log in memory."""


def _types(text: str) -> list[str]:
    return [check_type(name.strip()) for name in text.split(",") if name.strip()]


Number = Annotated[int, whole_text(0, MAX_MICRODOLLARS)]
Types = Annotated[list[str], BeforeValidator(_types, json_schema_input_type=str)]


class Listen(Query):
    """Query of GET /_local/events. Without `after` and `since` only what happens from now on is sent."""

    after: Number | None = None
    """The sequence number of the last event seen; 0 is all there is in the log."""
    since: Moment | None = None
    """A time: everything in the log from then on."""
    types: Types | None = None
    org_id: OrgId | None = None
    """Only the events of one organization."""
    resent: Literal["true", "false"] = "false"
    """Whether events that are sent once more on request are wanted as well."""


class Envelope(Wire):
    """The data of one event: the envelope that webhook receivers get."""

    id: str
    type: str
    api_version: str
    created_at: int
    data: dict[str, Any]


ListenCall = Call[None, Listen]


async def listen(call: ListenCall) -> AsyncGenerator[bytes]:
    """Stream events as server-sent events, from a place in the log onwards."""
    store, staged = call.parts.store, call.parts.staged
    after, opening = await store.read(lambda tx: _start(tx, call))
    yield f": {opening}\nid: {after}\n\n".encode()
    behind = True
    while True:
        news = staged.next()
        after, rows = await store.read(lambda tx, after=after: _after(tx, after, call.query))
        if rows:
            yield b"".join(_event(row) for row in rows)
        elif behind:
            behind = False
            yield f": {UP_TO_DATE}\nid: {after}\n\n".encode()
        elif not await _rung(news):
            yield f":\nid: {after}\n\n".encode()


async def _rung(news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(COMMENT_SECONDS):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _start(tx: Tx, call: ListenCall) -> tuple[int, str]:
    """The number after which to start, and the comment to open with: it says so when the log begins later."""
    newest = int(tx.value("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'") or 0)
    after = _wanted(tx, call)
    if after is None or after > newest:  # beyond the end: the number is of another database
        return newest, "listening"
    oldest = int(tx.value("SELECT min(seq) FROM outbox") or newest + 1)
    if after + 1 < oldest and after > 0:
        return after, f"events {after + 1} to {oldest - 1} are no longer in the log"
    return after, "listening"


def _wanted(tx: Tx, call: ListenCall) -> int | None:
    """Where the client wants to start; None is now. A reconnecting client's header counts before its address."""
    last_seen = call.headers.get("Last-Event-ID", "").strip()
    if last_seen:
        if not (last_seen.isascii() and last_seen.isdigit() and len(last_seen) < 19):
            raise ValidationFailed.at(["Last-Event-ID"], "Must be the id of an event of this stream")
        return int(last_seen)
    if call.query.after is None and call.query.since is not None:
        first = tx.value("SELECT seq FROM outbox WHERE created_at >= ? ORDER BY seq LIMIT 1", (call.query.since,))
        return None if first is None else first - 1
    return call.query.after


def _after(tx: Tx, after: int, query: Listen) -> tuple[int, list[Row]]:
    """The number up to which the log has been looked at, and the wanted events after the given one."""
    newest = int(tx.value("SELECT max(seq) FROM outbox") or 0)
    conditions, params = "" if query.resent == "true" else " AND resent = 0", list[Any]()
    if query.types is not None:
        conditions += f" AND type IN ({', '.join('?' * len(query.types))})"
        params += query.types
    if query.org_id is not None:
        conditions += " AND org_id = ?"
        params.append(query.org_id)
    rows = tx.all(f"SELECT * FROM outbox WHERE seq > ?{conditions} ORDER BY seq LIMIT ?", [after, *params, SLICE])
    return (rows[-1]["seq"] if len(rows) == SLICE else max(after, newest)), rows


def _event(row: Row) -> bytes:
    body = envelope.full(outbox.event_of(row), API_VERSION)
    return f"id: {row['seq']}\nevent: {row['type']}\ndata: {body}\n\n".encode()


ROUTES = [
    Route(
        method="GET",
        path="/_local/events",
        auth=ADMIN,
        query=Listen,
        reply=Envelope,
        streams=listen,
        document_type="text/event-stream",
    ),
]
