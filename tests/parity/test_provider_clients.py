"""The real openai and anthropic clients through the proxy: by header and by path, whole and streamed, denied once."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.machine import Daemon, Machine, start_daemon

ASKED: Any = [{"role": "user", "content": "Say something."}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture(scope="module")
def faked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--upstream", "fake")
    yield running
    running.end()


@pytest.fixture(params=["header", "path"])
def environment(faked: Daemon, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `daemon env` prints, set as a shell would; the clients get nothing else but a provider key."""
    flags = ["--key-in-path"] if request.param == "path" else []
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    for name, value in faked.run("daemon", "env", "--format", "json", *flags).json.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-client")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-client")
    return str(request.param)


def newest(daemon: Daemon) -> dict[str, Any]:
    return daemon.call("GET", "/api/cost-events?limit=1", auth="key").json["data"][0]


def test_openai_whole_and_streamed(environment: str, faked: Daemon) -> None:
    with openai.OpenAI() as client:
        reply = client.chat.completions.create(model="gpt-4o", messages=ASKED, tools=[TOOL], max_tokens=50)
        event = newest(faked)
        assert reply.usage and reply.usage.completion_tokens == event["outputTokens"] > 0
        assert (event["provider"], event["model"], event["tags"]["_ns_tool_count"]) == ("openai", "gpt-4o", "1")
        with client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert text and newest(faked)["requestId"] != event["requestId"]
        answer = client.responses.create(model="gpt-4o", input="Say something.")
        assert answer.usage and answer.usage.output_tokens == newest(faked)["outputTokens"]
        assert client.embeddings.create(model="text-embedding-3-small", input="x").data
        assert next(iter(client.models.list())).id.startswith("fake/")


def test_openai_asynchronously(environment: str, faked: Daemon) -> None:
    async def talk() -> tuple[int, int]:
        async with openai.AsyncOpenAI() as client:
            whole = await client.chat.completions.create(model="gpt-4o", messages=ASKED)
            stream: Any = await client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
            count = 0
            async for _ in stream:
                count += 1
            return whole.usage.completion_tokens if whole.usage else 0, count

    tokens, count = asyncio.run(talk())
    assert tokens > 0
    assert count > 2
    assert newest(faked)["outputTokens"] == tokens, "the fake provider answers equal questions equally"


def test_anthropic_whole_and_streamed(environment: str, faked: Daemon) -> None:
    with anthropic.Anthropic() as client:
        reply = client.messages.create(
            model="claude-sonnet-4-6", max_tokens=50, messages=ASKED, tools=[WEATHER], system="Be brief."
        )
        event = newest(faked)
        assert (event["provider"], event["outputTokens"]) == ("anthropic", reply.usage.output_tokens)
        assert reply._request_id == event["requestId"]
        with client.messages.stream(model="claude-sonnet-4-6", max_tokens=50, messages=ASKED) as stream:
            text = stream.get_final_text()
        assert text and newest(faked)["requestId"] != event["requestId"]
        counted = client.messages.count_tokens(model="claude-sonnet-4-6", messages=ASKED)
        assert counted.input_tokens > 0
        assert next(iter(client.models.list())).id.startswith("fake/")


def test_anthropic_asynchronously(environment: str, faked: Daemon) -> None:
    async def talk() -> int:
        async with anthropic.AsyncAnthropic() as client:
            await client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=ASKED)
            async with client.messages.stream(model="claude-sonnet-4-6", max_tokens=50, messages=ASKED) as stream:
                return (await stream.get_final_message()).usage.output_tokens

    assert asyncio.run(talk()) == newest(faked)["outputTokens"]


def test_a_denial_is_tried_once_by_both_clients(environment: str, faked: Daemon) -> None:
    key_id = faked.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    limit = {"entityType": "api_key", "entityId": key_id, "maxBudgetMicrodollars": 1}
    budget = faked.call("POST", "/api/budgets", limit).json["data"]["id"]
    try:
        before = denials(faked)
        with openai.OpenAI() as client, pytest.raises(openai.RateLimitError) as denied:
            client.chat.completions.create(model="gpt-4o", messages=ASKED)
        assert denied.value.code == "budget_exceeded"
        assert denied.value.response.headers["x-nullspend-denied"] == "1"
        with anthropic.Anthropic() as client, pytest.raises(anthropic.RateLimitError):
            client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=ASKED)
        assert denials(faked) == before + 2, "neither tried again"
    finally:
        faked.call("DELETE", f"/api/budgets/{budget}")


def denials(daemon: Daemon) -> int:
    """How many calls have been denied."""
    with contextlib.closing(sqlite3.connect(f"file:{daemon.data}/nullspend.db?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM outbox WHERE type = 'request.blocked'").fetchone()[0]


@pytest.mark.parametrize(
    ("status", "openai_error", "anthropic_error"),
    [
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (500, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_a_providers_refusal_raises_the_clients_own_error(
    faked: Daemon, status: int, openai_error: type[Exception], anthropic_error: type[Exception]
) -> None:
    knobs: Any = {"fake": {"status": status}}
    own = {"X-NullSpend-Key": faked.key}
    with openai.OpenAI(base_url=f"{faked.url}/v1", api_key="x", max_retries=0, default_headers=own) as client:
        with pytest.raises(openai_error):
            client.chat.completions.create(model="gpt-4o", messages=ASKED, extra_body=knobs)
    with anthropic.Anthropic(base_url=faked.url, api_key="x", max_retries=0, default_headers=own) as other:
        with pytest.raises(anthropic_error):
            other.messages.create(model="claude-sonnet-4-6", max_tokens=5, messages=ASKED, extra_body=knobs)
