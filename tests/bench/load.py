"""A small HTTP load generator: keep-alive connections that each send the next request when the last is answered."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvloop


@dataclass(frozen=True)
class Result:
    """What a run measured. Latencies in milliseconds."""

    requests: int
    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def read_reply(reader: asyncio.StreamReader) -> int:
    """Reads one reply to its end; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        return status
    at = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
    return status


async def _client(port: int, requests: Iterator[bytes], latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    for each in requests:
        started = time.perf_counter()
        writer.write(each)
        status = await read_reply(reader)
        latencies.append((time.perf_counter() - started) * 1000)
        if status >= 300:
            raise RuntimeError(f"the server answered {status}")
    writer.close()


async def _run(port: int, make: Callable[[int], bytes], count: int, clients: int) -> Result:
    latencies: list[float] = []
    numbers = iter(range(count))
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, (make(n) for n in numbers), latencies) for _ in range(clients)))
    return Result(count, time.perf_counter() - started, latencies)


def run(port: int, make: Callable[[int], bytes], count: int, clients: int) -> Result:
    """Sends `count` requests over `clients` connections; `make(n)` gives the n-th. Raises on a reply that is no 2xx."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(port, make, count, clients))
