"""What webhooks cost the taking in of cost events: latency without them, and with five endpoints of which one is dead.

usage: python tests/bench/bench_webhooks.py [--quick]   (prints a table; never fails for being slow)
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

import uvloop
from load import Result, read_reply, request

from tests.machine import Daemon, Machine, start_daemon

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1200, "outputTokens": 340, "costMicrodollars": 6400}
CLIENTS = 4


def row(name: str, *cells: str) -> None:
    print(f"{name:<52}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


@dataclass
class Receivers:
    """Four receivers that answer and one that closes every connection, in a process of their own."""

    process: "subprocess.Popen[str]"
    ports: list[int]

    @property
    def counts(self) -> list[int]:
        """How many messages each has got."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def start_receivers() -> Receivers:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "receivers.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return Receivers(process, json.loads(process.stdout.readline()))


async def _client(port: int, key: str, name: str, numbers: range, gap: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(EVENT).encode()
    due = time.perf_counter()
    for number in numbers:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        started = time.perf_counter()
        headers = {"X-NullSpend-Key": key, "Idempotency-Key": f"{name}-{number}"}
        writer.write(request("POST", "/api/cost-events", body, headers))
        status = await read_reply(reader)
        latencies.append((time.perf_counter() - started) * 1000)
        if status >= 300:
            raise RuntimeError(f"the server answered {status}")
        due += gap
    writer.close()


async def _send(port: int, key: str, name: str, count: int, per_second: float | None) -> Result:
    latencies: list[float] = []
    gap = 0.0 if per_second is None else CLIENTS / per_second
    started = time.perf_counter()
    await asyncio.gather(
        *(_client(port, key, name, range(first, count, CLIENTS), gap, latencies) for first in range(CLIENTS))
    )
    return Result(count, time.perf_counter() - started, latencies)


def send(daemon: Daemon, count: int, per_second: float | None, name: str) -> Result:
    """Reports `count` single events over four connections: at a steady pace, or None for as fast as they are taken."""
    port = int(daemon.url.rsplit(":", 1)[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send(port, daemon.key, name, count, per_second))


def measure(count: int, per_second: float | None, *, webhooks: bool) -> Result:
    """One fresh daemon, with or without endpoints; prints its row."""
    receivers = start_receivers()
    with tempfile.TemporaryDirectory() as folder:
        daemon = start_daemon(Machine(Path(folder)))
        send(daemon, 50, None, "warm")
        for port in receivers.ports if webhooks else ():
            body = {"url": f"http://127.0.0.1:{port}/", "eventTypes": ["cost_event.created"]}
            assert daemon.call("POST", "/api/webhooks", body).status == 201
        started = time.perf_counter()
        found = send(daemon, count, per_second, "bench")
        complete = _until_complete(receivers, count, started) if webhooks else 0.0
        daemon.end()
    receivers.end()
    row(
        f"  {'five endpoints, one dead' if webhooks else 'without webhooks'}",
        f"{found.per_second:,.0f}",
        f"{found.percentile(50):.2f}",
        f"{found.percentile(99):.2f}",
        f"{complete:.1f}" if webhooks else "",
        f"{4 * count / complete:,.0f}" if webhooks else "",
    )
    return found


def _until_complete(receivers: Receivers, count: int, started: float) -> float:
    """Seconds until each of the four has everything."""
    while min(receivers.counts[:4]) < count:
        time.sleep(0.05)
    return time.perf_counter() - started


def compare(name: str, count: int, per_second: float | None) -> None:
    row(name, "events/s", "p50 ms", "p99 ms", "all sent, s", "messages/s")
    plain = measure(count, per_second, webhooks=False)
    told = measure(count, per_second, webhooks=True)
    ratios = [told.percentile(percent) / plain.percentile(percent) for percent in (50, 99)]
    row("  with / without", "", *(f"{ratio:.2f}x" for ratio in ratios))


def main(quick: bool) -> None:
    """Run everything on machines of its own."""
    count = 2_000 if quick else 10_000
    compare(f"{count:,} events at 100 a second", count, 100)
    compare(f"{count:,} events, four clients, as fast as they are taken", count, None)


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--quick", action="store_true", help="the size CI runs")
    os.environ.pop("NULLSPEND_DATA_DIR", None)
    main(flags.parse_args().quick)
