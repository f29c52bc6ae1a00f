"""What a provider's reply says it used, and why it stopped."""

import json
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.pricing.shapes import Json, Shape, as_list, as_object, text_or_none

ToolCall = dict[str, str]
"""A tool the model asked for: {"name", "id"}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one reply. `input` is the whole prompt, the cached part and what was written to a cache included."""

    input: int
    output: int
    uncached: int
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def any(self) -> bool:
        """Whether anything was used at all."""
        return self.input > 0 or self.output > 0 or self.cached > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was read from a reply. `usage` is None when the reply carries none."""

    usage: Usage | None = None
    model: str | None = None
    stop_reason: str | None = None
    tool_calls: list[ToolCall] | None = None
    response_id: str | None = None
    status: str | None = None
    """Of a Responses reply: queued, in_progress, completed, incomplete, failed, cancelled."""
    complete: bool = True
    """False for a stream that ended before its last event."""


NOTHING = Observed()


def parse_object(text: bytes | str) -> Json | None:
    """The JSON object in `text`, or None for anything else; bytes that are no UTF-8 do not stop the reading."""
    try:
        found = json.loads(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_json(shape: Shape, body: bytes) -> Observed:
    """What a JSON reply says. Whatever is missing or of another type is left out; nothing is raised."""
    reply = parse_object(body)
    if reply is None:
        return NOTHING
    return READERS[shape](reply)


def _tokens(owner: Json, name: str) -> int:
    """A count: a number, else 0; never negative."""
    value = owner.get(name)
    if type(value) is not int and type(value) is not float:
        return 0
    if value != value or value <= 0:
        return 0
    return int(min(value, MAX_MICRODOLLARS))


def _counted(usage: Json, *names: str) -> bool:
    return any(type(usage.get(name)) in (int, float) for name in names)


def openai_usage(found: Any) -> Usage | None:
    """The usage object of chat, completions and embeddings."""
    usage = as_object(found)
    if not _counted(usage, "prompt_tokens", "completion_tokens"):
        return None
    prompt = _tokens(usage, "prompt_tokens")
    cached = _tokens(as_object(usage.get("prompt_tokens_details")), "cached_tokens")
    return Usage(
        input=prompt,
        uncached=max(0, prompt - cached),
        cached=cached,
        output=_tokens(usage, "completion_tokens"),
        reasoning=_tokens(as_object(usage.get("completion_tokens_details")), "reasoning_tokens"),
    )


def responses_usage(found: Any) -> Usage | None:
    """The usage object of the Responses API."""
    usage = as_object(found)
    if not _counted(usage, "input_tokens", "output_tokens"):
        return None
    prompt = _tokens(usage, "input_tokens")
    cached = _tokens(as_object(usage.get("input_tokens_details")), "cached_tokens")
    return Usage(
        input=prompt,
        uncached=max(0, prompt - cached),
        cached=cached,
        output=_tokens(usage, "output_tokens"),
        reasoning=_tokens(as_object(usage.get("output_tokens_details")), "reasoning_tokens"),
    )


def messages_usage(found: Any) -> Usage | None:
    """The usage object of the Messages API: its input tokens exclude what was read from or written to a cache."""
    usage = as_object(found)
    if not _counted(usage, "input_tokens", "output_tokens"):
        return None
    uncached = _tokens(usage, "input_tokens")
    written = _tokens(usage, "cache_creation_input_tokens")
    cached = _tokens(usage, "cache_read_input_tokens")
    for_minutes, for_an_hour = _cache_writes(usage, written)
    return Usage(
        input=uncached + written + cached,
        uncached=uncached,
        cached=cached,
        output=_tokens(usage, "output_tokens"),
        cache_write=written,
        cache_write_5m=for_minutes,
        cache_write_1h=for_an_hour,
    )


def _cache_writes(usage: Json, written: int) -> tuple[int, int]:
    """Tokens written for 5 minutes and for an hour: as split by the reply, else all for 5 minutes."""
    split = as_object(usage.get("cache_creation"))
    if not _counted(split, "ephemeral_5m_input_tokens"):
        return written, 0
    return _tokens(split, "ephemeral_5m_input_tokens"), _tokens(split, "ephemeral_1h_input_tokens")


def _chat(reply: Json) -> Observed:
    choices = [as_object(choice) for choice in as_list(reply.get("choices"))]
    calls = [call for choice in choices for call in function_calls(as_object(choice.get("message")))]
    return Observed(
        usage=openai_usage(reply.get("usage")),
        model=text_or_none(reply.get("model")),
        stop_reason=text_or_none(choices[0].get("finish_reason")) if choices else None,
        tool_calls=calls or None,
        response_id=text_or_none(reply.get("id")),
    )


def function_calls(message: Json) -> list[ToolCall]:
    """The tool calls of a chat message or delta that carry both an id and a function's name."""
    found: list[ToolCall] = []
    for item in as_list(message.get("tool_calls")):
        call = as_object(item)
        name, call_id = text_or_none(as_object(call.get("function")).get("name")), text_or_none(call.get("id"))
        if name and call_id:
            found.append({"name": name, "id": call_id})
    return found


def _embeddings(reply: Json) -> Observed:
    return Observed(usage=openai_usage(reply.get("usage")), model=text_or_none(reply.get("model")))


def responses(reply: Json) -> Observed:
    """What a Responses object says, stored, streamed or answered."""
    calls: list[ToolCall] = []
    for item in as_list(reply.get("output")):
        call = as_object(item)
        name, call_id = text_or_none(call.get("name")), text_or_none(call.get("call_id"))
        if call.get("type") == "function_call" and name and call_id:
            calls.append({"name": name, "id": call_id})
    status = text_or_none(reply.get("status"))
    return Observed(
        usage=responses_usage(reply.get("usage")),
        model=text_or_none(reply.get("model")),
        stop_reason=text_or_none(as_object(reply.get("incomplete_details")).get("reason")) or status,
        tool_calls=calls or None,
        response_id=text_or_none(reply.get("id")),
        status=status,
    )


def _messages(reply: Json) -> Observed:
    blocks = [as_object(block) for block in as_list(reply.get("content"))]
    calls = [call for block in blocks if (call := tool_use(block)) is not None]
    return Observed(
        usage=messages_usage(reply.get("usage")),
        model=text_or_none(reply.get("model")),
        stop_reason=text_or_none(reply.get("stop_reason")),
        tool_calls=calls or None,
        response_id=text_or_none(reply.get("id")),
    )


def tool_use(block: Json) -> ToolCall | None:
    """The tool call in a content block of type tool_use."""
    name, call_id = text_or_none(block.get("name")), text_or_none(block.get("id"))
    return {"name": name, "id": call_id} if block.get("type") == "tool_use" and name and call_id else None


READERS = {
    "chat": _chat,
    "completions": _chat,
    "embeddings": _embeddings,
    "responses": responses,
    "messages": _messages,
}
