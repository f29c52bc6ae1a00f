"""The reply to a client: the provider's status and bytes, its useful headers, and what NullSpend has to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from nullspend_daemon import API_VERSION
from nullspend_daemon.errors import UpstreamFailed
from nullspend_daemon.http.tracing import TRACE_HEADER
from nullspend_daemon.proxy.decoding import Decoder
from nullspend_daemon.proxy.exchange import Exchange
from nullspend_daemon.proxy.forwarding import id_headers, to_client
from nullspend_daemon.proxy.sanitizing import error_body
from nullspend_daemon.proxy.targets import Provider
from nullspend_daemon.proxy.timing import Timing

MOST_REFUSAL = 1_048_576
"""Bytes of a provider's error that are looked at."""
_STREAM = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "connection": "keep-alive",
}


def is_redirect(status: int) -> bool:
    """Whether a provider sends the client elsewhere; that is never followed."""
    return 300 <= status < 400


def is_stream(exchange: Exchange) -> bool:
    """Whether the reply is a stream of events, whatever was asked for."""
    return exchange.header("content-type").lower().startswith("text/event-stream")


async def refused_body(provider: Provider, exchange: Exchange) -> bytes:
    """What the client is told of a provider's refusal; a body that breaks off counts as none."""
    decoder, told = Decoder(exchange.header("content-encoding")), b""
    try:
        while len(told) < MOST_REFUSAL and (chunk := await exchange.next_chunk()):
            told += decoder.decode(chunk)
    except UpstreamFailed:
        told = b""
    return error_body(provider, exchange.status, told)


@dataclass(slots=True)
class Passing:
    """The reply of one request. `headers` are NullSpend's own, collected on the way."""

    timing: Timing
    trace_id: str
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def whole(self, provider: Provider, exchange: Exchange, body: bytes, request_id: str) -> web.Response:
        """A reply whose body has come, byte by byte as it did."""
        headers = self._headers(provider, exchange, request_id)
        headers.update(self.timing.headers())
        return web.Response(status=exchange.status, body=body, headers=headers)

    def refused(self, provider: Provider, exchange: Exchange, body: bytes, request_id: str) -> web.Response:
        """A reply that is no success, its body made anew."""
        headers = self._headers(provider, exchange, request_id)
        headers.pop("content-encoding", None)
        headers["content-type"] = "application/json"
        headers.update(self.timing.headers())
        return web.Response(status=exchange.status, body=body, headers=headers)

    def stream(self, provider: Provider, exchange: Exchange, request_id: str) -> web.StreamResponse:
        """The head of a stream."""
        headers = self._headers(provider, exchange, request_id)
        headers.update(_STREAM)
        headers.update(self.timing.headers())
        return web.StreamResponse(status=exchange.status, headers=headers)

    def cut(self, request: web.Request) -> None:
        """End a reply that cannot be completed so that the client notices: without its proper end."""
        if request.transport is not None:
            request.transport.close()

    def _headers(self, provider: Provider, exchange: Exchange, request_id: str) -> CIMultiDict[str]:
        mine: Mapping[str, str] = {TRACE_HEADER: self.trace_id, "NullSpend-Version": API_VERSION}
        headers = CIMultiDict({**mine, **to_client(provider, exchange.headers()), **self.headers})
        headers.update(id_headers(provider, request_id))
        return headers
