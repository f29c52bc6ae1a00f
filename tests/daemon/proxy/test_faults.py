"""Providers that break and clients that vanish: the client is told, the money is accounted for, nothing stays held."""

import asyncio
import http.client
import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.daemon.proxy.conftest import CHAT, chunks, completion
from tests.fakes.upstream import Out, Seen, Upstream
from tests.machine import Daemon, Machine, Reply, start_daemon

HOLD = 1161
STREAM = {**CHAT, "stream": True}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    """A daemon that does not wait long for a provider, with a budget that sees every hold."""
    flags = ("--upstream", f"openai={provider.url}", "--upstream-timeout", "0.4")
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), *flags)
    body = {"entityType": "user", "entityId": running.state["owner"]["userId"], "maxBudgetMicrodollars": 10**12}
    running.call("POST", "/api/budgets", body)
    yield running
    running.end()


def call(daemon: Daemon, body: Any = CHAT) -> Reply:
    return daemon.call("POST", "/v1/chat/completions", body, auth="key")


def events(daemon: Daemon) -> list[dict[str, Any]]:
    return daemon.call("GET", "/api/cost-events?limit=100", auth="key").json["data"]


def held(daemon: Daemon) -> int:
    with sqlite3.connect(f"file:{daemon.data}/nullspend.db?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM holds").fetchone()[0]


def eventually(true: Callable[[], object]) -> None:
    """Waits for what happens behind a reply."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def open_call(daemon: Daemon, body: Any) -> socket.socket:
    """A call whose reply the test reads, or not, byte by byte."""
    parts = urlsplit(daemon.url)
    connection = socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10)
    content = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nX-NullSpend-Key: {daemon.key}\r\n"
    about = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall((head + about).encode() + content)
    return connection


async def hang(seen: Seen, out: Out) -> None:
    await asyncio.sleep(30)


async def reset(seen: Seen, out: Out) -> None:
    out.reset()


async def garbage(seen: Seen, out: Out) -> None:
    await out.send(b"\x00\x01 this is no HTTP at all \r\n\r\n")


async def close_early(seen: Seen, out: Out) -> None:
    await out.head(200, [("Content-Type", "application/json"), ("Content-Length", "1000")])
    await out.send(b'{"usage":')
    out.reset()


@pytest.mark.parametrize("script", [hang, reset, garbage, close_early])
def test_a_provider_that_was_asked_and_gives_no_answer_is_charged_its_hold(
    quick: Daemon, provider: Upstream, script: Any
) -> None:
    provider.script = script
    reply = call(quick)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")
    event = events(quick)[0]
    assert (event["costMicrodollars"], event["inputTokens"]) == (HOLD, 0)
    assert event["tags"]["_ns_estimated"] == event["tags"]["_ns_no_usage"] == "true"
    assert held(quick) == 0


def test_a_provider_that_cannot_be_reached_costs_nothing(start: StartDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    daemon = start("--upstream", f"openai=http://127.0.0.1:{port}")
    reply = call(daemon)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")
    assert events(daemon) == []
    eventually(lambda: held(daemon) == 0)


def test_an_empty_stream_is_no_reply(quick: Daemon, provider: Upstream) -> None:
    provider.streams([])
    reply = call(quick, STREAM)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")
    assert events(quick)[0]["costMicrodollars"] > 0


@pytest.mark.parametrize("ending", ["reset", "hang"])
def test_a_stream_that_breaks_off_is_cut_for_the_client_too(quick: Daemon, provider: Upstream, ending: str) -> None:
    async def breaks(seen: Seen, out: Out) -> None:
        await out.stream_head()
        await out.chunk(chunks()[0])
        await (hang(seen, out) if ending == "hang" else reset(seen, out))

    provider.script = breaks
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        call(quick, STREAM)
    event = events(quick)[0]
    assert event["tags"]["_ns_no_usage"] == "true"
    assert event["costMicrodollars"] == event["estimatedCostMicrodollars"]
    assert held(quick) == 0


def test_a_stream_that_ends_without_usage_is_charged_its_hold(quick: Daemon, provider: Upstream) -> None:
    provider.streams(chunks()[:2])
    assert call(quick, STREAM).body == b"".join(chunks()[:2])
    assert events(quick)[0]["tags"]["_ns_no_usage"] == "true"


def test_a_megabyte_without_a_line_end_passes_and_the_usage_behind_it_counts(quick: Daemon, provider: Upstream) -> None:
    long = [b"data: " + b"x" * 65_536] * 16
    provider.streams([*long, b"\n\n", *chunks()])
    reply = call(quick, STREAM)
    assert reply.body == b"".join([*long, b"\n\n", *chunks()])
    assert events(quick)[0]["costMicrodollars"] == 7500


def test_a_reply_that_is_json_though_a_stream_was_asked_for_is_read_as_json(quick: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    assert call(quick, STREAM).json == completion()
    assert events(quick)[0]["costMicrodollars"] == 7250


def test_a_client_that_leaves_a_stream_cancels_it_and_pays_the_hold(quick: Daemon, provider: Upstream) -> None:
    cut_off: list[bool] = []

    async def slow(seen: Seen, out: Out) -> None:
        await out.stream_head()
        try:
            for _ in range(100):
                await out.chunk(chunks()[0])
                await asyncio.sleep(0.1)
        except ConnectionError:
            cut_off.append(True)

    provider.script = slow
    before = len(events(quick))
    connection = open_call(quick, STREAM)
    assert b"200 OK" in connection.recv(4096)
    connection.close()
    eventually(lambda: len(events(quick)) == before + 1)
    event = events(quick)[0]
    assert event["tags"]["_ns_cancelled"] == event["tags"]["_ns_estimated"] == "true"
    assert event["costMicrodollars"] == event["estimatedCostMicrodollars"]
    assert held(quick) == 0
    eventually(lambda: cut_off)


def test_a_client_that_leaves_while_the_provider_is_silent_is_noticed_at_once(
    proxy: Daemon, provider: Upstream
) -> None:
    async def silent(seen: Seen, out: Out) -> None:
        await out.stream_head()
        await out.chunk(chunks()[0])
        await asyncio.sleep(60)

    provider.script = silent
    before = len(events(proxy))
    connection = open_call(proxy, STREAM)
    assert b"200 OK" in connection.recv(4096)
    connection.close()
    eventually(lambda: len(events(proxy)) == before + 1)


def test_a_client_that_leaves_a_json_call_still_pays_what_it_cost(proxy: Daemon, provider: Upstream) -> None:
    async def late(seen: Seen, out: Out) -> None:
        await asyncio.sleep(0.3)
        await out.whole(completion())

    provider.script = late
    before = len(events(proxy))
    open_call(proxy, CHAT).close()
    eventually(lambda: len(events(proxy)) == before + 1)
    assert events(proxy)[0]["costMicrodollars"] == 7250


def test_usage_seen_before_the_client_left_is_what_it_costs(proxy: Daemon, provider: Upstream) -> None:
    async def usage_first(seen: Seen, out: Out) -> None:
        await out.stream_head()
        await out.chunk(b"".join(chunks()[:-1]))
        await asyncio.sleep(60)

    provider.script = usage_first
    before = len(events(proxy))
    connection = open_call(proxy, STREAM)
    assert b"200 OK" in connection.recv(65536)
    time.sleep(0.1)
    connection.close()
    eventually(lambda: len(events(proxy)) == before + 1)
    event = events(proxy)[0]
    assert (event["costMicrodollars"], "_ns_estimated" in event["tags"]) == (7500, False)


def test_a_daemon_that_is_stopped_finishes_its_calls_first(start: StartDaemon, provider: Upstream) -> None:
    async def late(seen: Seen, out: Out) -> None:
        await asyncio.sleep(0.5)
        await out.whole(completion())

    provider.script = late
    daemon = start("--upstream", f"openai={provider.url}")
    asked = len(provider.seen)
    connection = open_call(daemon, CHAT)
    eventually(lambda: len(provider.seen) == asked + 1)
    assert daemon.end() == 0
    assert b'"prompt_tokens": 1000' in connection.recv(65536)
    connection.close()
    again = start("--upstream", f"openai={provider.url}")
    assert [event["costMicrodollars"] for event in events(again)] == [7250]


def test_a_killed_daemon_leaves_an_estimated_event_for_each_call_in_flight(
    start: StartDaemon, provider: Upstream
) -> None:
    provider.script = hang
    daemon = start("--upstream", f"openai={provider.url}")
    asked = len(provider.seen)
    connections = [open_call(daemon, CHAT) for _ in range(3)]
    eventually(lambda: len(provider.seen) == asked + 3)
    daemon.process.kill()
    daemon.end()
    for connection in connections:
        connection.close()
    again = start("--upstream", f"openai={provider.url}")
    found = events(again)
    assert [event["costMicrodollars"] for event in found] == [HOLD] * 3
    assert all(event["tags"]["_ns_recovered"] == event["tags"]["_ns_estimated"] == "true" for event in found)
    assert held(again) == 0
