"""Whoever waits for an answer from the store goes first; work that nobody waits for still gets its turn."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.loop.store import Store
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.transaction import Tx


def with_store(tmp_path: Path, test: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        database = Database(tmp_path / "nullspend.db", SystemClock())
        database.open()
        try:
            await test(Store(database))
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(run())


class Slow:
    """Writes that end when they are told to."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)

    def __call__(self, tx: Tx) -> None:
        assert self.gate.acquire(timeout=20)


def test_a_turn_comes_at_once_while_nothing_is_written(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await asyncio.wait_for(store.turn(1_000), 5)
        await store.write(lambda tx: None)
        await asyncio.wait_for(store.turn(1_000), 5)

    with_store(tmp_path, test)


def test_a_turn_waits_for_the_writes_that_are_under_way(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        slow = Slow()
        writes = [store.write(slow) for _ in range(3)]
        turn = asyncio.create_task(store.turn(1_000))
        await asyncio.sleep(0.05)
        assert not turn.done()
        slow.gate.release(3)
        await asyncio.wait_for(turn, 5)
        assert all(write.done() for write in writes)

    with_store(tmp_path, test)


def test_a_turn_comes_after_a_few_writes_even_if_there_are_always_more(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        written = 0

        async def keep_writing() -> None:
            nonlocal written
            while True:
                await store.write(lambda tx: None)
                written += 1

        writers = [asyncio.create_task(keep_writing()) for _ in range(4)]
        await asyncio.sleep(0.02)
        before = written
        await asyncio.wait_for(store.turn(8), 5)
        # What ends in the same turn of the loop as the eighth is counted too: at most one for each writer.
        assert 8 - 4 <= written - before <= 8 + 4
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)

    with_store(tmp_path, test)


def test_a_write_that_fails_ends_as_well(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        def fail(tx: Tx) -> None:
            raise ValueError

        write = store.write(fail)
        await asyncio.wait_for(store.turn(1_000), 5)
        assert isinstance(write.exception(), ValueError)

    with_store(tmp_path, test)
