"""Replies in the shapes of OpenAI's APIs."""

import base64
import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from nullspend_daemon.pricing.shapes import Json, as_object
from nullspend_daemon.proxy.fake.script import CREATED, Script

_DONE = b"data: [DONE]\n\n"
_DEFAULT_DIMENSIONS, _MAX_DIMENSIONS = 8, 4096


def chat(script: Script, body: Json) -> Json:
    """A chat completion."""
    said = {"role": "assistant", "content": script.text, "refusal": None, "annotations": []}
    return _frame(script, "chatcmpl", "chat.completion") | {
        "choices": [
            {"index": index, "message": said, "logprobs": None, "finish_reason": _finish_reason(script)}
            for index in range(script.copies)
        ],
        "usage": _usage(script),
    }


def chat_chunks(script: Script, body: Json) -> Iterator[bytes]:
    """The same as chunks; usage comes last, and only when it is asked for."""
    deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": piece} for piece in script.pieces]
    choices: list[Json] = [{"delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    choices.append({"delta": {}, "logprobs": None, "finish_reason": _finish_reason(script)})
    yield from _chunks(_frame(script, "chatcmpl", "chat.completion.chunk"), choices, script, body)


def completions(script: Script, body: Json) -> Json:
    """A text completion."""
    return _frame(script, "cmpl", "text_completion") | {
        "choices": [
            {"index": index, "text": script.text, "logprobs": None, "finish_reason": _finish_reason(script)}
            for index in range(script.copies)
        ],
        "usage": _usage(script),
    }


def completion_chunks(script: Script, body: Json) -> Iterator[bytes]:
    """The same as chunks."""
    choices: list[Json] = [{"text": piece, "logprobs": None, "finish_reason": None} for piece in script.pieces]
    choices.append({"text": "", "logprobs": None, "finish_reason": _finish_reason(script)})
    yield from _chunks(_frame(script, "cmpl", "text_completion"), choices, script, body)


def embeddings(script: Script, body: Json) -> Json:
    """One vector of length 1 for each input."""
    asked = body.get("input")
    inputs: list[Any] = asked if isinstance(asked, list) and asked and type(asked[0]) is not int else [asked]
    wanted = body.get("dimensions")
    size = min(wanted, _MAX_DIMENSIONS) if type(wanted) is int and wanted > 0 else _DEFAULT_DIMENSIONS
    as_base64 = body.get("encoding_format") == "base64"
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(one, size, as_base64=as_base64)}
            for index, one in enumerate(inputs)
        ],
        "model": script.model,
        "usage": {"prompt_tokens": script.input_tokens, "total_tokens": script.input_tokens},
    }


def responses(script: Script, body: Json) -> Json:
    """A response object."""
    return _response(script, "incomplete" if script.cut_short else "completed", [_output(script)])


def response_events(script: Script, body: Json) -> Iterator[bytes]:
    """The same as events."""
    item, whole = _output(script), responses(script, body)
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = _response(script, "in_progress", [])
    events: list[tuple[str, Json]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        (
            "response.output_item.added",
            {"output_index": 0, "item": item | {"content": [], "status": "in_progress"}},
        ),
        ("response.content_part.added", place | {"part": part | {"text": ""}}),
    ]
    events += [("response.output_text.delta", place | {"delta": piece, "logprobs": []}) for piece in script.pieces]
    events += [
        ("response.output_text.done", place | {"text": script.text, "logprobs": []}),
        ("response.content_part.done", place | {"part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        (f"response.{whole['status']}", {"response": whole}),
    ]
    for number, (kind, fields) in enumerate(events):
        data = to_json({"type": kind, "sequence_number": number, **fields})
        yield b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def error(status: int, text: str) -> Json:
    """An error as OpenAI words it."""
    kind = "invalid_request_error" if status < 429 else "rate_limit_error" if status == 429 else "server_error"
    return {"error": {"message": text, "type": kind, "param": None, "code": None}}


def model(name: str) -> Json:
    """A model in the list of models."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "nullspend"}


def model_list(names: Sequence[str]) -> Json:
    """The list of models."""
    return {"object": "list", "data": [model(name) for name in names]}


def _frame(script: Script, prefix: str, kind: str) -> Json:
    return {"id": f"{prefix}-{script.digest[:24]}", "object": kind, "created": CREATED, "model": script.model}


def _finish_reason(script: Script) -> str:
    return "length" if script.cut_short else "stop"


def _usage(script: Script) -> Json:
    return {
        "prompt_tokens": script.input_tokens,
        "completion_tokens": script.output_tokens,
        "total_tokens": script.input_tokens + script.output_tokens,
        "prompt_tokens_details": {"cached_tokens": script.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": script.reasoning_tokens},
    }


def _chunks(frame: Json, choices: list[Json], script: Script, body: Json) -> Iterator[bytes]:
    """One event a choice of each copy, then usage when asked for, then the end."""
    with_usage = as_object(body.get("stream_options")).get("include_usage") is True
    common = frame | ({"usage": None} if with_usage else {})
    for choice in choices:
        for index in range(script.copies):
            yield _data(common | {"choices": [{"index": index, **choice}]})
    if with_usage:
        yield _data(frame | {"choices": [], "usage": _usage(script)})
    yield _DONE


def _data(chunk: Json) -> bytes:
    return b"data: " + to_json(chunk) + b"\n\n"


def _vector(text: Any, size: int, *, as_base64: bool) -> list[float] | str:
    """A direction that depends on the text alone."""
    seed = to_json(text)
    raw = [int.from_bytes(hashlib.sha256(seed + b"%d" % index).digest()[:4]) - 2**31 for index in range(size)]
    length = sum(number * number for number in raw) ** 0.5 or 1.0
    vector = [number / length for number in raw]
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if as_base64 else vector


def _output(script: Script) -> Json:
    return {
        "id": f"msg_{script.digest[:24]}",
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if script.cut_short else "completed",
        "content": [{"type": "output_text", "text": script.text, "annotations": [], "logprobs": []}],
    }


def _response(script: Script, status: str, output: list[Json]) -> Json:
    ended = status != "in_progress"
    return {
        "id": f"resp_{script.digest[:24]}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": script.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": script.input_tokens,
            "input_tokens_details": {"cached_tokens": script.cached_tokens},
            "output_tokens": script.output_tokens,
            "output_tokens_details": {"reasoning_tokens": script.reasoning_tokens},
            "total_tokens": script.input_tokens + script.output_tokens,
        }
        if ended
        else None,
    }
