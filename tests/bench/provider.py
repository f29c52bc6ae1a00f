"""A provider that answers at once, over bare sockets so that it is never what is measured. Prints its port.

A chat completion, or a stream of as many events as the request's `max_tokens` says.
"""

import asyncio
import json
from typing import Any

import uvloop

_USAGE = {"prompt_tokens": 20, "completion_tokens": 10}
_COMPLETION = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello " * 20}, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_JSON = json.dumps(_COMPLETION).encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_JSON), _JSON)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(choices: list[object], usage: object = None) -> bytes:
    fields = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06"}
    data = b"data: " + json.dumps({**fields, "choices": choices, "usage": usage}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


_WORD = _chunk([{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}])
_END = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + _chunk([], _USAGE)
_LAST = _END + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        body = rest[:length]
        if b'"stream": true' not in body and b'"stream":true' not in body:
            self._transport.write(WHOLE)
            return
        self._task = asyncio.ensure_future(self._stream(json.loads(body)["max_tokens"]))

    async def _stream(self, events: int) -> None:
        self._transport.write(HEAD)
        for _ in range(events):
            self._transport.write(_WORD)
            await asyncio.sleep(0)
        self._transport.write(_LAST)


async def main() -> None:
    """Serves until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
