"""One request to a provider and its reply, over HTTP: pooled connections, nothing decoded, no redirect followed."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from nullspend_daemon.errors import UpstreamFailed
from nullspend_daemon.settings import Settings

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
HOSTED_FIRST_BYTE_SECONDS = 120.0
_READ_BUFFER = 2**17
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class Exchange(Protocol):
    """A reply whose head has come."""

    status: int

    def header(self, name: str) -> str:
        """One header, or ""."""
        ...

    def headers(self) -> Iterable[tuple[str, str]]:
        """All headers."""
        ...

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamFailed."""
        ...

    async def next_chunk(self) -> bytes:
        """The next bytes as they came, empty at the end. Raises UpstreamFailed."""
        ...

    def close(self) -> None:
        """Let go: the connection is kept when the body has been read, else it is cut."""
        ...


class HttpExchange:
    """A reply from a server."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply
        self.status = reply.status

    def header(self, name: str) -> str:
        return self._reply.headers.get(name, "")

    def headers(self) -> Iterable[tuple[str, str]]:
        return self._reply.headers.items()

    async def read(self) -> bytes:
        try:
            return await self._reply.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise failure(error) from error

    async def next_chunk(self) -> bytes:
        try:
            return await self._reply.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise failure(error) from error

    def close(self) -> None:
        self._reply.close()


def failure(error: Exception) -> UpstreamFailed:
    """A failed call in a sentence. `sent`: the provider may have worked on it, so it may cost something."""
    if isinstance(error, TimeoutError):
        sentence = "The provider did not answer in time."
    elif isinstance(error, _NOT_SENT):
        sentence = "The provider could not be reached."
    else:
        sentence = "The connection to the provider broke before its reply was complete."
    return UpstreamFailed(sentence, sent=not isinstance(error, _NOT_SENT))


class Client:
    """Sends requests to providers. Cookies, redirects, proxies and credentials of the environment are not used."""

    def __init__(self, settings: Settings) -> None:
        self._first_byte_seconds = HOSTED_FIRST_BYTE_SECONDS if settings.hosted else None
        read_seconds = READ_SECONDS
        if settings.upstream_timeout is not None:
            read_seconds, self._first_byte_seconds = settings.upstream_timeout, None
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=read_seconds
        )
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, headers: CIMultiDict[str], body: bytes | None) -> HttpExchange:
        """The reply once its head has come. Raises UpstreamFailed."""
        try:
            async with asyncio.timeout(self._first_byte_seconds):
                reply = await self._opened().request(
                    method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise failure(error) from error
        return HttpExchange(reply)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                read_bufsize=_READ_BUFFER,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
