"""What is read from replies and streams of each shape, however the bytes are cut."""

import json
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import NOTHING, Observed, Usage, read_json

EXCHANGES = Path(__file__).parents[2] / "fakes" / "exchanges"
WEATHER = {"name": "weather", "id": "call_1"}
CHAT = Usage(input=120, uncached=56, cached=64, output=34, reasoning=16)
TEXT = Usage(input=9, uncached=9, output=3)
RESPONSE = Usage(input=300, uncached=44, cached=256, output=90, reasoning=64)
MESSAGE = Usage(input=761, uncached=11, cached=700, output=25, cache_write=50, cache_write_5m=40, cache_write_1h=10)
READ: dict[Shape, Observed] = {
    "chat": Observed(
        usage=CHAT,
        model="gpt-4o-2024-08-06",
        stop_reason="tool_calls",
        tool_calls=[WEATHER, {"name": "clock", "id": "call_2"}],
        response_id="chatcmpl-1",
    ),
    "completions": Observed(
        usage=TEXT, model="gpt-3.5-turbo-instruct:20230824-v2", stop_reason="length", response_id="cmpl-1"
    ),
    "embeddings": Observed(usage=Usage(input=8, uncached=8, output=0), model="text-embedding-3-small"),
    "responses": Observed(
        usage=RESPONSE,
        model="gpt-5-2025-08-07",
        stop_reason="max_output_tokens",
        tool_calls=[WEATHER],
        response_id="resp_1",
        status="incomplete",
    ),
    "messages": Observed(
        usage=MESSAGE,
        model="claude-sonnet-4-5-20250929",
        stop_reason="tool_use",
        tool_calls=[{"name": "weather", "id": "toolu_1"}],
        response_id="msg_1",
    ),
}
STREAMED: dict[Shape, Observed] = {
    "chat": Observed(
        usage=CHAT,
        model="gpt-4o-2024-08-06",
        stop_reason="tool_calls",
        tool_calls=[WEATHER],
        response_id="chatcmpl-1",
    ),
    "completions": READ["completions"],
    "responses": Observed(
        usage=RESPONSE,
        model="gpt-5-2025-08-07",
        stop_reason="completed",
        tool_calls=[WEATHER],
        response_id="resp_1",
        status="completed",
    ),
    "messages": READ["messages"],
}


def stream_of(shape: Shape) -> bytes:
    return (EXCHANGES / f"{shape}.sse").read_bytes()


def observe(shape: Shape, *pieces: bytes) -> Observed:
    reader = StreamReader(shape)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


@pytest.mark.parametrize("shape", READ)
def test_a_reply_tells_usage_model_stop_reason_and_tool_calls(shape: Shape) -> None:
    assert read_json(shape, (EXCHANGES / f"{shape}.json").read_bytes()) == READ[shape]


@pytest.mark.parametrize("shape", STREAMED)
def test_a_stream_tells_them_too(shape: Shape) -> None:
    assert observe(shape, stream_of(shape)) == STREAMED[shape]


@pytest.mark.parametrize("shape", STREAMED)
def test_a_stream_may_be_cut_at_any_byte(shape: Shape) -> None:
    whole = stream_of(shape)
    for at in range(len(whole)):
        assert observe(shape, whole[:at], whole[at:]) == STREAMED[shape], f"cut at byte {at}"
    assert observe(shape, *(whole[at : at + 1] for at in range(len(whole)))) == STREAMED[shape]


@pytest.mark.parametrize("shape", STREAMED)
def test_line_ends_spaces_and_a_missing_last_newline_make_no_difference(shape: Shape) -> None:
    whole = stream_of(shape)
    assert observe(shape, whole.replace(b"\n", b"\r\n")) == STREAMED[shape]
    assert observe(shape, whole.replace(b"data: ", b"data:")) == STREAMED[shape]
    assert observe(shape, b"\xef\xbb\xbf" + whole.rstrip(b"\n")) == STREAMED[shape]


def test_the_type_in_the_data_counts_where_a_messages_stream_names_no_event() -> None:
    lines = [line for line in stream_of("messages").split(b"\n") if not line.startswith(b"event:")]
    assert observe("messages", b"\n".join(lines)) == STREAMED["messages"]


def test_a_cancelled_stream_tells_what_it_said_so_far() -> None:
    whole = stream_of("messages")
    cut = observe("messages", whole[: whole.index(b"event: message_delta")])
    assert cut.usage is not None
    assert (cut.usage.input, cut.usage.output, cut.stop_reason, cut.complete) == (761, 1, None, False)
    chat = stream_of("chat")
    cut = observe(
        "chat",
        chat[
            : chat.index(
                b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":[]'
            )
        ],
    )
    assert (cut.usage, cut.stop_reason, cut.complete) == (None, "tool_calls", False)
    responses = stream_of("responses")
    cut = observe("responses", responses[: responses.index(b"event: response.completed")])
    assert (cut.usage, cut.model, cut.response_id, cut.complete) == (None, "gpt-5-2025-08-07", "resp_1", False)


@pytest.mark.parametrize("character", ["x", "ü", "漢", "🌧"])
def test_a_line_of_more_than_65536_characters_is_dropped_and_the_next_one_read(character: str) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n'
    frame = '{"usage":{"prompt_tokens":1,"completion_tokens":1},"pad":""}'
    fits = json.loads(frame) | {"pad": character * (65_536 - len("data: ") - len(frame) + 0)}
    line = "data: " + json.dumps(fits, ensure_ascii=False, separators=(",", ":"))
    assert len(line) == 65_536
    for text, prompt in ((line, 1), (line.replace('"pad":"', f'"pad":"{character}'), None)):
        raw = text.encode()
        for pieces in ((raw + b"\n",), (raw[:1000], raw[1000:], b"\n"), (raw[:65_535], raw[65_535:] + b"\n")):
            found = observe("chat", *pieces).usage
            assert (found and found.input) == prompt
        assert observe("chat", raw + b"\n\n" + usage).usage == Usage(input=5, uncached=5, output=6)


@pytest.mark.parametrize("step", [10_000_000, 65_536, 1000, 7])
def test_the_usage_in_a_long_last_event_of_a_responses_stream_is_still_read(step: int) -> None:
    """It repeats instructions, tools and output; a `usage` in any of them is not the one that counts."""
    said = 'a text that says "usage": {"input_tokens": 1, "output_tokens": 1} \u6771' * 3000
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    response = {
        "id": "resp_1",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [{"type": "message", "content": [{"type": "output_text", "text": said}]}, call],
        "tools": [{"name": "t", "parameters": {"properties": {"usage": {"type": "object"}}}}],
        "usage": {"input_tokens": 90_000, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 70_000},
        "user": None,
        "metadata": {"usage": "none"},
    }
    begun = {"id": "resp_1", "model": "gpt-5", "status": "in_progress", "usage": None}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.done", "item": call},
        {"type": "response.incomplete", "response": response},
    ]
    whole = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events).encode()
    assert len(whole) > 200_000
    pieces = (whole[start : start + step] for start in range(0, len(whole), step))
    assert observe("responses", *pieces) == Observed(
        usage=Usage(input=90_000, uncached=89_995, cached=5, output=70_000),
        model="gpt-5",
        stop_reason="max_output_tokens",
        tool_calls=[WEATHER],
        response_id="resp_1",
        status="incomplete",
    )


def test_a_long_event_that_is_not_the_last_or_is_cut_off_tells_no_usage() -> None:
    usage = '"usage":{"input_tokens":1,"output_tokens":1}'
    for kind, end in (("response.in_progress", f"{usage}}}}}\n\n"), ("response.completed", '"output":[')):
        line = f'data: {{"type":"{kind}","response":{{"id":"r","text":"{"x" * 70_000}",{end}'
        assert observe("responses", line.encode()).usage is None


def test_a_megabyte_without_a_newline_is_not_kept() -> None:
    reader = StreamReader("chat")
    for _ in range(1000):
        reader.feed(b"data: " + b"x" * 1000)
        assert len(reader._line) <= 65_536  # pyright: ignore[reportPrivateUsage]
    assert reader.finish() == Observed(complete=False)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"usage": 5}'])
@pytest.mark.parametrize("shape", READ)
def test_a_body_that_is_no_reply_says_nothing(shape: Shape, body: bytes) -> None:
    observed = read_json(shape, body)
    assert (observed.usage, observed.model, observed.tool_calls) == (None, None, None)
    assert body == b'{"usage": 5}' or observed == NOTHING


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": "5"}, None),
        ({"prompt_tokens": True, "completion_tokens": None}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(input=0, uncached=0, output=0)),
        ({"prompt_tokens": -5, "completion_tokens": 2}, Usage(input=0, uncached=0, output=2)),
        ({"prompt_tokens": 5.0}, Usage(input=5, uncached=5, output=0)),
        (
            {"prompt_tokens": 1e400, "completion_tokens": 10**400},
            Usage(input=2**53 - 1, uncached=2**53 - 1, output=2**53 - 1),
        ),
        ({"prompt_tokens": 5, "prompt_tokens_details": "none"}, Usage(input=5, uncached=5, output=0)),
        (
            {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(input=5, uncached=0, cached=9, output=0),
        ),
    ],
)
def test_counts_are_numbers_of_0_and_more_or_0(usage: Any, expected: Usage | None) -> None:
    text = json.dumps({"usage": usage}).replace("Infinity", "1e400")
    assert read_json("chat", text.encode()).usage == expected


def test_a_background_reply_that_is_queued_has_a_status_and_no_usage() -> None:
    observed = read_json("responses", b'{"id":"resp_9","status":"queued","model":"gpt-5","output":[],"usage":null}')
    assert observed == Observed(model="gpt-5", stop_reason="queued", response_id="resp_9", status="queued")


def test_half_a_surrogate_pair_in_a_text_does_not_hide_the_usage() -> None:
    said = rb'"choices":[{"delta":{"content":"\ud83c"},"finish_reason":"stop"}]'
    chunk = b"data: {" + said + b',"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    assert observe("chat", chunk).usage == Usage(input=1, uncached=1, output=2)
