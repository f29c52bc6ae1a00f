"""A priced call from its headers to its event: check, hold, call, pass on, settle. Every way out ends the hold once."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager

from aiohttp import web

from nullspend_daemon.errors import BudgetUnavailable, MalformedRequest, NullSpendError, UpstreamFailed
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.server import when_client_leaves
from nullspend_daemon.http.tracing import trace_id_of
from nullspend_daemon.ledger.denials import Denied, Subject, stage_blocked
from nullspend_daemon.ledger.holds import Approved, hold
from nullspend_daemon.ledger.rules import Standing
from nullspend_daemon.pricing.bounds import Unbounded, bound_of
from nullspend_daemon.pricing.cost import tool_definition_tokens
from nullspend_daemon.pricing.estimate import Estimate, estimate_of
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import NOTHING, read_json
from nullspend_daemon.proxy.bodies import asks_for_stream, model_name, parse, with_usage_asked_for
from nullspend_daemon.proxy.calls import PricedCall
from nullspend_daemon.proxy.capture import Capture
from nullspend_daemon.proxy.catalogue import Prices
from nullspend_daemon.proxy.context import Context
from nullspend_daemon.proxy.decoding import Decoder
from nullspend_daemon.proxy.denials import budget_headers, check_mandates, refusal
from nullspend_daemon.proxy.exchange import Exchange
from nullspend_daemon.proxy.forwarding import ID_HEADER, limit_tags
from nullspend_daemon.proxy.live import LiveCall
from nullspend_daemon.proxy.loops import Loops
from nullspend_daemon.proxy.metrics import Metrics, Sample
from nullspend_daemon.proxy.passing import Passing, is_redirect, is_stream, refused_body
from nullspend_daemon.proxy.sending import Sender
from nullspend_daemon.proxy.settling import Settler
from nullspend_daemon.proxy.targets import Target
from nullspend_daemon.store.action_ids import known_action
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)


class Pipeline:
    """Steps 7 to 17 of orgs 11.1, for calls that cost something."""

    def __init__(self, parts: Parts, sender: Sender, settler: Settler, capture: Capture, metrics: Metrics) -> None:
        settings = parts.settings
        self._parts = parts
        self._sender = sender
        self._settler = settler
        self._capture = capture
        self._metrics = metrics
        self._prices = Prices(parts.catalogue)
        self._upper_bound = settings.upper_bound
        self._loops = Loops(settings.loop_max_calls, parts.clock) if settings.loop_max_calls else None
        self._live: set[asyncio.Task[object]] = set()

    async def end(self, seconds: float) -> None:
        """Let live calls finish for `seconds`, then cut them off; each is settled."""
        if self._live:
            await asyncio.wait(self._live, timeout=seconds)
        cut = set(self._live)
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.wait(cut, timeout=seconds)

    async def serve(
        self, request: web.Request, key: KeyIdentity, target: Target, raw: bytes, context: Context, passing: Passing
    ) -> web.StreamResponse:
        """The provider's reply. Raises NullSpendError for whatever stands in the way."""
        call = await self._checked(request, key, target, raw, context)
        recording = self._capture.begin(raw)
        approved = await self._hold(call)
        passing.timing.mark("budget")
        live = LiveCall(call, approved.hold_id, passing.timing, recording, self._settler, self._capture)
        with self._alive(live):
            return await self._exchange(request, live, approved.standing, passing)

    @contextmanager
    def _alive(self, live: LiveCall) -> Generator[None]:
        """Whatever happens inside, the call is settled when this ends."""
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        try:
            yield
        finally:
            self._live.discard(task)
            live.settle(NOTHING, cancelled=True)

    async def _checked(
        self, request: web.Request, key: KeyIdentity, target: Target, raw: bytes, context: Context
    ) -> PricedCall:
        assert target.shape is not None
        body = parse(raw)
        model = model_name(body)
        call = PricedCall(
            key=key,
            target=target,
            shape=target.shape,
            upstream=self._sender.upstreams.default(target),
            context=context,
            trace_id=trace_id_of(request),
            body=body,
            raw=raw,
            model=model,
            streams=asks_for_stream(body),
            prices=self._prices,
        )
        try:
            check_mandates(key, target.provider, model)
            call.upstream = self._sender.upstreams.choose(target, request.headers.get("X-NullSpend-Upstream"), model)
            if self._loops is not None:
                self._loops.check(key.key_id, call.upstream.provider, model, raw)
        except NullSpendError as error:
            await self._tell_blocked(call, error)
            raise
        call.price = self._prices.of(call.upstream, model)
        call.held = self._estimate(call)
        call.tool_tokens = tool_definition_tokens(body)
        return call

    def _estimate(self, call: PricedCall) -> Estimate:
        if not self._upper_bound:
            return estimate_of(call.shape, call.body, len(call.raw), call.price)
        try:
            return bound_of(call.shape, call.body, len(call.raw), call.price)
        except Unbounded as error:
            raise MalformedRequest(
                f"{error}. With --estimate upper-bound only calls whose cost is bounded are made.",
                details={"field": error.field},
            ) from None

    async def _tell_blocked(self, call: PricedCall, error: NullSpendError) -> None:
        """`request.blocked`, for what was denied before the engine was asked; best effort."""
        reason = {"mandate_violation": "policy", "loop_detected": "rate_limit"}.get(error.code)
        if reason is None:
            return
        key, details = call.key, dict(error.details or {})
        subject = Subject(
            org_id=key.org_id,
            api_key_id=key.key_id,
            provider=call.upstream.provider,
            model=call.model,
            customer=call.context.customer,
            session_id=call.context.session_id,
            estimate=0,
        )
        try:
            await self._parts.store.write(lambda tx: stage_blocked(tx, subject, reason, details), durable=False)
        except NullSpendError as failure:
            log.warning("request.blocked is not sent: %s", failure.message)

    async def _hold(self, call: PricedCall) -> Approved:
        """The engine's leave. Raises CallDenied, or BudgetUnavailable when it cannot decide: nothing passes then."""
        try:
            asked = self._parts.store.write(lambda tx: _held(tx, call), durable=False)
            try:
                answer = await asyncio.shield(asked)
            except asyncio.CancelledError:
                self._settler.release_late(asked)
                raise
        except NullSpendError as error:
            raise BudgetUnavailable() from error
        except Exception as error:
            log.exception("the engine failed")
            raise BudgetUnavailable() from error
        if isinstance(answer, Denied):
            raise refusal(answer)
        call.status = answer.status
        return answer

    async def _exchange(
        self, request: web.Request, live: LiveCall, standing: Standing | None, passing: Passing
    ) -> web.StreamResponse:
        call = live.call
        status = 502
        live.timing.upstream_begins()
        try:
            exchange = await self._sender.send(request, call.target, call.upstream, with_usage_asked_for(call))
            try:
                status = exchange.status
                return await self._answer(request, live, standing, passing, exchange)
            finally:
                exchange.close()
        except UpstreamFailed as error:
            status = 502
            if error.sent:
                live.settle(NOTHING)
            else:
                live.release()
            raise
        finally:
            live.timing.upstream_ends()
            self._measure(live, status)

    async def _answer(
        self, request: web.Request, live: LiveCall, standing: Standing | None, passing: Passing, exchange: Exchange
    ) -> web.StreamResponse:
        call = live.call
        provider = call.target.provider
        upstream_id = exchange.header(ID_HEADER[provider])
        live.request_id = upstream_id or call.own_id
        live.limits = limit_tags(provider, exchange)
        if is_redirect(exchange.status):
            live.release()
            raise UpstreamFailed("The provider answered with a redirect, which is not followed.")
        if exchange.status >= 400:
            body = await refused_body(provider, exchange)
            live.timing.upstream_ends()
            live.release()
            return passing.refused(provider, exchange, body, live.request_id)
        passing.headers.update(budget_headers(standing))
        if is_stream(exchange):
            return await self._stream(request, live, passing, exchange)
        return await self._whole(live, passing, exchange)

    async def _whole(self, live: LiveCall, passing: Passing, exchange: Exchange) -> web.Response:
        body = await exchange.read()
        live.timing.upstream_ends()
        decoded = Decoder(exchange.header("content-encoding")).decode(body)
        if live.recording is not None:
            live.recording.add(decoded)
        live.settle(read_json(live.call.shape, decoded))
        return passing.whole(live.call.target.provider, exchange, body, live.request_id)

    async def _stream(
        self, request: web.Request, live: LiveCall, passing: Passing, exchange: Exchange
    ) -> web.StreamResponse:
        """Pass the bytes on as they come. What they say is read on the side; their end is settled before it is told."""
        reader, decoder = StreamReader(live.call.shape), Decoder(exchange.header("content-encoding"))
        recording = live.recording
        if recording is not None:
            recording.is_stream = True
        chunk = await exchange.next_chunk()
        if not chunk:
            live.settle(NOTHING)
            raise UpstreamFailed("The provider's stream is empty.")
        live.timing.first_byte_came()
        reply = passing.stream(live.call.target.provider, exchange, live.request_id)
        with when_client_leaves(request):
            try:
                await reply.prepare(request)
                while chunk:
                    decoded = decoder.decode(chunk)
                    if recording is not None:
                        recording.add(decoded)
                    if not live.over:
                        reader.feed(decoded)
                    if reader.complete and not live.over:
                        live.settle(reader.finish())
                    await reply.write(chunk)
                    chunk = await exchange.next_chunk()
            except UpstreamFailed:
                live.settle(reader.finish())
                passing.cut(request)
                return reply
            except ConnectionError:  # the client is gone; there is nobody left to tell
                live.settle(reader.finish(), cancelled=True)
                return reply
            except asyncio.CancelledError:
                live.settle(reader.finish(), cancelled=True)
                raise
        live.settle(reader.finish())
        await reply.write_eof()
        return reply

    def _measure(self, live: LiveCall, status: int) -> None:
        timing, call = live.timing, live.call
        self._metrics.record(
            Sample(
                at_ms=self._parts.clock.now_ms(),
                provider=call.upstream.provider,
                model=call.model,
                mode="stream" if timing.first_byte is not None else "json",
                status=status,
                user_id=call.key.user_id,
                overhead=round(timing.overhead),
                upstream=round(timing.upstream),
                total=round(timing.total),
                ttfb=round(timing.first_byte or 0),
            )
        )


def _held(tx: Tx, call: PricedCall) -> Approved | Denied:
    call.action_id = known_action(tx, call.key.org_id, call.context.action_id)
    return hold(tx, call.hold_request())
