"""Around every request: who may reach this port, the address limit, and one envelope for whatever goes wrong."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from nullspend_daemon.errors import (
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    NullSpendError,
    PayloadTooLarge,
    RateLimitExceeded,
)
from nullspend_daemon.http.body import check_declared_length
from nullspend_daemon.http.guard import check_host, check_local, check_origin, client_address
from nullspend_daemon.http.limits import Limiter
from nullspend_daemon.http.masking import masked
from nullspend_daemon.http.replies import error_reply
from nullspend_daemon.settings import API_BODY_CAP, Settings

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_SIGNED_PATHS = frozenset({"/api/stripe/webhook"})
"""Called by a service that signs its body: neither the address limit nor the Origin rule is for them."""


def shield(settings: Settings, address_limiter: Limiter | None) -> Middleware:
    """The daemon's one middleware."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check(request, settings, address_limiter)
            return await handler(request)
        except NullSpendError as error:
            return error_reply(request, error)
        except web.HTTPException as error:
            return error_reply(request, _translated(request, error))
        except web.RequestPayloadError:
            return error_reply(request, MalformedRequest("The request's body cannot be decoded."))
        except ConnectionError:  # the client has gone: there is nobody to answer
            raise
        except Exception:
            log.exception("%s %s failed", request.method, masked(request.path))
            return error_reply(request, InternalError())

    return guarded


def _check(request: web.Request, settings: Settings, address_limiter: Limiter | None) -> None:
    """Core 1.1's order: Host, address limit, Origin, declared length; `/_local/*` is for this machine only."""
    check_host(request, settings)
    is_api = request.path.startswith("/api/")
    is_signed = request.path in _SIGNED_PATHS
    if address_limiter is not None and is_api and not is_signed:
        verdict = address_limiter.count(client_address(request, settings))
        if not verdict.allowed:
            raise RateLimitExceeded("Too many requests from this address.", headers=verdict.headers())
    if not is_signed:
        check_origin(request, settings)
    is_local = request.path.startswith("/_local/")
    if is_api or is_local:
        check_declared_length(request, API_BODY_CAP)
    if is_local and request.path != "/_local/info":
        check_local(request)


def _translated(request: web.Request, error: web.HTTPException) -> NullSpendError:
    """aiohttp's own refusals in this API's words."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(
            f"{request.method} is not allowed here; allowed: {allowed}.", headers={"Allow": allowed}
        )
    if isinstance(error, web.HTTPNotFound):
        return NotFound(f"There is no {masked(request.path)}.")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return PayloadTooLarge("The body is too large.")
    log.error("unexpected %s on %s", error, masked(request.path))
    return InternalError()
