"""Sending one message to an address somebody else chose: looked up once, checked, connected to exactly there.

No redirects, no proxies of the environment, no cookies, five seconds. Webhooks, their test and Slack all send this way.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from nullspend_daemon.delivery.addresses import Reach, Unsafe, check_address, literal_in, port_of

TIMEOUT_SECONDS = 5.0
PREVIEW_BYTES = 2_048


class Answer(NamedTuple):
    """What a receiver said. `text` is the beginning of the body."""

    status: int
    text: str
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the message has arrived."""
        return 200 <= self.status < 300


class NotSent(Exception):
    """No answer came. The message says why, in a few words that hold no secret."""


class Outgoing:
    """Sends messages as far as `reach` says. `close` it before the loop ends."""

    def __init__(self, reach: Callable[[], Reach]) -> None:
        self._reach = reach
        self._resolver = _CheckedResolver(reach)
        self._session: aiohttp.ClientSession | None = None

    @property
    def reach(self) -> Reach:
        """How far messages may go; the rule of registering a URL as well."""
        return self._reach()

    def leads_here(self, url: str) -> bool:
        """Whether something that was sent to `url`, which was judged safe, has gone to this machine."""
        address = literal_in(url)
        if address is not None:
            return address.is_loopback
        return (urlsplit(url).hostname or "") in self._resolver.names_of_here

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float = TIMEOUT_SECONDS,
        most_bytes: int = PREVIEW_BYTES,
    ) -> Answer:
        """Send `body` and read up to `most_bytes` of the answer.

        Raises NotSent when the address is not allowed or nobody answers in time.
        """
        try:
            self._check_literal(url)
            async with asyncio.timeout(seconds):
                return await self._post(url, body, headers, most_bytes)
        except TimeoutError:
            raise NotSent(f"no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotSent(_reason(error)) from None

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], most_bytes: int) -> Answer:
        async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as reply:
            retry_after = reply.headers.get("Retry-After")
            return Answer(reply.status, await _beginning(reply, most_bytes), retry_after)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver, use_dns_cache=False, limit=0, limit_per_host=0, keepalive_timeout=15
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                skip_auto_headers=("Accept", "Accept-Encoding"),
                auto_decompress=False,
            )
        return self._session

    def _check_literal(self, url: str) -> None:
        """An address in the URL itself is never looked up, so the resolver would not see it. Raises Unsafe."""
        address = literal_in(url)
        if address is not None:
            check_address(address, port_of(url), self._reach())


async def _beginning(reply: aiohttp.ClientResponse, most_bytes: int) -> str:
    """The first bytes of a body as text; a body that breaks off does not undo the status that came before it."""
    content = b""
    try:
        while len(content) < most_bytes and (chunk := await reply.content.readany()):
            content += chunk
    except (aiohttp.ClientError, OSError):
        reply.close()
    if not reply.content.at_eof():
        reply.close()
    return content[:most_bytes].decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    if isinstance(error, Unsafe):
        return f"not allowed: {error}"
    cause = error.__cause__ if isinstance(error.__cause__, Unsafe) else None
    if cause is not None:
        return f"not allowed: {cause}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} cannot be looked up"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {error.host} is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {(error.os_error.strerror or str(error.os_error)).lower()}"
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionError)):
        return "the connection was closed without an answer"
    return f"no answer: {type(error).__name__}"


class _CheckedResolver(AbstractResolver):
    """Looks a name up once and gives the connector only what may be connected to."""

    def __init__(self, reach: Callable[[], Reach]) -> None:
        self._reach = reach
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self.names_of_here: set[str] = set()
        """Names that led to this machine at least once."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of `host`. Raises Unsafe when one of them is not allowed: names do not mix by accident."""
        found = await asyncio.shield(self._lookup(host, port))
        reach = self._reach()
        for address in found:
            check_address(ip_address(address), port, reach)
            if ip_address(address).is_loopback:
                self.names_of_here.add(host)
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """Nothing to end: a lookup under way is left to its thread."""

    def _lookup(self, host: str, port: int) -> "asyncio.Future[list[str]]":
        """The lookup of a name under way, or a new one: many messages to a slow name server wait for one answer."""
        key = host, port
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.get_running_loop().create_future()
            asking.add_done_callback(lambda done: (self._asking.pop(key, None), done.cancelled() or done.exception()))
            # A thread of its own, which nobody waits for: a name server that hangs holds up this name and nothing
            # else, not even the end of the daemon.
            threading.Thread(target=_ask, args=(asking, host, port), name="lookup", daemon=True).start()
        return asking


def _ask(asking: "asyncio.Future[list[str]]", host: str, port: int) -> None:
    try:
        found, failure = _addresses(host, port), None
    except (OSError, UnicodeError) as error:
        found, failure = list[str](), OSError(str(error))

    def answer() -> None:
        if not asking.done():
            asking.set_exception(failure) if failure else asking.set_result(found)

    with suppress(RuntimeError):  # the daemon has ended meanwhile
        asking.get_loop().call_soon_threadsafe(answer)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # An address with a scope (fe80::1%eth0) is link-local whatever the scope.
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
