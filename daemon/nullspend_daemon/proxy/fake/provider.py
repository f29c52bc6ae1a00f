"""The fake provider's front door: a request in, what to send back out."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from nullspend_daemon.pricing.shapes import Json, Shape
from nullspend_daemon.proxy.fake import anthropic, openai
from nullspend_daemon.proxy.fake.knobs import BadKnob, Knobs, read_knobs
from nullspend_daemon.proxy.fake.script import count_input, write_script

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
MODELS = ("fake/gpt-4o-mini", "fake/claude")
"""What GET /v1/models lists; any other name is answered too."""

_JSON = {
    "chat": openai.chat,
    "completions": openai.completions,
    "embeddings": openai.embeddings,
    "responses": openai.responses,
    "messages": anthropic.message,
}
_STREAMS = {
    "chat": openai.chat_chunks,
    "completions": openai.completion_chunks,
    "responses": openai.response_events,
    "messages": anthropic.message_events,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeReply:
    """What to send: after `delay_ms` the status, then the chunks with `chunk_delay_ms` between them."""

    status: int
    content_type: str
    chunks: tuple[bytes, ...]
    delay_ms: int = 0
    chunk_delay_ms: int = 0

    @property
    def body(self) -> bytes:
        """Everything that is sent."""
        return b"".join(self.chunks)


def answer(shape: Shape, body: Json) -> FakeReply:
    """The reply to a request of `shape`: JSON, or server-sent events when `stream` is true; 400 for a bad knob."""
    try:
        knobs = read_knobs(body)
    except BadKnob as error:
        return _refusal(shape, 400, f"{error}.", Knobs())
    if not 200 <= knobs.status < 300:
        return _refusal(shape, knobs.status, f"The fake provider was asked for {knobs.status}.", knobs)
    script = write_script(shape, body, knobs)
    if body.get("stream") is True and shape in _STREAMS:
        chunks = tuple(_STREAMS[shape](script, body))
        return _reply(knobs.status, STREAM_TYPE, chunks, knobs)
    return _reply(knobs.status, JSON_TYPE, (to_json(_JSON[shape](script, body)),), knobs)


def count_tokens(body: Json) -> FakeReply:
    """The reply to POST /v1/messages/count_tokens."""
    try:
        knobs = read_knobs(body)
    except BadKnob as error:
        return _refusal("messages", 400, f"{error}.", Knobs())
    count = count_input(body) if knobs.input_tokens is None else knobs.input_tokens
    return _reply(200, JSON_TYPE, (to_json({"input_tokens": count}),), knobs)


def models(*, as_anthropic: bool, model: str | None = None) -> FakeReply:
    """The reply to GET /v1/models, or to /v1/models/{model}: every name that begins with `fake/` is a model."""
    describe = anthropic.model if as_anthropic else openai.model
    if model is None:
        found: Any = (anthropic.model_list if as_anthropic else openai.model_list)(MODELS)
    elif model.startswith("fake/"):
        found = describe(model)
    else:
        shape: Shape = "messages" if as_anthropic else "chat"
        return _refusal(shape, 404, f"The model {model!r} is none of the fake provider's.", Knobs())
    return _reply(200, JSON_TYPE, (to_json(found),), Knobs())


def stored_response(response_id: str) -> FakeReply:
    """The reply to GET /v1/responses/{id} and its cancel: nothing is stored here."""
    return _refusal("responses", 404, f"Response with id {response_id!r} not found.", Knobs())


def _refusal(shape: Shape, status: int, message: str, knobs: Knobs) -> FakeReply:
    found = anthropic.error(status, message) if shape == "messages" else openai.error(status, message)
    return _reply(status, JSON_TYPE, (to_json(found),), knobs)


def _reply(status: int, content_type: str, chunks: tuple[bytes, ...], knobs: Knobs) -> FakeReply:
    return FakeReply(
        status=status,
        content_type=content_type,
        chunks=chunks,
        delay_ms=knobs.delay_ms,
        chunk_delay_ms=knobs.chunk_delay_ms,
    )
