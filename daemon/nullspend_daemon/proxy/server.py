"""The proxy's front door: /v1, /k/<key>/v1 and /health, in the order of orgs 11.1. Everything else is not found."""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web
from pydantic_core import to_json

from nullspend_daemon.errors import (
    Forbidden,
    MalformedRequest,
    NotFound,
    NullSpendError,
    RateLimited,
    ServiceUnavailable,
    Unauthorized,
)
from nullspend_daemon.http.auth import KEY_HEADER
from nullspend_daemon.http.body import read_capped
from nullspend_daemon.http.guard import client_address
from nullspend_daemon.http.limits import Limiter
from nullspend_daemon.http.masking import masked
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.replies import json_reply
from nullspend_daemon.http.route import Record
from nullspend_daemon.http.tracing import trace_id_of
from nullspend_daemon.proxy.capture import Capture
from nullspend_daemon.proxy.catalogue import Prices
from nullspend_daemon.proxy.context import Context, read_context
from nullspend_daemon.proxy.corrections import Corrector
from nullspend_daemon.proxy.free import FreeCalls
from nullspend_daemon.proxy.health import Health
from nullspend_daemon.proxy.mcp import McpCalls
from nullspend_daemon.proxy.metrics import Metrics
from nullspend_daemon.proxy.passing import Passing
from nullspend_daemon.proxy.pipeline import Pipeline
from nullspend_daemon.proxy.policy import read_policy
from nullspend_daemon.proxy.sending import Sender
from nullspend_daemon.proxy.settling import Settler
from nullspend_daemon.proxy.targets import find_target, split_key
from nullspend_daemon.proxy.timing import Timing
from nullspend_daemon.proxy.upstreams import Upstreams
from nullspend_daemon.store.identity import KeyIdentity

MOST_COUNTED_KEY = 128
WAIT_SECONDS = 60
Own = Callable[[KeyIdentity, Context, str, bytes], Awaitable[Record]]


class Proxy:
    """The enforcing proxy of one daemon."""

    def __init__(self, parts: Parts, upstreams: Upstreams) -> None:
        settings, clock = parts.settings, parts.clock
        self._parts = parts
        self._by_address = None if settings.proxy_ip_limit is None else Limiter(settings.proxy_ip_limit, clock)
        self._by_key = Limiter(settings.proxy_key_limit, clock)
        self._sender = Sender(settings, upstreams)
        self._settler = Settler(parts.store)
        self._capture = Capture(parts)
        metrics = Metrics(clock)
        self._pipeline = Pipeline(parts, self._sender, self._settler, self._capture, metrics)
        self._free = FreeCalls(self._sender, Corrector(parts, upstreams, Prices(parts.catalogue)))
        self._health = Health(metrics)
        mcp = McpCalls(parts)
        self._own: dict[tuple[str, str], Own] = {
            ("POST", "/v1/mcp/budget/check"): mcp.check,
            ("POST", "/v1/mcp/events"): mcp.report,
            ("GET", "/v1/policy"): self._policy,
        }

    def add_to(self, application: web.Application) -> None:
        """Serve the proxy's paths, whatever the method: a wrong one is not found here, as the contract has it."""
        for path in ("/v1/{rest:.*}", "/k/{rest:.*}"):
            application.router.add_route("*", path, self.serve)
        for path in ("/health", "/health/ready", "/health/metrics"):
            application.router.add_route("*", path, self._health.serve)

    async def end(self, seconds: float) -> None:
        """Finish live calls within `seconds`, cut off the rest, and settle every one of them."""
        await self._pipeline.end(seconds)
        await self._settler.finish(seconds)
        await self._capture.finish(seconds)
        await self._sender.close()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request of a client. Whatever goes wrong carries the same headers as a success."""
        passing = Passing(Timing(), trace_id_of(request))
        try:
            return await self._serve(request, passing)
        except NullSpendError as error:
            error.headers = passing.headers | passing.timing.headers() | error.headers
            raise

    async def _serve(self, request: web.Request, passing: Passing) -> web.StreamResponse:
        path_key, path = split_key(request.rel_url.raw_path)
        own = self._own.get((request.method, path))
        target = find_target(request.method, path, for_anthropic="anthropic-version" in request.headers)
        if own is None and target is None:
            raise NotFound(f"There is no {request.method} {masked(request.path)}.")
        key = await self._key(request, path_key)
        passing.timing.mark("preflight")
        raw = await self._body(request)
        passing.timing.mark("body")
        context = read_context(request.headers, key.default_tags)
        passing.headers = context.headers()
        if own is not None:
            return await self._answer(request, own, key, context, raw, passing)
        assert target is not None
        if target.shape is None:
            return await self._free.serve(request, key, target, raw, passing)
        return await self._pipeline.serve(request, key, target, raw, context, passing)

    async def _answer(
        self, request: web.Request, own: Own, key: KeyIdentity, context: Context, raw: bytes, passing: Passing
    ) -> web.StreamResponse:
        record = await own(key, context, passing.trace_id, raw)
        return json_reply(request, 200, to_json(record), {**passing.headers, "Cache-Control": "no-store"})

    async def _policy(self, key: KeyIdentity, context: Context, trace_id: str, raw: bytes) -> Record:
        return await read_policy(self._parts, key)

    async def _key(self, request: web.Request, path_key: str | None) -> KeyIdentity:
        """Who is calling, after the limits. Raises RateLimited, Unauthorized, Forbidden or ServiceUnavailable."""
        raw = request.headers.get(KEY_HEADER)
        if raw is None:
            raw = unquote(path_key or "")
        self._count(request, raw)
        try:
            key = await self._parts.keys.find(raw)
        except ServiceUnavailable:
            raise
        except Exception as error:  # a lookup that failed says nothing about the key
            raise ServiceUnavailable("The key cannot be checked right now.") from error
        if key is None:
            raise Unauthorized("The X-NullSpend-Key header is missing or is no valid key.")
        if not key.owner_is_member:
            raise Forbidden("The API key's owner is no longer a member of its organization.")
        return key

    def _count(self, request: web.Request, raw_key: str) -> None:
        allowed = True
        if self._by_address is not None:
            allowed = self._by_address.count(client_address(request, self._parts.settings)).allowed
        if allowed and 0 < len(raw_key) <= MOST_COUNTED_KEY:
            allowed = self._by_key.count(raw_key).allowed
        if not allowed:
            raise RateLimited("Too many requests in a minute.", headers={"Retry-After": str(WAIT_SECONDS)})

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await read_capped(request, self._parts.settings.proxy_body_cap)
        except web.RequestPayloadError:
            raise MalformedRequest("The request's body cannot be decoded.") from None
