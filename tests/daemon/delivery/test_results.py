"""What became of attempts is noted together, and a store that cannot write for a while loses none of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.delivery import results as module
from nullspend_daemon.delivery.message import Endpoint
from nullspend_daemon.delivery.queue import Job, Result
from nullspend_daemon.delivery.results import Results
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.loop.store import Store
from nullspend_daemon.store.database import Database

ENDPOINT = Endpoint("http://127.0.0.1:9/", "2026-04-01", False, "s", None, None)


def result(number: int, *, delivered: bool) -> Result:
    event = Event(f"evt_{number}", "budget.reset", "{}", 0)
    return Result(Job(number, 1, ENDPOINT, event, 0, 5_000), 5_400, 200 if delivered else 500, delivered)


def test_results_that_come_together_are_noted_in_one_transaction(tmp_path: Path) -> None:
    async def run() -> None:
        database = Database(tmp_path / "nullspend.db", SystemClock())
        database.open()
        noted: list[tuple[list[int], list[int]]] = []
        results = Results(
            Store(database), lambda done, moments: noted.append(([each.job.seq for each in done], moments))
        )
        for number in range(10):
            results.add(result(number, delivered=number != 3))
        await asyncio.wait_for(results.settle(), 5)
        # The one that failed was on time: it is due 10 s after it was due.
        assert noted == [(list(range(10)), [15_000])]
        assert not results.waiting
        await asyncio.to_thread(database.close)

    asyncio.run(run())


def test_a_store_that_cannot_write_is_tried_again_with_the_same_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        monkeypatch.setattr(module, "STORE_RETRY_SECONDS", 0.01)
        database = Database(tmp_path / "nullspend.db", SystemClock())
        database.open()
        store, failures = Store(database), iter([True, True, False])
        write = store.write

        def refuses_twice(*args: Any, **options: Any) -> Any:
            if next(failures):
                raise ServiceUnavailable("The disk is full.")
            return write(*args, **options)

        monkeypatch.setattr(store, "write", refuses_twice)
        noted: list[int] = []
        results = Results(store, lambda done, _: noted.extend(each.job.seq for each in done))
        results.add(result(7, delivered=True))
        await asyncio.wait_for(results.settle(), 5)
        assert noted == [7]
        await asyncio.to_thread(database.close)

    asyncio.run(run())
