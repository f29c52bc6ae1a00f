"""/health, /health/ready and /health/metrics: answered to anybody, without a key."""

from aiohttp import web
from pydantic_core import to_json

from nullspend_daemon.errors import MalformedRequest, NotFound
from nullspend_daemon.http.replies import json_reply
from nullspend_daemon.proxy.metrics import NAME, Metrics

_ALIVE = to_json({"status": "ok", "service": "nullspend-proxy"})
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_CACHED = {"Cache-Control": "public, max-age=60", "Vary": "Accept"}


class Health:
    """Says that the proxy is there and how quick it is."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One of the three paths; another method than GET is not found."""
        if request.method != "GET":
            raise NotFound(f"There is no {request.method} {request.path}.")
        if request.path == "/health/metrics":
            return self._report(request)
        return json_reply(request, 200, _ALIVE)

    def _report(self, request: web.Request) -> web.Response:
        provider, model = _filter(request, "provider"), _filter(request, "model")
        if "text/plain" in request.headers.get("Accept", ""):
            text = self._metrics.prometheus(provider, model)
            reply = json_reply(request, 200, text.encode(), _CACHED)
            reply.headers["Content-Type"] = _PROMETHEUS
            return reply
        return json_reply(request, 200, to_json(self._metrics.report(provider, model)), _CACHED)


def _filter(request: web.Request, name: str) -> str | None:
    value = request.query.get(name)
    if value is not None and NAME.fullmatch(value) is None:
        raise MalformedRequest(f"{name} may hold letters, digits, '.', '_' and '-'.")
    return value
