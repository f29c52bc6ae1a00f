"""Replies without an end: written piece by piece until the client goes or the daemon stops."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from nullspend_daemon.http.replies import base_headers


async def stream_reply(
    request: web.Request, pieces: AsyncGenerator[bytes], content_type: str, ending: asyncio.Event
) -> web.StreamResponse:
    """Send `pieces` as they come. What they raise before the first one is raised here, before anything is sent.

    The stream ends cleanly when `ending` is set, even if the client has stopped reading.
    """
    async with aclosing(pieces):
        first = await anext(pieces)
        reply = web.StreamResponse(headers=base_headers(request))
        reply.content_type = content_type
        await reply.prepare(request)
        writing = asyncio.create_task(_write(reply, first, pieces))
        stopping = asyncio.create_task(ending.wait())
        try:
            await asyncio.wait({writing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            stopping.cancel()
            await asyncio.wait({writing, stopping})
        if not writing.cancelled() and (error := writing.exception()) is not None:
            raise error
        if request.transport is not None and not request.transport.get_write_buffer_size():
            await reply.write_eof()
        return reply


async def _write(reply: web.StreamResponse, first: bytes, pieces: AsyncGenerator[bytes]) -> None:
    try:
        await reply.write(first)
        async for piece in pieces:
            await reply.write(piece)
    except ConnectionError:  # the client has gone, which is how most streams end
        return
