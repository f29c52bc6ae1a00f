"""Reading a JSON body: content type, then size, then the schema."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from nullspend_daemon.errors import PayloadTooLarge, UnsupportedMediaType
from nullspend_daemon.http.wire import read_body


def check_declared_length(request: web.Request, cap: int) -> None:
    """Raises PayloadTooLarge when Content-Length is above `cap` bytes; checked before anything else is read."""
    if (request.content_length or 0) > cap:
        raise PayloadTooLarge(f"The body is larger than {cap:,} bytes.")


async def read_capped(request: web.Request, cap: int) -> bytes:
    """The raw body. Raises PayloadTooLarge as soon as more than `cap` bytes have come."""
    check_declared_length(request, cap)
    if request.content_length is not None and "Content-Encoding" not in request.headers:
        return await request.read()
    # Chunked or compressed: only counting what arrives tells how large it is.
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > cap:
            raise PayloadTooLarge(f"The body is larger than {cap:,} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def is_json(request: web.Request) -> bool:
    """Whether the content type is JSON, with or without parameters."""
    return "application/json" in request.headers.get("Content-Type", "").lower()


async def read_json(request: web.Request, model: type[BaseModel], cap: int, *, optional: bool) -> Any:
    """The body as `model`. With `optional` a body of another content type counts as none (then None).

    Raises UnsupportedMediaType, PayloadTooLarge, InvalidJson or ValidationFailed.
    """
    if not is_json(request):
        if optional:
            return None
        raise UnsupportedMediaType("The content type must be application/json.")
    return read_body(model, await read_capped(request, cap))
