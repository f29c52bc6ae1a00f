"""One request through one route: auth, path, body, query, handler, reply. All of /api and /_local goes this way."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web
from pydantic_core import to_json

from nullspend_daemon.errors import NullSpendError, RateLimited, RequestInProgress, ValidationFailed
from nullspend_daemon.http.auth import ORG_COOKIE, ORG_COOKIE_SECONDS, Admission, Authenticator
from nullspend_daemon.http.body import read_capped, read_json
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.guard import client_address
from nullspend_daemon.http.limits import Limiter
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.replies import json_reply
from nullspend_daemon.http.route import Call, Document, Reply, Route
from nullspend_daemon.http.streaming import stream_reply
from nullspend_daemon.http.wire import read_query
from nullspend_daemon.settings import API_BODY_CAP
from nullspend_daemon.store.idempotency import Scope, find_reply, store_reply
from nullspend_daemon.store.transaction import Tx

MOST_IDEMPOTENCY_KEY = 200
DUPLICATE_WAIT_SECONDS = 1.0
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
AnyCall = Call[Any, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply as bytes, before headers."""

    status: int
    body: bytes
    replayed: bool = False
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Dispatcher:
    """Serves routes. `serve(route)` is the aiohttp handler of one."""

    def __init__(self, parts: Parts, authenticator: Authenticator) -> None:
        self._parts = parts
        self._store = parts.store
        self._authenticator = authenticator
        self._running: dict[Scope, asyncio.Future[Outcome]] = {}

    def serve(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of `route`."""

        attempts = None if route.attempts_per_minute is None else Limiter(route.attempts_per_minute, self._parts.clock)

        async def handle(request: web.Request) -> web.StreamResponse:
            if attempts is not None:
                self._count_attempt(attempts, request)
            admission = await self._authenticator.admit(route.auth, request)
            try:
                return await self._answer(route, request, admission)
            except NullSpendError as error:
                if admission.rate is not None:
                    error.headers = admission.rate.headers() | error.headers
                raise

        return handle

    def _count_attempt(self, attempts: Limiter, request: web.Request) -> None:
        verdict = attempts.count(client_address(request, self._parts.settings))
        if not verdict.allowed:
            wait = str(verdict.retry_after_seconds)
            raise RateLimited("Too many attempts from this address.", headers={"Retry-After": wait})

    async def _answer(self, route: Route, request: web.Request, admission: Admission) -> web.StreamResponse:
        scope = _scope(route, request, admission.caller)
        try:
            call = await self._read(route, request, admission.caller)
        except NullSpendError:
            # A replay does not validate again: the first request's reply stands, whatever this body looks like.
            stored = None if scope is None else await self._store.read(lambda tx: find_reply(tx, scope))
            if stored is None:
                raise
            call, outcome = None, Outcome(200, stored, replayed=True)
        else:
            if route.streams is not None:
                pieces, kind = route.streams(call), route.document_type or "application/octet-stream"
                return await stream_reply(request, pieces, kind, self._parts.ending)
            scope = scope or _scope_in_body(route, request, call)
            call.idempotency_key = None if scope is None else scope.key
            outcome = await self._run(route, call, scope)
        return self._reply(request, admission, call, outcome)

    async def _read(self, route: Route, request: web.Request, caller: Caller) -> AnyCall:
        _check_encoding(route, request)
        params = {name: read(request.match_info[name]) for name, read in route.params.items()}
        call: AnyCall = Call(caller, None, None, params, request.headers, self._parts, role_needed=route.auth.role)
        if route.before_body is not None:
            route.before_body(call)
        if route.body is not None:
            call.body = await read_json(request, route.body, API_BODY_CAP, optional=route.body_optional)
        elif route.takes_raw_body or request.can_read_body:
            # Also where nobody reads it: what is left in the connection would hold up its end.
            call.raw_body = await read_capped(request, API_BODY_CAP)
        if route.query is not None:
            call.query = read_query(route.query, dict(request.query.items()))
        return call

    async def _run(self, route: Route, call: AnyCall, scope: Scope | None) -> Outcome:
        if route.runs is not None:
            return _rendered(route, await route.runs(call))
        if route.reads is not None:
            reads = route.reads
            return _rendered(route, await self._store.read(lambda tx: reads(tx, call)))
        if scope is not None:
            return await self._run_once(route, call, scope)
        return await self._store.write(lambda tx: _written(route, tx, call), durable=route.durable)

    async def _run_once(self, route: Route, call: AnyCall, scope: Scope) -> Outcome:
        """Effect and stored reply in one transaction; a duplicate waits its turn in the store and replays."""

        def once(tx: Tx) -> Outcome:
            stored = find_reply(tx, scope)
            if stored is not None:
                return Outcome(200, stored, replayed=True)
            outcome = _written(route, tx, call)
            store_reply(tx, scope, outcome.body)
            return outcome

        first = self._running.get(scope)
        if first is not None:
            _, unfinished = await asyncio.wait([first], timeout=DUPLICATE_WAIT_SECONDS)
            if unfinished:
                raise RequestInProgress()
        running = self._store.write(once, durable=route.durable)
        self._running[scope] = running
        try:
            return await running
        finally:
            if self._running.get(scope) is running:
                del self._running[scope]

    def _reply(
        self, request: web.Request, admission: Admission, call: AnyCall | None, outcome: Outcome
    ) -> web.Response:
        reply = json_reply(request, outcome.status, outcome.body)
        if outcome.headers:
            reply.headers.update({"Content-Type": outcome.content_type, **outcome.headers})
        if admission.rate is not None:
            reply.headers.update(admission.rate.headers())
        if outcome.replayed:
            reply.headers["X-Idempotent-Replayed"] = "true"
        active_org = (call and call.active_org) or admission.active_org
        if call is not None and call.clears_active_org:
            reply.del_cookie(ORG_COOKIE, path="/", httponly=True, samesite="Lax")
        elif active_org is not None:
            value = self._authenticator.signer.sign(*active_org)
            reply.set_cookie(ORG_COOKIE, value, max_age=ORG_COOKIE_SECONDS, httponly=True, samesite="Lax", path="/")
        return reply


def _check_encoding(route: Route, request: web.Request) -> None:
    """Raises ValidationFailed for a path whose percent-encoding is broken: what it names cannot be known."""
    path = request.rel_url.raw_path
    if route.params and "%" in path:
        try:
            if _BROKEN_ESCAPE.search(path):
                raise ValueError
            unquote_to_bytes(path).decode()
        except ValueError:
            raise ValidationFailed.at(list(route.params)[-1:], "The path is not valid percent-encoded UTF-8") from None


def _written(route: Route, tx: Tx, call: AnyCall) -> Outcome:
    if route.writes is None:
        raise TypeError(f"{route.path} does not write")
    call.confirm(tx)
    return _rendered(route, route.writes(tx, call))


def _rendered(route: Route, answer: Any) -> Outcome:
    if isinstance(answer, Document):
        status = route.status if answer.status is None else answer.status
        return Outcome(status, answer.body, content_type=answer.content_type, headers=answer.headers)
    if isinstance(answer, Reply):
        return Outcome(answer.status, to_json(route.envelope.wrap(answer.record)), headers=answer.headers)
    return Outcome(route.status, to_json(route.envelope.wrap(answer)))


def _scope(route: Route, request: web.Request, caller: Caller) -> Scope | None:
    key = request.headers.get("Idempotency-Key") if route.idempotent else None
    if key is None or caller.key is None:
        return None
    if not 1 <= len(key) <= MOST_IDEMPOTENCY_KEY:
        raise ValidationFailed.at(["Idempotency-Key"], f"Must be 1 to {MOST_IDEMPOTENCY_KEY} characters")
    return Scope(caller.key.key_id, request.path, key)


def _scope_in_body(route: Route, request: web.Request, call: AnyCall) -> Scope | None:
    """The scope of a key that stands in the body; its length is the model's to check."""
    key: str | None = call.body.idempotency_key if route.key_in_body else None
    return None if key is None else Scope(call.caller.api_key.key_id, request.path, key)
