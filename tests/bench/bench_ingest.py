"""How fast the daemon takes in cost events, starts, and how much memory it needs; how fast the command starts.

usage: python tests/bench/bench_ingest.py [--quick]   (prints a table; never fails for being slow)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from load import request, run

from tests.machine import Daemon, Machine, start_daemon

EVENT = {
    "provider": "openai",
    "model": "gpt-4o",
    "inputTokens": 1200,
    "outputTokens": 340,
    "costMicrodollars": 6400,
    "sessionId": "bench",
    "tags": {"team": "platform"},
    "eventType": "llm",
}
HERE = Path(__file__).parent


def row(name: str, *cells: str) -> None:
    print(f"{name:<44}" + "".join(f"{cell:>16}" for cell in cells))


def bare_port() -> tuple["subprocess.Popen[str]", int]:
    process = subprocess.Popen([sys.executable, str(HERE / "bare.py")], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())


def throughput(daemon: Daemon, quick: bool) -> None:
    """Single events, each on disk before its reply, against the bare handler."""
    process, floor = bare_port()
    body = json.dumps(EVENT).encode()
    port = int(daemon.url.rsplit(":", 1)[1])
    row("single events, requests/s", "bare aiohttp", "daemon", "ratio", "p50 ms", "p99 ms")
    for clients in (1, 16, 64):
        count = (500 if clients == 1 else 2000) if quick else (2000 if clients == 1 else 8000)
        plain = run(floor, lambda n: request("POST", "/api/cost-events", body, {}), count, clients)

        def keyed(n: int, clients: int = clients) -> bytes:
            headers = {"X-NullSpend-Key": key, "Idempotency-Key": f"bench-{clients}-{n}"}
            return request("POST", "/api/cost-events", body, headers)

        key = daemon.key
        real = run(port, keyed, count, clients)
        row(
            f"  c={clients}",
            f"{plain.per_second:,.0f}",
            f"{real.per_second:,.0f}",
            f"{real.per_second / plain.per_second:.0%}",
            f"{real.percentile(50):.2f}",
            f"{real.percentile(99):.2f}",
        )
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def batches(daemon: Daemon, quick: bool) -> None:
    """Batches of 100."""
    port = int(daemon.url.rsplit(":", 1)[1])
    body = json.dumps({"events": [EVENT] * 100}).encode()
    key = daemon.key
    for clients in (1, 4):
        count = 50 if quick else 300
        found = run(
            port, lambda n: request("POST", "/api/cost-events/batch", body, {"X-NullSpend-Key": key}), count, clients
        )
        row(f"batches of 100, events/s, c={clients}", f"{found.per_second * 100:,.0f}")


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def first_reply(home: Path) -> float:
    """Seconds from starting the process to the first answered request, on data that exists."""
    machine = Machine(home)
    started = time.perf_counter()
    daemon = start_daemon(machine)
    daemon.call("GET", "/api/health", auth=None)
    seconds = time.perf_counter() - started
    daemon.end()
    return seconds


def timed(command: list[str], env: dict[str, str], runs: int) -> float:
    """Median seconds of a command."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def command_start(daemon: Daemon, quick: bool) -> None:
    """The command's start as a multiple of Python's own."""
    runs = 5 if quick else 15
    env = daemon.machine.env
    python = timed([sys.executable, "-c", "pass"], env, runs)
    row("the command, ms", "ms", "x python -c pass")
    row("  python -c pass", f"{python * 1000:.0f}", "1.0")
    cases: dict[str, list[str]] = {
        "--version": ["--version"],
        "--help": ["--help"],
        "a completion of keys": ["--complete", "key", ""],
        "budgets list": ["budgets", "list"],
    }
    for name, arguments in cases.items():
        seconds = timed([sys.executable, "-m", "nullspend_cli", *arguments], env, runs)
        row(f"  nullspend {name}", f"{seconds * 1000:.0f}", f"{seconds / python:.1f}")


def main(quick: bool) -> None:
    """Run everything on a machine of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        starts: list[float] = [first_reply(home) for _ in range(3 if quick else 7)]
        row("process start to first reply, s (median)", f"{statistics.median(starts[1:]):.2f}")
        daemon = start_daemon(Machine(home))
        measures: list[Callable[[], None]] = [
            lambda: row("idle memory, MB", f"{resident_mb(daemon.process.pid):.0f}"),
            lambda: throughput(daemon, quick),
            lambda: batches(daemon, quick),
            lambda: row("memory after the load, MB", f"{resident_mb(daemon.process.pid):.0f}"),
            lambda: command_start(daemon, quick),
        ]
        for measure in measures:
            measure()
        daemon.end()


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--quick", action="store_true", help="the size CI runs")
    os.environ.pop("NULLSPEND_DATA_DIR", None)
    main(flags.parse_args().quick)
