"""What a hold and its settle take in the store, with 3 matching budgets, without HTTP.

usage: python tests/bench/bench_engine.py [--quick]   (prints a table; never fails for being slow)
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "daemon")]

from nullspend_daemon.ledger import holds
from nullspend_daemon.ledger.holds import Approved
from nullspend_daemon.store.transaction import Tx
from tests.daemon.ledger.ground import Ground

CALL = {"tags": {"team": "platform"}, "session_id": "bench"}
EVENT = {"tags": {"team": "platform"}, "session_id": "bench"}


def row(name: str, seconds: list[float]) -> None:
    ordered = sorted(1000 * second for second in seconds)
    p99 = ordered[len(ordered) * 99 // 100]
    print(f"{name:<52}{statistics.median(ordered):>10.3f}{p99:>10.3f}")


def statements(ground: Ground, calls: int) -> None:
    """Inside one transaction: the statements alone, no commit."""
    held: list[float] = []
    settled: list[float] = []

    def run(tx: Tx) -> None:
        for _ in range(calls):
            request, event = ground.request(100, **CALL), ground.event(70, **EVENT)
            started = time.perf_counter()
            answer = holds.hold(tx, request)
            between = time.perf_counter()
            assert isinstance(answer, Approved)
            holds.settle(tx, answer.hold_id, event)
            held.append(between - started)
            settled.append(time.perf_counter() - between)

    ground.database.write(run)
    row("hold, in an open transaction", held)
    row("settle with its event, in an open transaction", settled)


def commits(ground: Ground, calls: int) -> None:
    """As the proxy calls them: a hold without a flush to disk, a settle with one."""
    held: list[float] = []
    settled: list[float] = []
    for _ in range(calls):
        started = time.perf_counter()
        hold_id = ground.hold(100, **CALL)
        between = time.perf_counter()
        ground.settle(hold_id, 70, **EVENT)
        held.append(between - started)
        settled.append(time.perf_counter() - between)
    row("hold, committed", held)
    row("settle with its event, on disk", settled)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="the size CI runs")
    calls = 500 if parser.parse_args().quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder) / "nullspend.db")
        for entity in (("user", None), ("api_key", None), ("tag", "team=platform")):
            ground.budget(*entity, 10**12, velocityLimitMicrodollars=10**12)
        print(f"{f'{calls} calls, 3 budgets, each with velocity; ms':<52}{'p50':>10}{'p99':>10}")
        statements(ground, calls)
        commits(ground, calls)
        ground.close()


if __name__ == "__main__":
    main()
