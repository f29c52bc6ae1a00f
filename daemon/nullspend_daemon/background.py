"""What happens without a request: periods that end, replies and sessions that lapse, a log that is cut."""

import asyncio
import logging
from collections.abc import Callable

from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.http.store import Store
from nullspend_daemon.ledger import budgets
from nullspend_daemon.store import idempotency
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
KEEP_OUTBOX_ROWS = 100_000


def drop_ended_sessions(tx: Tx) -> int:
    """Delete sessions that are over; returns how many."""
    return tx.changed("DELETE FROM sessions WHERE expires_at <= ?", (tx.now_ms,))


def cut_outbox(tx: Tx) -> int:
    """Keep the newest events of the log; returns how many went."""
    newest = tx.value("SELECT max(seq) FROM outbox") or 0
    return tx.changed("DELETE FROM outbox WHERE seq <= ?", (newest - KEEP_OUTBOX_ROWS,))


DUE: tuple[Callable[[Tx], int], ...] = (
    budgets.store_lapsed,
    drop_ended_sessions,
    idempotency.drop_lapsed,
    cut_outbox,
)
"""Each brings one thing up to the time of its transaction."""


async def run_due(store: Store) -> None:
    """Do everything that is due now. Raises ServiceUnavailable."""
    for task in DUE:
        await store.write(task, durable=False)


async def run_forever(store: Store) -> None:
    """Do what is due every few seconds; a store that cannot write is tried again the next time."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await run_due(store)
        except ServiceUnavailable as error:
            log.warning("background work waits: %s", error.message)
