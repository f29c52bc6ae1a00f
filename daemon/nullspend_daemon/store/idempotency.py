"""Stored replies: the first 2xx to a POST with an idempotency key, kept 24 hours in the transaction of its effect."""

from dataclasses import dataclass

from nullspend_daemon.store.transaction import Tx

KEEP_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What makes two requests the same: API key, path and the client's idempotency key. The body is not compared."""

    api_key_id: str
    path: str
    key: str


def find_reply(tx: Tx, scope: Scope) -> bytes | None:
    """The stored body of the first reply, or None when there is none or it is older than 24 hours."""
    body = tx.value(
        "SELECT body FROM idempotent_replies"
        " WHERE api_key_id = ? AND path = ? AND idempotency_key = ? AND created_at > ?",
        (scope.api_key_id, scope.path, scope.key, tx.now_ms - KEEP_MS),
    )
    return None if body is None else str(body).encode()


def store_reply(tx: Tx, scope: Scope, body: bytes) -> None:
    """Keep `body` as the reply of `scope`; one that lapsed is replaced."""
    tx.execute(
        "INSERT OR REPLACE INTO idempotent_replies (api_key_id, path, idempotency_key, body, created_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (scope.api_key_id, scope.path, scope.key, body.decode(), tx.now_ms),
    )


def drop_lapsed(tx: Tx) -> int:
    """Delete replies older than 24 hours; returns how many."""
    return tx.changed("DELETE FROM idempotent_replies WHERE created_at <= ?", (tx.now_ms - KEEP_MS,))
