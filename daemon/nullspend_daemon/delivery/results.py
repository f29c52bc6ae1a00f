"""Notes what became of attempts: those that end within a few milliseconds together, in one transaction."""

import asyncio
import logging
from collections.abc import Callable

from nullspend_daemon.delivery import queue
from nullspend_daemon.delivery.queue import Result
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.loop.store import Store

log = logging.getLogger(__name__)

TOGETHER_SECONDS = 0.02
"""How long results wait for others. A daemon that is killed within this time sends their messages again."""
STORE_RETRY_SECONDS = 1.0


class Results:
    """Calls `noted` with results once they are in the store, and with the moments (epoch ms) of the next attempts."""

    def __init__(self, store: Store, noted: Callable[[list[Result], list[int]], None]) -> None:
        self._store = store
        self._noted = noted
        self._waiting: list[Result] = []
        self._noting: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there are results that are not noted yet."""
        return self._noting is not None

    def add(self, result: Result) -> None:
        """Have a result noted soon."""
        self._waiting.append(result)
        if self._noting is None:
            self._noting = asyncio.create_task(self._note())
            self._noting.add_done_callback(self._done)

    async def settle(self) -> None:
        """Wait until every result that was added is noted."""
        while self._noting is not None:
            await asyncio.wait([self._noting])

    async def close(self, seconds: float) -> None:
        """As `settle`, for at most so long."""
        noting = self._noting
        if noting is not None:
            await asyncio.wait([noting], timeout=seconds)
            noting.cancel()

    async def _note(self) -> None:
        while self._waiting:
            await asyncio.sleep(TOGETHER_SECONDS)
            results, self._waiting = self._waiting, []
            self._noted(results, await self._keep_trying(results))

    async def _keep_trying(self, results: list[Result]) -> list[int]:
        """A store that cannot write is tried again; the receivers are not."""
        while True:
            try:
                return await self._store.write(lambda tx: queue.record(tx, results), durable=False)
            except ServiceUnavailable as error:
                log.warning("results of webhook deliveries wait: %s", error.message)
                await asyncio.sleep(STORE_RETRY_SECONDS)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._noting = None
        if not task.cancelled() and task.exception() is not None:
            log.error("results of deliveries could not be noted", exc_info=task.exception())
