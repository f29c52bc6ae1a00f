"""aiohttp's server, with its last plain-text replies turned into the envelope."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from nullspend_daemon.errors import InternalError, MalformedRequest, NullSpendError
from nullspend_daemon.http.replies import error_reply

_LEAVES = web.RequestKey("client_leaves", asyncio.Task[Any])


@contextmanager
def when_client_leaves(request: web.Request) -> Generator[None]:
    """Cancel the handler as soon as its client is gone, also while it waits for something else."""
    task = asyncio.current_task()
    if task is not None:
        request[_LEAVES] = task
    try:
        yield
    finally:
        request.pop(_LEAVES, None)


class _Protocol(RequestHandler):
    """Answers a request that cannot be parsed, and tells handlers that want to know when their client leaves."""

    def connection_lost(self, exc: BaseException | None) -> None:
        current = self._current_request
        super().connection_lost(exc)
        task = current.get(_LEAVES) if isinstance(current, web.Request) else None
        if task is not None:
            task.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        plain = super().handle_error(request, status, exc, message)
        error: NullSpendError = InternalError()
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = (message or "").strip().splitlines()
            error = MalformedRequest(f"The request is not valid HTTP: {reason[0] if reason else status}.")
        reply = error_reply(cast("web.Request", request), error)
        if plain.keep_alive is False:
            reply.force_close()
        return reply


class _Server(web.Server):
    """Opens connections with the protocol above; `options` are those of aiohttp's RequestHandler."""

    def __init__(self, plain: web.Server, **options: Any) -> None:
        super().__init__(plain.request_handler, request_factory=plain.request_factory, **options)
        self._options = options

    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._options)


class Runner(web.AppRunner):
    """An application runner whose connections speak the envelope throughout."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), access_log=None)
