"""A provider that does what a test tells it to, over a real socket: answers, streams, hangs, breaks, talks nonsense."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Out:
    """What the provider does with one request, byte by byte if need be."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, content: bytes) -> None:
        """Bytes as they are, at once."""
        self._writer.write(content)
        await self._writer.drain()

    async def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def whole(
        self,
        content: object,
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> None:
        """A reply with a length; bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        about = [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]
        await self.head(status, about)
        await self.send(body)

    async def stream_head(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        about = [("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"), *headers]
        await self.head(200, about)

    async def chunk(self, content: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(content), content))

    async def stream(
        self, chunks: Sequence[bytes], pause: float = 0.0, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """A whole stream, one chunk of HTTP for each of `chunks`."""
        await self.stream_head(headers)
        for chunk in chunks:
            await self.chunk(chunk)
            await asyncio.sleep(pause)
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Break the connection without a goodbye."""
        self._writer.transport.abort()


Script = Callable[[Seen, Out], Awaitable[None]]


class Upstream:
    """A provider on a free port of this machine. `script` may be changed between requests."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.open = 0
        """Connections that are open now."""
        self.script: Script = _nothing

    def answers(self, content: object, status: int = 200, headers: Sequence[tuple[str, str]] = (), **more: Any) -> None:
        """Answer everything with this."""

        async def script(seen: Seen, out: Out) -> None:
            await out.whole(content, status, headers, **more)

        self.script = script

    def streams(self, chunks: Sequence[bytes], pause: float = 0.0, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer everything with this stream."""

        async def script(seen: Seen, out: Out) -> None:
            await out.stream(chunks, pause, headers)

        self.script = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                await self.script(seen, Out(writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


async def _nothing(seen: Seen, out: Out) -> None:
    await out.whole({"error": {"message": "the test has not said what to answer"}}, 500)


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, target, headers, body)


@contextmanager
def upstream() -> Iterator[Upstream]:
    """A provider for the length of a test."""
    provider, ready = Upstream(), threading.Event()
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(provider.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def run() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**24)
        provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await ended.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait(10)
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
