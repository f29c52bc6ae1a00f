"""Webhook receivers for the bench: four that answer and a dead one. Prints ports; counts for each line it reads."""

import asyncio
import json
import sys
from typing import Any

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ANSWERING = 4


async def _answer(counts: list[int], number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"content-length:") + 15
            await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
            counts[number] += 1
            if number == ANSWERING:
                break
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def _serve() -> None:
    counts = [0] * (ANSWERING + 1)
    servers: list[Any] = []
    for number in range(ANSWERING + 1):
        servers.append(
            await asyncio.start_server(lambda r, w, number=number: _answer(counts, number, r, w), "127.0.0.1", 0)
        )
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
