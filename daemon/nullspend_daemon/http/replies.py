"""Replies: the headers each of them carries, JSON bodies, the error envelope."""

import re
from typing import Any

from aiohttp import web
from multidict import CIMultiDict
from pydantic_core import to_json

from nullspend_daemon import API_VERSION
from nullspend_daemon.contract.ids import random_uuid
from nullspend_daemon.errors import NullSpendError
from nullspend_daemon.http.tracing import TRACE_HEADER, is_proxied, trace_id_of

REQUEST_ID = web.RequestKey("request_id", str)
_SAFE_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,200}")


def request_id_of(request: web.Request) -> str:
    """The caller's x-request-id, or a new UUID; the same for the whole request."""
    known = request.get(REQUEST_ID)
    if known is None:
        given = request.headers.get("x-request-id", "")
        known = request[REQUEST_ID] = given if _SAFE_REQUEST_ID.fullmatch(given) else random_uuid()
    return known


def base_headers(request: web.Request) -> CIMultiDict[str]:
    """What every reply carries."""
    headers = CIMultiDict(
        {
            "x-request-id": request_id_of(request),
            "NullSpend-Version": API_VERSION,
            "Cache-Control": "private, no-store",
            "Vary": "Cookie",
        }
    )
    if is_proxied(request.path):
        headers[TRACE_HEADER] = trace_id_of(request)
    return headers


def json_reply(request: web.Request, status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON reply with the common headers; `headers` come on top."""
    together = base_headers(request)
    if headers:
        together.update(headers)
    return web.Response(status=status, body=body, headers=together, content_type="application/json")


def error_body(error: NullSpendError) -> dict[str, Any]:
    """The documented envelope."""
    told = {"code": error.code, "message": error.message, "details": error.details}
    return {"error": {**told, **error.beside}}


def error_reply(request: web.Request, error: NullSpendError) -> web.Response:
    """The reply for an error; its own headers come on top."""
    return json_reply(request, error.status, to_json(error_body(error)), error.headers)
