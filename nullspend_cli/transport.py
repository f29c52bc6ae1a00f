"""Bytes to one server and back.

Python's own HTTP client, because it is loaded in a third of the time of any other, and because what others add
(pools, redirects, automatic retries) is what this command must not have.
"""

import os
import select
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from nullspend_cli.problems import Unreachable, Usage

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
"""How long a server may be silent, unless NULLSPEND_TIMEOUT says otherwise."""
_CHUNK_BYTES = 65_536


class Answer(NamedTuple):
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
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise _bad_url(url)
    if parts.path.strip("/") or not parts.hostname.isascii() or not parts.hostname.isprintable():
        raise _bad_url(url)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != _PORTS[parts.scheme] else "")


def _bad_url(url: str) -> Usage:
    return Usage(f"{url!r} is not the address of a server; write https://HOST or http://HOST:PORT, without a path.")


def is_loopback(origin: str) -> bool:
    """Whether the server is this machine."""
    host = urlsplit(origin).hostname or ""
    return host in _LOOPBACK or host.startswith("127.")


def _patience() -> float:
    text = os.environ.get("NULLSPEND_TIMEOUT")
    if not text:
        return _READ_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise Usage(f"NULLSPEND_TIMEOUT is {text!r}; it is a number of seconds such as 30.")
    return seconds


class _Connection:
    """One connection to one origin, kept open between requests and opened again when the server has closed it."""

    def __init__(self, origin: str, ca_file: str | None) -> None:
        self._seconds = _patience()
        self._http, self._prefix = _open_way(origin, ca_file, min(_CONNECT_SECONDS, self._seconds))

    def close(self) -> None:
        self._http.close()

    def connect(self, quiet_seconds: float | None = None) -> None:
        """Raises OSError when nobody answers. From now on the server may be silent for so long, or as long as usual."""
        if self._http.sock is not None and select.select([self._http.sock], [], [], 0)[0]:
            self._http.close()  # readable though nothing was asked: the server has ended it
        if self._http.sock is None:
            self._http.connect()
        if self._http.sock is not None:
            self._http.sock.settimeout(min(self._seconds, quiet_seconds or self._seconds))

    @property
    def certificate_ends(self) -> float:
        """When the certificate of the server at the other end runs out."""
        socket = self._http.sock
        if not isinstance(socket, ssl.SSLSocket):
            raise HTTPException("there is no certificate")
        return float(ssl.cert_time_to_seconds(str((socket.getpeercert() or {}).get("notAfter"))))

    def start(self, target: str, headers: Mapping[str, str], quiet_seconds: float) -> HTTPResponse:
        """A GET up to the head of its reply. Raises OSError or HTTPException when it breaks."""
        self._http.request("GET", self._prefix + target, headers=dict(headers))
        if self._http.sock is not None:
            self._http.sock.settimeout(quiet_seconds)
        return self._http.getresponse()

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """One request on the open connection. Raises OSError or HTTPException when it breaks."""
        try:
            self._http.request(method, self._prefix + target, body=body, headers=dict(headers))
            reply = self._http.getresponse()
            return _answer(reply)
        except BaseException:
            self._http.close()
            raise


def _answer(reply: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in reply.getheaders()}
    cookies = tuple(reply.headers.get_all("set-cookie") or ())
    return Answer(reply.status, headers, cookies, reply.read())


def _open_way(origin: str, ca_file: str | None, seconds: float) -> tuple[HTTPConnection, str]:
    """How to reach an origin, and what a request's target starts with: directly, or for a server elsewhere through the
    proxy the system names for it."""
    parts = urlsplit(origin)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    proxy = None if is_loopback(origin) else _proxy(parts.scheme, parts.netloc)
    if parts.scheme == "http":
        to_host, to_port = proxy or (host, port)
        return HTTPConnection(to_host, to_port, timeout=seconds), origin if proxy else ""
    to_host, to_port = proxy or (host, port)
    https = HTTPSConnection(to_host, to_port, timeout=seconds, context=_trusting(ca_file))
    if proxy:
        https.set_tunnel(host, port)
    return https, ""


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """The system's certificates (SSL_CERT_FILE replaces them), and those of `ca_file`. Raises Usage for a bad file."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=os.path.expanduser(ca_file))  # noqa: PTH111 - an empty path stays one
        except OSError as error:  # an SSLError is one too
            why = "holds no certificate" if isinstance(error, ssl.SSLError) else "cannot be read"
            raise Usage(
                f"The CA file {ca_file} {why}.", next="Name a PEM file with NULLSPEND_CA_FILE or --ca-file."
            ) from None
    return context


def _proxy(scheme: str, netloc: str) -> tuple[str, int] | None:
    from urllib.request import getproxies, proxy_bypass

    proxy = getproxies().get(scheme)
    if not proxy or proxy_bypass(netloc):
        return None
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return (parts.hostname, parts.port or 8080) if parts.hostname else None


def certificate_ends(origin: str, ca_file: str | None) -> float:
    """When the certificate of an https server runs out, in seconds of the epoch. Raises Unreachable, also when the
    certificate is not trusted."""
    connection = _Connection(origin, ca_file)
    try:
        connection.connect()
        return connection.certificate_ends
    except (OSError, HTTPException) as error:
        raise _no_reply(origin, error, lost=False) from None
    finally:
        connection.close()


class _Kept(threading.local):
    """The open connections of one thread: two threads that talk at once never share one."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str | None], _Connection] = {}


_kept = _Kept()


def close() -> None:
    """Ends all connections of this thread; a process that ends anyway need not."""
    while _kept.open:
        _kept.open.popitem()[1].close()


def _connection(origin: str, ca_file: str | None) -> _Connection:
    found = _kept.open.get((origin, ca_file))
    return found or _kept.open.setdefault((origin, ca_file), _Connection(origin, ca_file))


def send(
    origin: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    ca_file: str | None = None,
    quiet_seconds: float | None = None,
) -> Answer:
    """One request, no retry, no redirect. `target` is path and query. Raises Unreachable when no reply comes back, or
    when the server says nothing for `quiet_seconds`."""
    connection, connected = _connection(origin, ca_file), False
    try:
        connection.connect(quiet_seconds)
        connected = True
        return connection.exchange(method, target, headers, body)
    except (OSError, HTTPException) as error:
        raise _no_reply(origin, error, lost=connected) from None
    except ValueError:
        raise Usage("A key, cookie or name has a character that no HTTP header can carry.") from None


class Stream:
    """A reply whose body is read as it arrives."""

    def __init__(self, origin: str, reply: HTTPResponse) -> None:
        self._origin = origin
        self._reply = reply
        self.status = reply.status
        self.headers = {name.lower(): value for name, value in reply.getheaders()}

    def chunks(self) -> Iterator[bytes]:
        """The body piece by piece. Raises Unreachable when it breaks off or nothing comes for too long."""
        try:
            while chunk := self._reply.read1(_CHUNK_BYTES):
                yield chunk
            if self._reply.length:
                raise HTTPException("the body is not complete")
        except (OSError, HTTPException) as error:
            raise _no_reply(self._origin, error, lost=True) from None

    def answer(self) -> Answer:
        """The whole of it, for a reply that is an error."""
        return Answer(self.status, self.headers, (), b"".join(self.chunks()))


@contextmanager
def streaming(
    origin: str, target: str, headers: Mapping[str, str], quiet_seconds: float, *, ca_file: str | None = None
) -> Generator[Stream]:
    """A GET on a connection of its own, which ends with the block. `quiet_seconds`: how long it may say nothing.
    Raises Unreachable."""
    connection = _Connection(origin, ca_file)
    try:
        try:
            connection.connect()
            reply = connection.start(target, headers, quiet_seconds)
        except (OSError, HTTPException) as error:
            raise _no_reply(origin, error, lost=True) from None
        yield Stream(origin, reply)
    finally:
        connection.close()


def _no_reply(origin: str, error: Exception, *, lost: bool) -> Unreachable:
    problem = Unreachable(f"No server answers at {origin}: {_reason(error)}.")
    problem.reply_lost = lost
    return problem


def _reason(error: Exception) -> str:
    """Why there was no reply, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS as it should"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return "the connection broke, or this is no HTTP server"
