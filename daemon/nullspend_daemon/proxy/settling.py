"""Ending holds. A call ends exactly once, and what it cost is written even when the store has to be asked again."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.ledger.events import NewEvent, Stored
from nullspend_daemon.ledger.holds import Approved, release, settle
from nullspend_daemon.loop.store import Store
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0
After = Callable[[Stored | None], None]


class Settler:
    """Writes the ends of calls behind their replies. Until an end is written its hold stays, so nothing is lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[asyncio.Future[Any]] = set()

    def settle(self, hold_id: str, event: NewEvent, *, awaits: str | None = None, after: After | None = None) -> None:
        """End a hold with its event. `after` hears how the event is stored. Never raises, never waits."""
        self._write(lambda tx: settle(tx, hold_id, event, awaits=awaits), after)

    def release(self, hold_id: str) -> None:
        """End a hold of a call that costs nothing."""
        self._write(lambda tx: release(tx, hold_id), None)

    def release_late(self, asked: "asyncio.Future[Any]") -> None:
        """End the hold that `asked` may still bring, whose call is gone already."""

        def taken(future: "asyncio.Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None and isinstance(future.result(), Approved):
                self.release(future.result().hold_id)

        asked.add_done_callback(taken)

    async def finish(self, seconds: float) -> None:
        """Wait until everything is written, for at most `seconds`; the rest is recovered at the next start."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _write(self, fn: Callable[[Tx], Any], after: After | None) -> None:
        try:
            future = self._store.write_behind(fn)
        except ServiceUnavailable as error:
            log.error("the end of a call cannot be written, its hold stays: %s", error.message)
            return
        self._running.add(future)
        future.add_done_callback(lambda done: self._written(done, fn, after))

    def _written(self, future: "asyncio.Future[Any]", fn: Callable[[Tx], Any], after: After | None) -> None:
        self._running.discard(future)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, ServiceUnavailable):
            log.warning("the end of a call waits for the store: %s", error.message)
            again = asyncio.ensure_future(self._again(fn, after))
            self._running.add(again)
            again.add_done_callback(self._running.discard)
        elif error is not None:
            log.error("the end of a call cannot be written, its hold stays", exc_info=error)
        elif after is not None and not future.cancelled():
            after(future.result())

    async def _again(self, fn: Callable[[Tx], Any], after: After | None) -> None:
        await asyncio.sleep(RETRY_SECONDS)
        self._write(fn, after)
