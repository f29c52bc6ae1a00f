"""The floor for a proxy: aiohttp in, aiohttp out, bytes passed on, nothing else. Prints its port.

usage: python passthrough.py PROVIDER_URL
"""

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web


async def main(provider: str) -> None:
    """Serves until killed."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with session.post(
            provider + request.path, data=body, headers={"Content-Type": "application/json"}
        ) as got:
            if got.content_type != "text/event-stream":
                return web.Response(status=got.status, body=await got.read(), content_type=got.content_type)
            reply = web.StreamResponse(status=got.status, headers={"Content-Type": "text/event-stream"})
            await reply.prepare(request)
            while chunk := await got.content.readany():
                await reply.write(chunk)
            await reply.write_eof()
            return reply

    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
