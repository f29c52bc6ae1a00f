"""Background work: everything gets done, and nothing waits for the end of something long."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon import background
from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.loop.store import Store
from nullspend_daemon.settings import Settings
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.transaction import Tx


class Work:
    """A task that has so many slices to do; `failing` of them end in a store that cannot write."""

    def __init__(self, slices: int, failing: int = 0) -> None:
        self.left = slices
        self.failing = failing
        self.done = 0

    def __call__(self, tx: Tx) -> int:
        if self.failing:
            self.failing -= 1
            raise ServiceUnavailable("The disk is full.")
        self.done += 1
        self.left -= 1
        return int(self.left > 0)


def with_store(tmp_path: Path, test: Callable[[Store, Settings], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        database = Database(tmp_path / "nullspend.db", SystemClock())
        database.open()
        await test(Store(database), Settings(data_dir=tmp_path, config_dir=tmp_path))
        await asyncio.to_thread(database.close)

    asyncio.run(asyncio.wait_for(run(), 20))


async def run_until(store: Store, settings: Settings, enough: Callable[[], bool]) -> None:
    working = asyncio.create_task(background.run_forever(store, settings))
    while not enough():
        await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def test_a_long_task_keeps_no_other_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless, short = Work(10**9), Work(1)
    monkeypatch.setattr(background, "tasks", lambda settings: (endless, short))
    monkeypatch.setattr(background, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(background, "PAUSE_SECONDS", 0.001)
    with_store(tmp_path, lambda store, settings: run_until(store, settings, lambda: short.done >= 3))
    assert endless.done > 3


def test_a_store_that_cannot_write_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(2, failing=2)
    monkeypatch.setattr(background, "tasks", lambda settings: (work,))
    monkeypatch.setattr(background, "EVERY_SECONDS", 0.01)
    with_store(tmp_path, lambda store, settings: run_until(store, settings, lambda: work.done >= 2))
    assert work.failing == 0


def test_what_is_due_is_done_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = Work(5), Work(1), Work(3)
    monkeypatch.setattr(background, "tasks", lambda settings: works)
    with_store(tmp_path, background.run_due)
    assert [work.done for work in works] == [5, 1, 3]
