"""The store as a coroutine sees it: `await store.write(fn)`, `await store.read(fn)`."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.store.database import Database, Job, Outcome
from nullspend_daemon.store.transaction import Tx

T = TypeVar("T")


def _report(outcomes: list[Outcome]) -> None:
    for job, value, error in outcomes:
        job.done(value, error)


class Store:
    """Carries functions to the store's threads and their outcomes back; a whole batch comes back in one wake-up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._behind: asyncio.Future[Any] | None = None
        self._together: list[Job] = []
        self._under_way = 0
        self._ended = 0
        self._progress: asyncio.Event | None = None
        database.deliver = lambda outcomes: self._wake(outcomes)

    def write(self, fn: Callable[[Tx], T], *, durable: bool = True) -> "asyncio.Future[T]":
        """Run `fn` in a write transaction. `durable`: on disk before the future ends. Raises ServiceUnavailable."""
        future = self._carry(self._submit_soon, fn, durable)
        self._under_way += 1
        future.add_done_callback(self._write_ended)
        return future

    def write_behind(self, fn: Callable[[Tx], T]) -> "asyncio.Future[T]":
        """As `write`, for what nobody waits for: whoever reads from now on sees it all the same.

        It survives a killed process at once, and a power cut with the next checkpoint, half a second later.
        """
        self._behind = future = self.write(fn, durable=False)
        return future

    async def turn(self, after: int) -> None:
        """Let those go first who wait for an answer: ends when no write is under way, or when `after` writes have
        ended meanwhile."""
        await asyncio.sleep(0)  # whatever has arrived by now begins first
        last = self._ended + after
        while self._under_way and self._ended < last:
            if self._progress is None:
                self._progress = asyncio.Event()
            await self._progress.wait()

    def _write_ended(self, _: "asyncio.Future[Any]") -> None:
        self._under_way -= 1
        self._ended += 1
        if self._progress is not None:
            self._progress.set()
            self._progress = None

    def read(self, fn: Callable[[Tx], T]) -> "asyncio.Future[T]":
        """Run `fn` on a snapshot that holds everything written before. Raises ServiceUnavailable."""
        behind = self._behind
        if behind is None or behind.done():
            self._behind = None
            return self._carry(self._database.submit_read, fn, False)
        return asyncio.ensure_future(self._read_after(behind, fn))

    async def _read_after(self, behind: "asyncio.Future[Any]", fn: Callable[[Tx], T]) -> T:
        # Writes keep their order, so the last one that was written behind stands for all.
        await asyncio.wait([behind])
        return await self._carry(self._database.submit_read, fn, False)

    def _submit_soon(self, job: Job) -> None:
        """Writes asked for in one turn of the loop go to the writer in one piece: one wake-up, one commit."""
        self._together.append(job)
        if len(self._together) == 1:
            self._loop.call_soon(self._submit_together)

    def _submit_together(self) -> None:
        jobs, self._together = self._together, []
        try:
            self._database.submit_writes(jobs)
        except ServiceUnavailable as error:
            for job in jobs:
                job.done(None, error)

    def _wake(self, outcomes: list[Outcome]) -> None:
        self._loop.call_soon_threadsafe(_report, outcomes)

    def _carry(self, submit: Callable[[Job], None], fn: Callable[[Tx], T], durable: bool) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self._loop.create_future()

        def done(value: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        submit(Job(fn, durable, done))
        return future
