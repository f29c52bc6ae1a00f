"""A provider that does what the test says, and a daemon in front of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.upstream import Upstream, upstream
from tests.machine import Daemon, Machine, start_daemon

CHAT = {"model": "gpt-4o", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
MESSAGE = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


def completion(prompt: int = 1000, output: int = 500, cached: int = 200, **more: Any) -> dict[str, Any]:
    """A chat completion; 1,000 tokens in, 200 of them cached, and 500 out cost $0.007250 with gpt-4o."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
        **more,
    }


def chunks(prompt: int = 1000, output: int = 500, words: int = 3) -> list[bytes]:
    """The same as a stream."""

    def data(text: str) -> bytes:
        return f"data: {text}\n\n".encode()

    head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":'
    return [
        *(
            data(head + '[{"index":0,"delta":{"content":"w"},"finish_reason":null}],"usage":null}')
            for _ in range(words)
        ),
        data(head + '[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}'),
        data(head + f'[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{output}}}}}'),
        data("[DONE]"),
    ]


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    """A daemon whose two providers are the test's own."""
    both = ("--upstream", f"openai={provider.url}", "--upstream", f"anthropic={provider.url}/v1")
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), *both, "--test-clock")
    yield running
    running.end()
