"""Streams that end anywhere: the daemon killed at each tenth of one, a thousand clients that leave in the middle."""

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.fakes.upstream import Out, Seen, Upstream, upstream
from tests.machine import Daemon, Machine, start_daemon

pytestmark = pytest.mark.slow
FULL = os.environ.get("NULLSPEND_FULL") == "1"
ABORTED = 1000 if FULL else 200
TENTHS = range(1, 11) if FULL else (1, 5, 10)
BODY = {"model": "gpt-4o", "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
WORD = b'data: {"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}],"usage":null}\n\n'
USAGE = b'data: {"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}\n\n'
DONE = b"data: [DONE]\n\n"


async def ask(daemon: Daemon) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begins a streamed call and waits for its head."""
    parts = urlsplit(daemon.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    content = json.dumps(BODY).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nX-NullSpend-Key: {daemon.key}\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def rows(daemon: Daemon, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{daemon.data}/nullspend.db?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def stop_at(provider: Upstream, pieces: int) -> None:
    """The provider sends so many of ten pieces, the ninth with the usage, the tenth its end; then it waits."""
    stream = [WORD] * 8 + [USAGE, DONE]

    async def script(seen: Seen, out: Out) -> None:
        await out.stream_head()
        for piece in stream[:pieces]:
            await out.chunk(piece)
        await asyncio.sleep(60)

    provider.script = script


@pytest.mark.parametrize("pieces", TENTHS)
def test_a_daemon_killed_in_a_stream_loses_no_spend(machine: Machine, pieces: int) -> None:
    with upstream() as provider:
        flags = ("--upstream", f"openai={provider.url}")
        stop_at(provider, pieces)
        daemon = start_daemon(machine, *flags)
        limit = {"entityType": "user", "entityId": daemon.state["owner"]["userId"], "maxBudgetMicrodollars": 10**9}
        daemon.call("POST", "/api/budgets", limit)

        async def read_then_kill() -> None:
            reader, writer = await ask(daemon)
            read = b""
            while read.count(b"\n\n") < pieces:
                read += await reader.read(4096)
            await asyncio.sleep(0.2)
            daemon.process.kill()
            writer.close()

        asyncio.run(read_then_kill())
        daemon.end()
        again = start_daemon(machine, *flags)
        ((cost, tags, estimate),) = rows(
            again, "SELECT cost_microdollars, tags, estimated_cost_microdollars FROM cost_events"
        )
        finished = pieces == 10
        assert cost == (7500 if finished else estimate)
        assert ("_ns_recovered" in tags) is not finished
        assert rows(again, "SELECT spend_microdollars FROM budgets") == [(cost,)]
        assert rows(again, "SELECT count(*) FROM holds") == [(0,)]
        again.end()


def test_nothing_leaks_after_many_aborted_streams(start: StartDaemon) -> None:
    with upstream() as provider:

        async def endless(seen: Seen, out: Out) -> None:
            await out.stream_head()
            while True:
                await out.chunk(WORD)
                await asyncio.sleep(0.05)

        provider.script = endless
        daemon = start("--upstream", f"openai={provider.url}")

        async def abort(number: int) -> None:
            async with many:
                reader, writer = await ask(daemon)
                if number % 2:
                    await reader.readuntil(b"\n\n")
                writer.transport.abort()

        async def abort_all(count: int) -> None:
            await asyncio.gather(*(abort(number) for number in range(count)))

        many = asyncio.Semaphore(32)
        asyncio.run(abort_all(20))
        settle(daemon, 20)
        before = descriptors(daemon)
        many = asyncio.Semaphore(32)
        asyncio.run(abort_all(ABORTED))
        settle(daemon, 20 + ABORTED)
        assert rows(daemon, "SELECT count(*) FROM holds") == [(0,)]
        assert descriptors(daemon) <= before + 3
        threads = Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert int(threads.split("Threads:")[1].split()[0]) < 20
        assert daemon.end() == 0
        assert "Traceback" not in (daemon.machine.home / "daemon.stderr").read_text()


def settle(daemon: Daemon, events: int) -> None:
    """Waits until every aborted call has become an event."""
    deadline = time.monotonic() + 60
    while rows(daemon, "SELECT count(*) FROM cost_events") != [(events,)]:
        assert time.monotonic() < deadline, rows(daemon, "SELECT count(*) FROM cost_events")
        time.sleep(0.1)


def descriptors(daemon: Daemon) -> int:
    """Open files of the daemon, once its sockets have closed."""
    time.sleep(0.5)
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
