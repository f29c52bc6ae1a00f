"""Who may talk to this port at all: the Host, Sec-Fetch-Site and Origin rules of core 1.2, for every path."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from nullspend_daemon.errors import CsrfRejected, Forbidden, InvalidOrigin, MisdirectedRequest
from nullspend_daemon.settings import Settings

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP")


def check_host(request: web.Request, settings: Settings) -> None:
    """Raises MisdirectedRequest unless the Host names this machine or an allowed name, on any port."""
    if not _is_allowed(_host_name(effective_host(request, settings)), settings):
        raise MisdirectedRequest("The Host header names neither this machine nor a name given with --allow-host.")


def check_origin(request: web.Request, settings: Settings) -> None:
    """Raises CsrfRejected or InvalidOrigin for a request that a page of another site has sent."""
    headers = request.headers
    if headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and not _is_app_navigation(request):
        raise CsrfRejected("Requests from another site are refused.")
    origin = headers.get("Origin")
    if origin is None and request.method in _WRITES:
        origin = headers.get("Referer")
    if origin is None:
        return
    if _authority(origin) != _with_port(effective_host(request, settings), origin):
        raise CsrfRejected("The request's Origin is not this server.")


def check_local(request: web.Request) -> None:
    """Raises Forbidden unless peer and Host are loopback and nothing was forwarded: the rule of /_local/*."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    if forwarded or not _is_loopback_peer(request) or _host_name(request.host) not in _LOOPBACK_NAMES:
        raise Forbidden("/_local is served to this machine only.")


def effective_host(request: web.Request, settings: Settings) -> str:
    """The Host the client meant: that of a trusted reverse proxy with --trust-proxy, else the header."""
    if settings.trust_proxy:
        forwarded = request.headers.get("X-Forwarded-Host", "").split(",")[0].strip()
        if forwarded:
            return forwarded
    return request.headers.get("Host", "")


def client_address(request: web.Request, settings: Settings) -> str:
    """The address that rate limits count: the peer, or with --trust-proxy what the reverse proxy reports."""
    if settings.trust_proxy:
        first_hop = request.headers.get("X-Forwarded-For", "").split(",")[0].strip()
        reported = first_hop or request.headers.get("X-Real-IP", "").strip()
        if reported:
            return reported
    return request.remote or ""


def _is_allowed(name: str, settings: Settings) -> bool:
    return name in _LOOPBACK_NAMES or name in {allowed.lower() for allowed in settings.allow_hosts}


def _host_name(host: str) -> str:
    """The name without port, in lower case; "" when it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _authority(origin: str) -> tuple[str, int]:
    """Host and port of an Origin or Referer. Raises InvalidOrigin."""
    try:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
        return parts.hostname.lower(), parts.port or _default_port(parts.scheme)
    except ValueError:
        raise InvalidOrigin("The Origin header cannot be read.") from None


def _with_port(host: str, origin: str) -> tuple[str, int]:
    """Host and port of a Host header; without a port that of the origin's scheme."""
    parts = urlsplit(f"//{host}")
    return (parts.hostname or "").lower(), parts.port or _default_port(urlsplit(origin).scheme)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_app_navigation(request: web.Request) -> bool:
    """A link from Slack or a checkout page: the one thing another site may lead to."""
    headers = request.headers
    return (
        request.method == "GET"
        and request.path.startswith("/app")
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )


def _is_loopback_peer(request: web.Request) -> bool:
    try:
        address = ip_address(request.remote or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
