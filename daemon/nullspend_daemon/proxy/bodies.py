"""The request's own JSON: read once, sent on as it came, except where a stream must be asked for its usage."""

import json
from typing import Any, NoReturn

from pydantic_core import from_json, to_json

from nullspend_daemon.errors import MalformedRequest
from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.proxy.calls import MOST_MODEL, PricedCall

_ASKED = {"include_usage": True}
_USAGE_ON_REQUEST: frozenset[Shape] = frozenset({"chat", "completions"})


def parse(raw: bytes) -> dict[str, Any]:
    """The body as an object. Raises MalformedRequest for anything else."""
    body = _json(raw)
    if not isinstance(body, dict):
        raise MalformedRequest("The body must be a JSON object.")
    return body


def _json(raw: bytes) -> Any:
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        pass
    try:  # half a surrogate pair in a text is none of our business: some agents send it, some providers take it
        return json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedRequest("The body must be valid JSON.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def model_name(body: dict[str, Any]) -> str:
    """The model, `unknown` when it is missing or no text; always something that can be stored."""
    model = body.get("model")
    if not isinstance(model, str):
        return "unknown"
    return model.encode("utf-8", "replace").decode()


def asks_for_stream(body: dict[str, Any]) -> bool:
    """Whether `stream` is exactly true."""
    return body.get("stream") is True


def with_usage_asked_for(call: PricedCall) -> bytes:
    """The body to send. A stream of chat or completions only says what it used when it is asked to."""
    body = call.body
    if not call.streams or call.shape not in _USAGE_ON_REQUEST:
        return call.raw
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        return call.raw
    kept = options if isinstance(options, dict) else {}
    asked = {**body, "stream_options": {**kept, **_ASKED}}
    try:
        return to_json(asked)
    except ValueError:
        return json.dumps(asked).encode()


def shown_model(model: str) -> str:
    """As much of a model's name as is stored and shown."""
    return model[:MOST_MODEL]
