"""The floor to measure against: an aiohttp handler that parses the same JSON and answers a line. Prints its port."""

import json

import uvloop
from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    """Parses the body and answers."""
    json.loads(await request.read())
    return web.json_response({"data": {"id": "x"}}, status=201)


async def main() -> None:
    """Serves until killed."""
    application = web.Application()
    application.router.add_post("/api/cost-events", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    import asyncio

    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
