"""How far a limit can be passed over real connections: by nothing, or by what calls in flight cost above their hold."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fakes.upstream import Out, Seen, Upstream
from tests.machine import Daemon, Machine, Reply, start_daemon

CONNECTIONS = 64
HOLD = 1100
"""(40 tokens in at 2.5 and 90 out at 10) and a tenth."""


def body() -> bytes:
    """A chat request of exactly 160 bytes, which count as 40 tokens."""
    asked = {"model": "gpt-4o", "max_tokens": 90, "messages": [{"role": "user", "content": ""}]}
    asked["messages"] = [{"role": "user", "content": "x" * (160 - len(json.dumps(asked)))}]
    content = json.dumps(asked).encode()
    assert len(content) == 160
    return content


def used(prompt: int, completion: int) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"id": "x", "model": "gpt-4o", "choices": [], "usage": usage}


def slowly(provider: Upstream, content: dict[str, Any]) -> None:
    """Every call is in flight for a while, so that all of them are at once."""

    async def script(seen: Seen, out: Out) -> None:
        await asyncio.sleep(0.3)
        await out.whole(content)

    provider.script = script


def started(factory: pytest.TempPathFactory, provider: Upstream, estimate: str) -> Iterator[Daemon]:
    flags = ("--upstream", f"openai={provider.url}", "--estimate", estimate)
    running = start_daemon(Machine(factory.mktemp("machine")), *flags)
    yield running
    running.end()


@pytest.fixture(scope="module")
def expecting(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    """A daemon that holds what a call will probably cost."""
    yield from started(tmp_path_factory, provider, "expected")


@pytest.fixture(scope="module")
def bounding(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    """A daemon that holds what a call can cost at most."""
    yield from started(tmp_path_factory, provider, "upper-bound")


class Agent:
    """A key of its own, and what its calls brought."""

    def __init__(self, daemon: Daemon) -> None:
        made = daemon.call("POST", "/api/keys", {"name": "agent"}).json["data"]
        self.daemon, self.key, self.key_id = daemon, made["rawKey"], made["id"]

    def budget(self, entity_type: str, entity_id: str, limit: int) -> str:
        asked = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": limit}
        return self.daemon.call("POST", "/api/budgets", asked).json["data"]["id"]

    def call(self, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-NullSpend-Key": self.key, **named}
        return self.daemon.call("POST", "/v1/chat/completions", body(), auth=None, headers=sent)

    def crowd(self, **headers: str) -> list[int]:
        """Calls on many connections at once; their statuses."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return [reply.status for reply in threads.map(lambda _: self.call(**headers), range(CONNECTIONS))]

    def spent(self, budget: str) -> int:
        rows = self.daemon.call("GET", "/api/budgets").json["data"]
        return next(row["spendMicrodollars"] for row in rows if row["id"] == budget)


def test_a_budget_for_ten_calls_lets_exactly_ten_through(expecting: Daemon, provider: Upstream) -> None:
    slowly(provider, used(40, 100))
    agent = Agent(expecting)
    budget = agent.budget("api_key", agent.key_id, 10 * HOLD)
    statuses = agent.crowd()
    assert (statuses.count(200), statuses.count(429)) == (10, CONNECTIONS - 10)
    assert agent.spent(budget) == 10 * HOLD
    assert agent.call().status == 429


def test_of_overlapping_budgets_none_is_passed(expecting: Daemon, provider: Upstream) -> None:
    slowly(provider, used(40, 90))
    agent = Agent(expecting)
    limits = {
        agent.budget("api_key", agent.key_id, 40_000): 40_000,
        agent.budget("user", expecting.state["owner"]["userId"], 2_000_000): 2_000_000,
        agent.budget("tag", "lane=a", 9_000): 9_000,
        agent.budget("tag", "lane=b", 12_345): 12_345,
        agent.budget("customer", "crowd", 17_000): 17_000,
    }
    lanes = ['{"lane":"a"}', '{"lane":"b"}', "{}"]

    def one(number: int) -> int:
        customer = {"X_NullSpend_Customer": "crowd"} if number % 2 else {}
        return agent.call(X_NullSpend_Tags=lanes[number % 3], **customer).status

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        statuses = list(threads.map(one, range(CONNECTIONS)))
    assert 0 < statuses.count(200) < CONNECTIONS
    for budget, limit in limits.items():
        assert 0 < agent.spent(budget) <= limit


def test_replies_that_cost_ten_times_their_hold_pass_the_limit_by_just_that(
    expecting: Daemon, provider: Upstream
) -> None:
    slowly(provider, used(400, 1000))
    agent = Agent(expecting)
    limit = 10 * HOLD
    budget = agent.budget("api_key", agent.key_id, limit)
    passed = agent.crowd().count(200)
    assert passed == 10
    assert agent.spent(budget) - limit <= passed * (10 * HOLD - HOLD)
    assert agent.call().status == 429


def test_an_upper_bound_is_never_passed(bounding: Daemon, provider: Upstream) -> None:
    slowly(provider, used(160, 90))
    agent = Agent(bounding)
    budget = agent.budget("api_key", agent.key_id, 5000)
    statuses = agent.crowd()
    assert statuses.count(200) == 3, "160 bytes in at 2.5 and 90 tokens out at 10 are 1,300 each"
    assert agent.spent(budget) == 3900
