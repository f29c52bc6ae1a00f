"""The NullSpend SDK's tracked client with `enforcement=True`: every error it knows, raised by a real denial."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nullspend
    from nullspend import NullSpend

from tests.fakes.upstream import upstream
from tests.machine import Daemon, Machine, start_daemon

ASKED = {"model": "gpt-4o", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def faked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    flags = ("--upstream", "fake", "--loop-max-calls", "40")
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), *flags)
    yield running
    running.end()


class Agent:
    """The SDK with a key of its own."""

    def __init__(self, daemon: Daemon, **key: Any) -> None:
        made = daemon.call("POST", "/api/keys", {"name": "agent", **key}).json["data"]
        self.daemon, self.key_id = daemon, made["id"]
        self.sdk = NullSpend(base_url=daemon.url, api_key=made["rawKey"], proxy_url=daemon.url)

    def budget(self, limit: int, **more: Any) -> None:
        body = {"entityType": "api_key", "entityId": self.key_id, "maxBudgetMicrodollars": limit, **more}
        assert self.daemon.call("POST", "/api/budgets", body).status == 201

    def ask(self, body: Any = ASKED, headers: dict[str, str] | None = None, **options: Any) -> Any:
        """One chat call by a tracked client."""
        with self.sdk.create_tracked_client("openai", enforcement=True, **options) as client:
            return client.post(f"{self.daemon.url}/v1/chat/completions", json=body, headers=headers)


@pytest.fixture
def agent(faked: Daemon) -> Iterator[Agent]:
    made = Agent(faked)
    yield made
    made.sdk.close()


def test_a_budget_raises_what_is_left(agent: Agent) -> None:
    agent.budget(5000, finalizationReserveMicrodollars=4500)
    with pytest.raises(nullspend.BudgetExceededError) as denied:
        agent.ask()
    error = denied.value
    assert (error.remaining_microdollars, error.entity_type, error.entity_id) == (500, "api_key", agent.key_id)
    assert agent.ask(finalize=True).status_code == 200


def test_a_customers_budget_names_the_customer(agent: Agent) -> None:
    body = {"entityType": "customer", "entityId": "sdk-acme", "maxBudgetMicrodollars": 1}
    agent.daemon.call("POST", "/api/budgets", body)
    with pytest.raises(nullspend.BudgetExceededError) as denied:
        agent.ask(customer="sdk-acme")
    assert (denied.value.entity_type, denied.value.entity_id) == ("customer", "sdk-acme")


def test_a_tag_budget_has_an_error_of_its_own(agent: Agent) -> None:
    agent.daemon.call("POST", "/api/budgets", {"entityType": "tag", "entityId": "sdk=t", "maxBudgetMicrodollars": 1})
    with pytest.raises(nullspend.TagBudgetExceededError) as denied:
        agent.ask(tags={"sdk": "t"})
    assert (denied.value.tag_key, denied.value.tag_value) == ("sdk", "t")


def test_velocity_and_session_have_errors_of_their_own(agent: Agent) -> None:
    agent.budget(10**9, velocityLimitMicrodollars=1, sessionLimitMicrodollars=1)
    with pytest.raises(nullspend.VelocityExceededError) as denied:
        agent.ask()
    assert denied.value.retry_after_seconds == 60
    with pytest.raises(nullspend.SessionLimitExceededError):
        agent.ask(headers={"X-NullSpend-Session": "one"})


def test_a_loop_has_an_error_of_its_own(agent: Agent) -> None:
    with pytest.raises(nullspend.LoopDetectedError):
        for _ in range(40):
            agent.ask()


def test_a_mandate_is_enforced_by_the_sdk_itself_in_direct_mode(faked: Daemon) -> None:
    agent = Agent(faked, allowedModels=["unheard-of"])
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    with upstream() as provider, agent.sdk.create_tracked_client("openai", enforcement=True) as client:
        provider.answers({"model": "unheard-of", "choices": [], "usage": usage})
        url = f"{provider.url}/v1/chat/completions"
        assert client.post(url, json={**ASKED, "model": "unheard-of"}).status_code == 200
        with pytest.raises(nullspend.MandateViolationError):
            client.post(url, json=ASKED)
        assert len(provider.seen) == 1
    agent.sdk.close()


def test_what_the_sdk_says_about_a_call_arrives_on_its_event(agent: Agent) -> None:
    agent.ask(customer="sdk-globex", tags={"a": "b"}, trace_id="c" * 32)
    event = agent.daemon.call("GET", f"/api/cost-events?apiKeyId={agent.key_id}", auth="key").json["data"][0]
    assert (event["customerId"], event["traceId"], event["source"]) == ("sdk-globex", "c" * 32, "proxy")
    assert event["tags"]["a"] == "b"


def test_an_upstream_that_is_tracked_by_the_proxy_is_not_reported_twice(agent: Agent) -> None:
    assert agent.ask().status_code == 200
    events = agent.daemon.call("GET", f"/api/cost-events?apiKeyId={agent.key_id}", auth="key").json["data"]
    assert [event["source"] for event in events] == ["proxy"]
