"""Calls that are authenticated and passed on, never charged: models, token counts, replies that were paid before."""

from aiohttp import web

from nullspend_daemon.errors import UpstreamFailed
from nullspend_daemon.http.server import when_client_leaves
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import read_json
from nullspend_daemon.proxy.bodies import model_name, parse
from nullspend_daemon.proxy.corrections import Corrector
from nullspend_daemon.proxy.decoding import Decoder
from nullspend_daemon.proxy.exchange import Exchange
from nullspend_daemon.proxy.forwarding import ID_HEADER
from nullspend_daemon.proxy.passing import Passing, is_redirect, is_stream, refused_body
from nullspend_daemon.proxy.sending import Sender
from nullspend_daemon.proxy.targets import Target
from nullspend_daemon.store.identity import KeyIdentity

_MODELS = "/v1/models/"


class FreeCalls:
    """Passes such calls on. A stored reply that tells its final usage corrects the event of its background call."""

    def __init__(self, sender: Sender, corrector: Corrector) -> None:
        self._sender = sender
        self._corrector = corrector

    async def serve(
        self, request: web.Request, key: KeyIdentity, target: Target, raw: bytes, passing: Passing
    ) -> web.StreamResponse:
        """The provider's reply. Raises UpstreamFailed, InvalidUpstream or MalformedRequest."""
        wanted = request.headers.get("X-NullSpend-Upstream")
        upstream = self._sender.upstreams.choose(target, wanted, _model(target, raw))
        passing.timing.upstream_begins()
        exchange = await self._sender.send(request, target, upstream, raw or None)
        try:
            return await self._answer(request, key, target, passing, exchange)
        finally:
            exchange.close()

    async def _answer(
        self, request: web.Request, key: KeyIdentity, target: Target, passing: Passing, exchange: Exchange
    ) -> web.StreamResponse:
        provider = target.provider
        request_id = exchange.header(ID_HEADER[provider]) or passing.trace_id
        if is_redirect(exchange.status):
            raise UpstreamFailed("The provider answered with a redirect, which is not followed.")
        if exchange.status >= 400:
            body = await refused_body(provider, exchange)
            passing.timing.upstream_ends()
            return passing.refused(provider, exchange, body, request_id)
        if is_stream(exchange):
            return await self._stream(request, key, target, passing, exchange)
        body = await exchange.read()
        passing.timing.upstream_ends()
        if target.stored_reply:
            decoded = Decoder(exchange.header("content-encoding")).decode(body)
            self._corrector.saw(key.org_id, read_json("responses", decoded))
        return passing.whole(provider, exchange, body, request_id)

    async def _stream(
        self, request: web.Request, key: KeyIdentity, target: Target, passing: Passing, exchange: Exchange
    ) -> web.StreamResponse:
        reader, decoder = StreamReader("responses"), Decoder(exchange.header("content-encoding"))
        reply = passing.stream(target.provider, exchange, exchange.header(ID_HEADER[target.provider]))
        with when_client_leaves(request):
            try:
                await reply.prepare(request)
                while chunk := await exchange.next_chunk():
                    reader.feed(decoder.decode(chunk))
                    await reply.write(chunk)
            except UpstreamFailed:
                passing.cut(request)
                return reply
            except ConnectionError:  # the client is gone
                return reply
        if target.stored_reply:
            self._corrector.saw(key.org_id, reader.finish())
        await reply.write_eof()
        return reply


def _model(target: Target, raw: bytes) -> str:
    """The model a call is about, which decides whether the fake provider answers it."""
    if target.path.startswith(_MODELS):
        return target.path.removeprefix(_MODELS)
    return model_name(parse(raw)) if target.path.endswith("/count_tokens") else ""
