"""What happens without a request: periods that end, replies and sessions that lapse, a log that is cut."""

import asyncio
import logging
from collections.abc import Callable

from nullspend_daemon.approvals import expiry
from nullspend_daemon.delivery.queue import prune
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.http.store import Store
from nullspend_daemon.ledger import bodies, budgets, holds
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.ledger.retention import drop_old_events
from nullspend_daemon.payments import simulator
from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.settings import Settings
from nullspend_daemon.store import idempotency, outbox
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)

Task = Callable[[Tx], int]
EVERY_SECONDS = 5.0
BODIES_AT_ONCE = 50
KEEP_OUTBOX_ROWS = 100_000


def drop_ended_sessions(tx: Tx) -> int:
    """Delete sessions that are over; returns how many."""
    return tx.changed("DELETE FROM sessions WHERE expires_at <= ? AND is_owner = 0", (tx.now_ms,))


def tasks(settings: Settings) -> tuple[Task, ...]:
    """What must be brought up to date. Each task does a slice in one transaction and returns how much it did."""
    due: list[Task] = [
        budgets.store_lapsed,
        holds.drop_lapsed,
        expiry.expire_due,
        drop_ended_sessions,
        idempotency.drop_lapsed,
        lambda tx: prune(tx, settings.delivery_retention_days * DAY_MS),
        lambda tx: outbox.cut(tx, KEEP_OUTBOX_ROWS),
        simulator.advance_due,
        simulator.drop_old_sessions,
    ]
    keep_bodies_ms = settings.body_retention_days * DAY_MS
    due.append(lambda tx: bodies.drop_older(tx, keep_bodies_ms, BODIES_AT_ONCE))
    if settings.retention_days is not None:
        keep_ms = settings.retention_days * DAY_MS
        due.append(lambda tx: drop_old_events(tx, keep_ms))
    return tuple(due)


async def run_due(store: Store, settings: Settings) -> None:
    """Do everything that is due now, slice by slice. Raises ServiceUnavailable."""
    for task in tasks(settings):
        while await store.write(task, durable=False):
            continue


async def run_forever(store: Store, settings: Settings) -> None:
    """Do what is due every few seconds; a store that cannot write is tried again the next time."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await run_due(store, settings)
        except ServiceUnavailable as error:
            log.warning("background work waits: %s", error.message)


async def keep_prices(catalogue: Catalogue) -> None:
    """Load the prices beside the first requests, not in them, and take up files that change."""
    while True:
        await asyncio.to_thread(catalogue.refresh)
        await asyncio.sleep(EVERY_SECONDS)
