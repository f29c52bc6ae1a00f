"""Replies in the shape of Anthropic's Messages API."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from nullspend_daemon.pricing.shapes import Json
from nullspend_daemon.proxy.fake.script import Script

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def message(script: Script, body: Json) -> Json:
    """A whole message."""
    return {
        "id": f"msg_{script.digest[:24]}",
        "type": "message",
        "role": "assistant",
        "model": script.model,
        "content": [{"type": "text", "text": script.text}],
        "stop_reason": _stop_reason(script),
        "stop_sequence": None,
        "usage": _usage(script, script.output_tokens),
    }


def message_events(script: Script, body: Json) -> Iterator[bytes]:
    """The same message as events."""
    begun = message(script, body) | {
        "content": [],
        "stop_reason": None,
        "usage": _usage(script, min(1, script.output_tokens)),
    }
    yield _event("message_start", message=begun)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for piece in script.pieces:
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": _stop_reason(script), "stop_sequence": None},
        usage={"output_tokens": script.output_tokens},
    )
    yield _event("message_stop")


def error(status: int, text: str) -> Json:
    """An error as Anthropic words it."""
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": text}}


def model(name: str) -> Json:
    """A model in the list of models."""
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-06-15T15:06:40Z"}


def model_list(names: Sequence[str]) -> Json:
    """The list of models."""
    return {"data": [model(name) for name in names], "has_more": False, "first_id": names[0], "last_id": names[-1]}


def _stop_reason(script: Script) -> str:
    return "max_tokens" if script.cut_short else "end_turn"


def _usage(script: Script, output_tokens: int) -> Json:
    """The input excludes what was read from the cache, as it does there."""
    return {
        "input_tokens": max(0, script.input_tokens - script.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": script.cached_tokens,
        "output_tokens": output_tokens,
    }


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + to_json({"type": kind, **fields}) + b"\n\n"
