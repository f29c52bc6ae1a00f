"""Captured request and response bodies: off by default, redacted before they come here, kept for some days."""

from dataclasses import dataclass

from nullspend_daemon.store.transaction import Tx

MOST_CHARACTERS = 1_048_576
"""Larger JSON bodies are skipped; streams are cut here."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """What one call sent and got. `response` is raw SSE text when `is_stream`."""

    request: str | None
    response: str | None
    is_stream: bool


def store_bodies(tx: Tx, org_id: str, request_id: str, bodies: Bodies) -> None:
    """Keep the bodies of an event; the first ones of a request id stay."""
    request = bodies.request if bodies.request and len(bodies.request) <= MOST_CHARACTERS else None
    response = bodies.response
    if response is not None and len(response) > MOST_CHARACTERS:
        response = response[:MOST_CHARACTERS] if bodies.is_stream else None
    if request is None and response is None:
        return
    tx.execute(
        "INSERT INTO event_bodies (org_id, request_id, request, response, is_stream, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (org_id, request_id, request, response, int(bodies.is_stream), tx.now_ms),
    )


def find_bodies(tx: Tx, org_id: str, request_id: str) -> Bodies | None:
    """The bodies of a request id, or None."""
    row = tx.one("SELECT * FROM event_bodies WHERE org_id = ? AND request_id = ?", (org_id, request_id))
    return None if row is None else Bodies(row["request"], row["response"], bool(row["is_stream"]))


def drop_older(tx: Tx, keep_ms: int, most: int) -> int:
    """Delete up to `most` bodies older than `keep_ms`; returns how many went."""
    return tx.changed(
        "DELETE FROM event_bodies WHERE rowid IN (SELECT rowid FROM event_bodies WHERE created_at <= ? LIMIT ?)",
        (tx.now_ms - keep_ms, most),
    )
