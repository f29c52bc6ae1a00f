"""The built-in provider: what it answers, and that the real clients understand it."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import Usage, read_json
from nullspend_daemon.proxy.fake import provider

SHAPES = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
ASKED: dict[Shape, dict[str, Any]] = {
    "chat": {"model": "fake/a", "messages": [{"role": "user", "content": "twelve bytes"}]},
    "completions": {"model": "fake/a", "prompt": "twelve bytes"},
    "embeddings": {"model": "fake/a", "input": "twelve bytes"},
    "responses": {"model": "fake/a", "input": "twelve bytes"},
    "messages": {"model": "fake/a", "max_tokens": 500, "messages": [{"role": "user", "content": "twelve bytes"}]},
}
STREAMING: tuple[Shape, ...] = ("chat", "completions", "responses", "messages")


def asking(shape: Shape, **knobs: Any) -> dict[str, Any]:
    return ASKED[shape] | {"fake": knobs}


def http_client(of_sdk: Any) -> Any:
    """An HTTP client of the library that this SDK is built on, which reaches the fake provider without a socket."""
    library = importlib.import_module(of_sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

    def serve(request: Any) -> Any:
        shape: Any = SHAPES[request.url.path]
        reply = provider.answer(shape, json.loads(request.content))
        return library.Response(reply.status, headers={"content-type": reply.content_type}, content=reply.body)

    return library.Client(transport=library.MockTransport(serve))


@pytest.fixture
def openai_client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url="http://fake/v1", api_key="none", max_retries=0, http_client=http_client(openai)
    ) as client:
        yield client


@pytest.fixture
def anthropic_client() -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url="http://fake", api_key="none", max_retries=0, http_client=http_client(anthropic)
    ) as client:
        yield client


@pytest.mark.parametrize("shape", ASKED)
def test_equal_requests_get_equal_replies_and_others_do_not(shape: Shape) -> None:
    assert provider.answer(shape, asking(shape)).body == provider.answer(shape, asking(shape)).body
    other = provider.answer(shape, asking(shape) | {"user": "somebody else"}).body
    if shape != "embeddings":
        assert provider.answer(shape, asking(shape)).body != other


@pytest.mark.parametrize("shape", ASKED)
def test_by_default_input_is_a_quarter_of_the_texts_bytes_and_output_lies_between_16_and_63(shape: Shape) -> None:
    usage = read_json(shape, provider.answer(shape, asking(shape)).body).usage
    assert usage is not None
    assert usage.input == 3
    assert usage.output == 0 if shape == "embeddings" else 16 <= usage.output <= 63


def test_text_is_counted_in_utf8_wherever_it_stands() -> None:
    body = {
        "model": "fake/a",
        "system": [{"type": "text", "text": "äöü"}],  # 6 bytes
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "four"}, {"type": "image", "source": {}}]},
            {"role": "assistant", "content": "123"},
        ],
    }
    usage = read_json("messages", provider.answer("messages", body).body).usage
    assert usage is not None and usage.input == 4  # 13 bytes


@pytest.mark.parametrize("shape", STREAMING)
def test_the_output_is_never_longer_than_the_request_allows(shape: Shape) -> None:
    cap = {"responses": "max_output_tokens"}.get(shape, "max_tokens")
    observed = read_json(shape, provider.answer(shape, asking(shape) | {cap: 5}).body)
    assert observed.usage is not None and observed.usage.output == 5
    assert observed.stop_reason in ("length", "max_tokens", "max_output_tokens")


@pytest.mark.parametrize("shape", STREAMING)
def test_a_stream_counts_what_the_whole_reply_counts(shape: Shape) -> None:
    body = asking(shape, inputTokens=70, outputTokens=9, cachedTokens=20, reasoningTokens=4)
    streamed = provider.answer(shape, body | {"stream": True, "stream_options": {"include_usage": True}})
    reader = StreamReader(shape)
    for chunk in streamed.chunks:
        reader.feed(chunk)
    usage = reader.finish().usage
    assert streamed.content_type == "text/event-stream"
    assert usage == read_json(shape, provider.answer(shape, body).body).usage
    assert usage == Usage(input=70, uncached=50, cached=20, output=9, reasoning=0 if shape == "messages" else 4)


def test_a_chat_stream_tells_its_usage_only_when_asked() -> None:
    reader = StreamReader("chat")
    reader.feed(provider.answer("chat", asking("chat") | {"stream": True}).body)
    assert reader.finish().usage is None


@pytest.mark.parametrize(
    ("knobs", "named"),
    [
        ({"outputTokns": 5}, "fake.outputTokns"),
        ({"outputTokens": -1}, "fake.outputTokens"),
        ({"outputTokens": 1.5}, "fake.outputTokens"),
        ({"outputTokens": "5"}, "fake.outputTokens"),
        ({"outputTokens": True}, "fake.outputTokens"),
        ({"status": 199}, "fake.status"),
        ({"delayMs": 600_001}, "fake.delayMs"),
        ({"text": 5}, "fake.text"),
    ],
)
def test_a_knob_that_is_unknown_or_senseless_is_a_400_that_names_it(knobs: dict[str, Any], named: str) -> None:
    reply = provider.answer("chat", asking("chat", **knobs))
    assert reply.status == 400
    assert named in json.loads(reply.body)["error"]["message"]


def test_knobs_that_are_no_object_are_a_400() -> None:
    assert provider.answer("chat", ASKED["chat"] | {"fake": "fast"}).status == 400


def test_status_makes_it_fail_in_the_providers_own_words() -> None:
    openai_error = json.loads(provider.answer("chat", asking("chat", status=503)).body)
    anthropic_error = json.loads(provider.answer("messages", asking("messages", status=529)).body)
    assert openai_error["error"]["type"] == "server_error"
    assert anthropic_error == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "The fake provider was asked for 529."},
    }


def test_delays_are_handed_on() -> None:
    reply = provider.answer("chat", asking("chat", delayMs=20, chunkDelayMs=3) | {"stream": True})
    assert (reply.delay_ms, reply.chunk_delay_ms) == (20, 3)


def test_a_long_text_is_streamed_whole_in_at_most_64_pieces(openai_client: openai.OpenAI) -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    stream = openai_client.chat.completions.create(
        model="fake/a",
        messages=[{"role": "user", "content": "hi"}],
        stream=True,
        extra_body={"fake": {"text": text}},
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == text
    assert len([piece for piece in pieces if piece]) <= 64


def test_the_openai_client_reads_every_shape(openai_client: openai.OpenAI) -> None:
    say_hello: Any = {"fake": {"text": "hello there"}}
    chat = openai_client.chat.completions.create(
        model="fake/a", messages=[{"role": "user", "content": "hi"}], n=2, extra_body=say_hello
    )
    assert [choice.message.content for choice in chat.choices] == ["hello there", "hello there"]
    text = openai_client.completions.create(model="fake/a", prompt="hi", extra_body=say_hello)
    assert text.choices[0].text == "hello there"
    response = openai_client.responses.create(model="fake/a", input="hi", extra_body=say_hello)
    assert (response.output_text, response.status) == ("hello there", "completed")
    with openai_client.responses.stream(model="fake/a", input="hi", extra_body=say_hello) as events:
        assert events.get_final_response().output_text == "hello there"
    vectors = openai_client.embeddings.create(model="fake/a", input=["one", "two"], dimensions=16)
    assert [len(each.embedding) for each in vectors.data] == [16, 16]
    assert vectors.data[0].embedding != vectors.data[1].embedding


def test_the_anthropic_client_reads_messages_and_their_stream(anthropic_client: anthropic.Anthropic) -> None:
    asked: Any = {"model": "fake/a", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    say_hello: Any = {"fake": {"text": "hello there", "outputTokens": 7}}
    message = anthropic_client.messages.create(**asked, extra_body=say_hello)
    assert message.content[0].text == "hello there"  # type: ignore[union-attr]
    with anthropic_client.messages.stream(**asked, extra_body=say_hello) as events:
        final = events.get_final_message()
    assert final.content[0].text == "hello there"  # type: ignore[union-attr]
    assert (final.usage.output_tokens, final.stop_reason) == (7, "end_turn")


def test_it_counts_tokens_and_lists_models() -> None:
    assert json.loads(provider.count_tokens(ASKED["messages"]).body) == {"input_tokens": 3}
    listed = json.loads(provider.models(as_anthropic=False).body)
    assert [each["id"] for each in listed["data"]] == ["fake/gpt-4o-mini", "fake/claude"]
    assert json.loads(provider.models(as_anthropic=True, model="fake/x").body)["id"] == "fake/x"
    assert provider.models(as_anthropic=False, model="gpt-4o").status == 404
    assert provider.stored_response("resp_1").status == 404
