"""Bytes to one server and back. The only file that knows urllib3."""

import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, ProxyError, SSLError, TimeoutError

from nullspend_cli.problems import Unreachable, Usage

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `headers` have lower-case names, `cookies` are the values of all Set-Cookie headers."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    body: bytes


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a server's address. Raises Usage when it is none, or carries more than that."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise _bad_url(url) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise _bad_url(url)
    if parts.path.strip("/"):
        raise _bad_url(url)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


def _bad_url(url: str) -> Usage:
    return Usage(f"{url!r} is not the address of a server; write https://HOST or http://HOST:PORT, without a path.")


def is_loopback(origin: str) -> bool:
    """Whether the server is this machine."""
    host = urlsplit(origin).hostname or ""
    return host in _LOOPBACK or host.startswith("127.")


@functools.cache
def _pool(origin: str) -> urllib3.HTTPConnectionPool | urllib3.PoolManager:
    """Connections to one origin. A proxy is used only for servers elsewhere, when the system names one."""
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    if is_loopback(origin):
        return urllib3.connection_from_url(origin, timeout=timeout)
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(origin)
    proxy = getproxies().get(parts.scheme)
    context = ssl.create_default_context()
    if proxy and not proxy_bypass(parts.netloc):
        return urllib3.ProxyManager(proxy, timeout=timeout, ssl_context=context)
    return urllib3.PoolManager(timeout=timeout, ssl_context=context)


def send(origin: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """One request, no retry, no redirect. `target` is path and query. Raises Unreachable when no reply comes back."""
    pool = _pool(origin)
    url = target if isinstance(pool, urllib3.HTTPConnectionPool) else origin + target
    try:
        reply = pool.urlopen(method, url, body=body, headers=headers, retries=False, redirect=False)
        return Answer(
            reply.status,
            {name.lower(): value for name, value in reply.headers.items()},
            tuple(reply.headers.getlist("set-cookie")),
            reply.data,
        )
    except (HTTPError, OSError) as error:
        problem = Unreachable(f"No server answers at {origin}: {_reason(error)}.")
        problem.reply_lost = isinstance(error, ProtocolError)
        raise problem from None


def _reason(error: Exception) -> str:
    """Why there was no reply, without the library's own class names and addresses."""
    if isinstance(error, SSLError):
        return f"its certificate or TLS is not acceptable ({error})"
    if isinstance(error, ProxyError):
        return f"the proxy failed ({error})"
    if isinstance(error, TimeoutError):
        return "it took too long"
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[:1].lower() + cause.strerror[1:]
    return "the connection broke"
