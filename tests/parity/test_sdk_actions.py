"""The unmodified NullSpend SDK asks, a person decides: synchronous and asynchronous."""

import asyncio
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nullspend
    from nullspend import AsyncNullSpend, NullSpend

from tests.machine import Daemon


@pytest.fixture
def sdk(daemon: Daemon) -> Iterator[NullSpend]:
    client = NullSpend(base_url=daemon.url, api_key=daemon.key)
    yield client
    client.close()


def _person(daemon: Daemon, verb: str, agent: str, body: object = None) -> threading.Thread:
    """Decides the next request of an agent, as soon as it is there."""

    def decide() -> None:
        for _ in range(400):
            waiting = daemon.call("GET", "/api/actions?status=pending").json["data"]
            for action in waiting:
                if action["agentId"] == agent:
                    assert daemon.call("POST", f"/api/actions/{action['id']}/{verb}", body).status == 200
                    return
            time.sleep(0.02)

    thread = threading.Thread(target=decide)
    thread.start()
    return thread


def _proposal(agent: str, **more: Any) -> Any:
    given = {"agent_id": agent, "action_type": "send_email", "payload": {"to": "a@example.org"}, **more}
    return nullspend.ProposeAndWaitOptions(execute=lambda _: {"sent": True}, poll_interval_s=0.05, **given)


def _action(daemon: Daemon, agent: str) -> dict[str, Any]:
    listed = daemon.call("GET", "/api/actions?limit=100").json["data"]
    return next(each for each in listed if each["agentId"] == agent)


def test_an_approved_proposal_is_carried_out_and_reported(sdk: NullSpend, daemon: Daemon) -> None:
    person = _person(daemon, "approve", "sync-yes")
    assert sdk.propose_and_wait(_proposal("sync-yes")) == {"sent": True}
    person.join()
    stored = _action(daemon, "sync-yes")
    assert (stored["status"], stored["result"]) == ("executed", {"sent": True})


def test_a_rejected_proposal_is_not_carried_out(sdk: NullSpend, daemon: Daemon) -> None:
    person = _person(daemon, "reject", "sync-no")
    with pytest.raises(nullspend.RejectedError):
        sdk.propose_and_wait(_proposal("sync-no"))
    person.join()
    assert _action(daemon, "sync-no")["status"] == "rejected"


def test_a_failure_while_carrying_out_is_reported(sdk: NullSpend, daemon: Daemon) -> None:
    def fail(_: Any) -> None:
        raise ValueError("no route")

    person = _person(daemon, "approve", "sync-fail")
    options = _proposal("sync-fail")
    options.execute = fail
    with pytest.raises(ValueError, match="no route"):
        sdk.propose_and_wait(options)
    person.join()
    stored = _action(daemon, "sync-fail")
    assert (stored["status"], stored["errorMessage"]) == ("failed", "no route")


def test_waiting_ends_when_nobody_decides(sdk: NullSpend) -> None:
    made = sdk.create_action(
        nullspend.CreateActionInput(agent_id="nobody", action_type="http_post", payload={"url": "x"})
    )
    assert (made.status, made.expires_at is not None) == ("pending", True)
    with pytest.raises(nullspend.PollTimeoutError):
        sdk.wait_for_decision(made.id, poll_interval_s=0.05, timeout_s=0.2)


def _customer_budget(daemon: Daemon, customer: str) -> str:
    body = {"entityType": "customer", "entityId": customer, "maxBudgetMicrodollars": 5_000_000}
    return str(daemon.call("POST", "/api/budgets", body).json["id"])


def _increase(agent: str, customer: str) -> Any:
    return nullspend.RequestBudgetIncreaseOptions(
        agent_id=agent,
        amount_microdollars=2_000_000,
        reason="more pages",
        entity_type="customer",
        entity_id=customer,
        poll_interval_s=0.05,
    )


def _limit(daemon: Daemon, budget_id: str) -> int:
    listed = daemon.call("GET", "/api/budgets").json["data"]
    return next(each["maxBudgetMicrodollars"] for each in listed if each["id"] == budget_id)


def test_a_budget_increase_is_requested_approved_and_there(sdk: NullSpend, daemon: Daemon) -> None:
    budget = _customer_budget(daemon, "sdk-sync")
    person = _person(daemon, "approve", "sync-more")
    result = sdk.request_budget_increase(_increase("sync-more", "sdk-sync"))
    person.join()
    assert (result.action_id, result.requested_amount_microdollars) == (_action(daemon, "sync-more")["id"], 2_000_000)
    assert _limit(daemon, budget) == 7_000_000


def test_the_async_client_proposes_waits_and_asks_for_more(daemon: Daemon) -> None:
    async def use() -> tuple[Any, Any, Any]:
        async with AsyncNullSpend(base_url=daemon.url, api_key=daemon.key) as client:
            approving = _person(daemon, "approve", "async-yes")
            done = await client.propose_and_wait(_proposal("async-yes"))
            await asyncio.to_thread(approving.join)
            rejecting = _person(daemon, "reject", "async-no")
            made = await client.create_action(
                nullspend.CreateActionInput(agent_id="async-no", action_type="http_post", payload={})
            )
            decided = await client.wait_for_decision(made.id, poll_interval_s=0.05)
            await asyncio.to_thread(rejecting.join)
            raising = _person(daemon, "approve", "async-more")
            more = await client.request_budget_increase(_increase("async-more", "sdk-async-more"))
            await asyncio.to_thread(raising.join)
            return done, decided, more

    budget = _customer_budget(daemon, "sdk-async-more")
    done, decided, more = asyncio.run(use())
    assert done == {"sent": True}
    assert (decided.status, decided.rejected_by) == ("rejected", daemon.state["owner"]["userId"])
    assert more.requested_amount_microdollars == 2_000_000
    assert _limit(daemon, budget) == 7_000_000
