"""The fake provider as something that is called: its replies with their delays, without a connection."""

import asyncio
from collections.abc import Iterable
from urllib.parse import unquote

from pydantic_core import from_json

from nullspend_daemon.contract.ids import random_hex
from nullspend_daemon.pricing.shapes import as_object
from nullspend_daemon.proxy.fake import provider
from nullspend_daemon.proxy.fake.provider import FakeReply
from nullspend_daemon.proxy.targets import Target

_MODELS = "/v1/models"


class FakeExchange:
    """A reply under way. Every exchange has a request id of its own, as a provider's would."""

    def __init__(self, reply: FakeReply) -> None:
        request_id = f"req_{random_hex()}"
        self.status = reply.status
        self._reply = reply
        self._headers = {
            "content-type": reply.content_type,
            "x-request-id": request_id,
            "request-id": request_id,
        }
        self._next = 0

    def header(self, name: str) -> str:
        return self._headers.get(name, "")

    def headers(self) -> Iterable[tuple[str, str]]:
        return self._headers.items()

    async def read(self) -> bytes:
        return self._reply.body

    async def next_chunk(self) -> bytes:
        if self._next >= len(self._reply.chunks):
            return b""
        if self._next and self._reply.chunk_delay_ms:
            await asyncio.sleep(self._reply.chunk_delay_ms / 1000)
        self._next += 1
        return self._reply.chunks[self._next - 1]

    def close(self) -> None:
        """There is nothing to let go of."""


async def ask_fake(target: Target, body: bytes | None) -> FakeExchange:
    """The fake provider's reply to one request, after the delay it was asked for."""
    reply = _reply(target, body)
    if reply.delay_ms:
        await asyncio.sleep(reply.delay_ms / 1000)
    return FakeExchange(reply)


def _reply(target: Target, body: bytes | None) -> FakeReply:
    asked = as_object(from_json(body)) if body else {}
    if target.shape is not None:
        return provider.answer(target.shape, asked)
    if target.stored_reply:
        return provider.stored_response(target.path.split("/")[3])
    if target.path.startswith(_MODELS):
        model = unquote(target.path.removeprefix(_MODELS).removeprefix("/"))
        return provider.models(as_anthropic=target.provider == "anthropic", model=model or None)
    return provider.count_tokens(asked)
