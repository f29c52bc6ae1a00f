"""What the proxy adds to a call: the provider itself, a bare pass-through, and the daemon with three matching budgets.

usage: python tests/bench/bench_proxy.py [--quick]   (prints a table; never fails for being slow)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from load import Result, request, run

from tests.machine import Daemon, Machine, start_daemon

HERE = Path(__file__).parent
PATH = "/v1/chat/completions"
TAGS = {"X-NullSpend-Tags": '{"team":"bench"}'}
EVENTS, LONG_STREAM = 22, 997
"""What makes a stream of 24 events and one of 1,000 chunks: the provider adds the end, the usage and [DONE]."""


def row(name: str, *cells: str) -> None:
    print(f"{name:<34}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


@contextmanager
def server(*command: str) -> Iterator[tuple[int, int]]:
    """A process that prints its port; gives the port and the process id."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def body(stream: bool = False, events: int = EVENTS) -> bytes:
    asked = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "user", "content": "What is the capital of France, and how far is it from Berlin?"}]
    return json.dumps({"model": "gpt-4o", "max_tokens": events, "messages": messages, **asked}).encode()


def measure(port: int, count: int, clients: int, content: bytes, headers: dict[str, str]) -> Result:
    sent = request("POST", PATH, content, headers)
    return run(port, lambda _: sent, count, clients)


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def budgets(daemon: Daemon) -> None:
    """Three budgets that every call matches: the key's, its owner's, and a tag's."""
    key = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    owner = daemon.state["owner"]["userId"]
    for entity_type, entity_id in (("api_key", key), ("user", owner), ("tag", "team=bench")):
        limit = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": 10**12}
        assert daemon.call("POST", "/api/budgets", limit).status == 201


def compare(ports: dict[str, int], headers: dict[str, str], quick: bool) -> None:
    """Latency and throughput of the three, JSON and streams, one after the other within one run."""
    for kind, content in (("JSON", body()), ("stream of 24", body(stream=True))):
        row(kind, *ports, "added p50", "added p99", "of bare")
        for clients in (1, 16, 64):
            count = (300 if clients == 1 else 1500) if quick else (2000 if clients == 1 else 6000)
            count = count // 2 if kind != "JSON" else count
            found = {name: measure(port, count, clients, content, headers) for name, port in ports.items()}
            direct, bare, ours = found.values()
            row(
                f"  c={clients}: calls/s",
                *(f"{each.per_second:,.0f}" for each in found.values()),
                f"{ours.percentile(50) - direct.percentile(50):.2f} ms",
                f"{ours.percentile(99) - direct.percentile(99):.2f} ms",
                f"{ours.per_second / bare.per_second:.0%}",
            )
            row(
                "    p50 / p99 ms", *(f"{each.percentile(50):.2f}/{each.percentile(99):.2f}" for each in found.values())
            )


def long_streams(ports: dict[str, int], pids: dict[str, int], headers: dict[str, str], quick: bool) -> None:
    """CPU of streams of a thousand chunks, the daemon's against the pass-through's."""
    content, count = body(stream=True, events=LONG_STREAM), 20 if quick else 100
    used: dict[str, float] = {}
    for name in ("bare", "daemon"):
        measure(ports[name], 2, 1, content, headers)
        before = cpu_seconds(pids[name])
        measure(ports[name], count, 1, content, headers)
        used[name] = (cpu_seconds(pids[name]) - before) / count * 1000
    more = used["daemon"] / used["bare"] - 1
    row("1,000-chunk stream, CPU ms", "", f"{used['bare']:.1f}", f"{used['daemon']:.1f}", f"{more:+.0%}")


def first_call(home: Path, provider: int) -> float:
    """Seconds from starting the process to the first enforced call's reply, on data that exists."""
    started = time.perf_counter()
    daemon = start_daemon(Machine(home), "--upstream", f"openai=http://127.0.0.1:{provider}")
    reply = daemon.call("POST", PATH, body(), auth="key")
    seconds = time.perf_counter() - started
    assert reply.status == 200
    daemon.end()
    return seconds


def memory(daemon: Daemon, port: int, headers: dict[str, str], quick: bool) -> None:
    """Memory after every tenth of many calls."""
    count = 300 if quick else 1000
    sizes: list[float] = []
    for _ in range(10):
        measure(port, count, 16, body(), headers)
        sizes.append(resident_mb(daemon.process.pid))
    row(f"memory MB over {count * 10:,} calls", *(f"{size:.0f}" for size in (sizes[0], sizes[4], sizes[9])))


def main(quick: bool) -> None:
    """Run everything on a machine of its own."""
    with tempfile.TemporaryDirectory() as folder, server(str(HERE / "provider.py")) as (provider, _):
        home = Path(folder)
        starts = [first_call(home, provider) for _ in range(3 if quick else 7)]
        row("process start to first call, s", f"{statistics.median(starts[1:]):.2f}")
        url = f"http://127.0.0.1:{provider}"
        daemon = start_daemon(Machine(home), "--upstream", f"openai={url}", "--rate-limit", "10000000")
        budgets(daemon)
        row("idle memory, MB", f"{resident_mb(daemon.process.pid):.0f}")
        headers = {"X-NullSpend-Key": daemon.key, **TAGS}
        own = int(daemon.url.rsplit(":", 1)[1])
        with server(str(HERE / "passthrough.py"), url) as (bare, bare_pid):
            ports = {"provider": provider, "bare": bare, "daemon": own}
            compare(ports, headers, quick)
            long_streams(ports, {"bare": bare_pid, "daemon": daemon.process.pid}, headers, quick)
        memory(daemon, own, headers, quick)
        daemon.end()


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--quick", action="store_true", help="the size CI runs")
    os.environ.pop("NULLSPEND_DATA_DIR", None)
    main(flags.parse_args().quick)
