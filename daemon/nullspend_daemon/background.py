"""What happens without a request: periods that end, replies and sessions that lapse, a log that is cut."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from nullspend_daemon.approvals import expiry
from nullspend_daemon.delivery.queue import prune
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.ledger import bodies, budgets, holds
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.ledger.retention import drop_old_events
from nullspend_daemon.loop.store import Store
from nullspend_daemon.payments import simulator
from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.settings import Settings
from nullspend_daemon.store import idempotency, outbox
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)

Task = Callable[[Tx], int]
EVERY_SECONDS = 5.0
PAUSE_SECONDS = 0.05
"""Between two slices of the same task: without it the log grows faster than it can be folded into the database, and
everybody's writes wait for the disk."""
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
    due = list(tasks(settings))
    while due:
        due = await _one_slice_each(store, due)


async def run_forever(store: Store, settings: Settings) -> None:
    """Do what is due every few seconds; a store that cannot write is tried again the next time.

    A task with much to do, such as a retention that was just set, leaves the disk time for others between its slices,
    and keeps no other task waiting for its end.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(EVERY_SECONDS)  # the first requests come first
    while True:
        again = loop.time() + EVERY_SECONDS
        try:
            due = await _one_slice_each(store, tasks(settings))
            while due and loop.time() < again:
                await asyncio.sleep(PAUSE_SECONDS)
                due = await _one_slice_each(store, due)
        except ServiceUnavailable as error:
            log.warning("background work waits: %s", error.message)
        await asyncio.sleep(max(0.0, again - loop.time()))


async def _one_slice_each(store: Store, due: Iterable[Task]) -> list[Task]:
    """Do a slice of each task; returns those that may have more to do."""
    return [task for task in due if await store.write(task, durable=False)]


async def keep_prices(catalogue: Catalogue) -> None:
    """Load the prices beside the first requests, not in them, and take up files that change."""
    while True:
        await asyncio.to_thread(catalogue.refresh)
        await asyncio.sleep(EVERY_SECONDS)
