"""The trace a proxied request belongs to: W3C traceparent, else NullSpend's own header, else a new one."""

import re

from aiohttp import web

from nullspend_daemon.contract.ids import random_hex

TRACE_HEADER = "X-NullSpend-Trace-Id"
_OWN_HEADERS = (TRACE_HEADER, "X-NullSpend-TraceId")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_KEPT = web.RequestKey("trace_id", str)
_PROXIED = ("/v1/", "/k/", "/health")


def is_proxied(path: str) -> bool:
    """Whether a path is the proxy's, whose every reply names its trace."""
    return path.startswith(_PROXIED)


def trace_id_of(request: web.Request) -> str:
    """The 32 hex digits of the request's trace; the same for the whole request."""
    known = request.get(_KEPT)
    if known is None:
        known = request[_KEPT] = _given(request) or random_hex()
    return known


def _given(request: web.Request) -> str | None:
    headers = request.headers
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    if found is not None:
        version, trace, span, more = found.groups()
        if version != "ff" and trace != _NO_TRACE and span != _NO_SPAN and (version != "00" or not more):
            return trace
    for name in _OWN_HEADERS:
        own = headers.get(name, "").strip()
        if _TRACE_ID.fullmatch(own) and own != _NO_TRACE:
            return own
    return None
