"""What a call that may not be made is told, that it costs nothing, and that nobody tries it again."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.daemon.proxy.conftest import CHAT, MESSAGE, chunks, completion
from tests.fakes.upstream import Upstream
from tests.machine import Daemon, Machine, Reply, start_daemon

HOLD = 1161
"""What CHAT holds: (22 tokens in at 2.5 and 100 out at 10) and a tenth, rounded half up."""


@dataclass
class Guarded:
    """A daemon whose providers answer at $0.007250 a call, and a key that only this test uses."""

    daemon: Daemon
    key: str
    key_id: str
    first: int

    def call(self, body: Any = CHAT, path: str = "/v1/chat/completions", **headers: str) -> Reply:
        return call(self.daemon, body, path, X_NullSpend_Key=self.key, **headers)

    def budget(self, entity_type: str, entity_id: str, limit: int, **more: Any) -> None:
        body = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": limit, **more}
        assert self.daemon.call("POST", "/api/budgets", body).status == 201

    def key_budget(self, limit: int, **more: Any) -> None:
        self.budget("api_key", self.key_id, limit, **more)

    @property
    def events(self) -> list[dict[str, Any]]:
        """This key's events, newest first."""
        return self.daemon.call("GET", f"/api/cost-events?apiKeyId={self.key_id}", auth="key").json["data"]

    @property
    def staged(self) -> list[str]:
        """What the world hears of since the test began."""
        with sqlite3.connect(f"file:{self.daemon.data}/nullspend.db?mode=ro", uri=True) as database:
            return [
                row[0] for row in database.execute("SELECT type FROM outbox WHERE seq > ? ORDER BY seq", (self.first,))
            ]


def new_key(proxy: Daemon, provider: Upstream) -> Guarded:
    provider.answers(completion())
    made = proxy.call("POST", "/api/keys", {"name": "test"}).json["data"]
    with sqlite3.connect(f"file:{proxy.data}/nullspend.db?mode=ro", uri=True) as database:
        first = database.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0]
    return Guarded(proxy, made["rawKey"], made["id"], first)


@pytest.fixture
def guarded(proxy: Daemon, provider: Upstream) -> Guarded:
    return new_key(proxy, provider)


def call(daemon: Daemon, body: Any = CHAT, path: str = "/v1/chat/completions", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.call("POST", path, body, auth="key", headers=named)


def test_a_key_budget_denies_before_the_provider_is_asked(guarded: Guarded, provider: Upstream) -> None:
    key = guarded.key_id
    guarded.key_budget(HOLD - 1)
    asked = len(provider.seen)
    reply = guarded.call()
    assert (reply.status, len(provider.seen)) == (429, asked)
    error = reply.json["error"]
    assert error["code"] == "budget_exceeded"
    assert error["details"] == {
        "entity_type": "api_key",
        "entity_id": key,
        "budget_limit_microdollars": HOLD - 1,
        "budget_spend_microdollars": 0,
        "estimated_cost_microdollars": HOLD,
        "remaining_microdollars": HOLD - 1,
    }
    assert error["recovery"] == {
        "retryable": False,
        "owner_action_required": True,
        "retry_after_seconds": None,
        "docs": None,
    }
    headers = reply.headers
    assert (headers["x-nullspend-denied"], headers["x-should-retry"]) == ("1", "false")
    assert "retry-after" not in headers
    assert headers["x-nullspend-budget-limit"] == headers["x-nullspend-budget-remaining"] == str(HOLD - 1)
    assert (headers["x-nullspend-budget-spent"], headers["x-nullspend-budget-entity"]) == ("0", f"api_key:{key}")
    assert len(headers["x-nullspend-trace-id"]) == 32
    assert guarded.events == []
    assert guarded.staged == ["budget.exceeded", "request.blocked"]


def test_a_call_that_fits_exactly_passes_and_shows_what_is_left(guarded: Guarded) -> None:
    key = guarded.key_id
    guarded.key_budget(HOLD)
    reply = guarded.call()
    assert reply.status == 200
    shown = [reply.headers[f"x-nullspend-budget-{name}"] for name in ("limit", "spent", "remaining", "entity")]
    assert shown == [str(HOLD), str(HOLD), "0", f"api_key:{key}"]
    spent = guarded.daemon.call("GET", "/api/budgets").json["data"][0]["spendMicrodollars"]
    assert spent == 7250, "what it cost, not what it held"
    assert guarded.call().json["error"]["details"]["remaining_microdollars"] == 0


def test_tag_and_customer_budgets_have_codes_of_their_own(guarded: Guarded) -> None:
    guarded.budget("tag", "team=search", 1)
    reply = guarded.call(X_NullSpend_Tags='{"team":"search"}')
    assert reply.json["error"]["code"] == "tag_budget_exceeded"
    assert (reply.json["error"]["details"]["tag_key"], reply.json["error"]["details"]["tag_value"]) == (
        "team",
        "search",
    )
    assert reply.headers["x-nullspend-effective-tags"] == '{"team":"search"}'
    guarded.budget("customer", "acme", 1)
    org = guarded.daemon.state["owner"]["orgId"]
    guarded.daemon.call("PATCH", f"/api/orgs/{org}/upgrade-url", {"upgradeUrl": "https://x.example/{customer_id}"})
    error = guarded.call(X_NullSpend_Customer="acme").json["error"]
    assert (error["code"], error["details"]["customer_id"]) == ("customer_budget_exceeded", "acme")
    assert error["upgrade_url"] == "https://x.example/acme"


def test_velocity_says_when_to_come_back(guarded: Guarded) -> None:
    guarded.key_budget(10**9, velocityLimitMicrodollars=HOLD)
    assert guarded.call().status == 200
    reply = guarded.call()
    assert (reply.json["error"]["code"], reply.headers["retry-after"]) == ("velocity_exceeded", "60")
    assert reply.json["error"]["details"] == {
        "limitMicrodollars": HOLD,
        "windowSeconds": 60,
        "currentMicrodollars": HOLD,
    }
    assert reply.json["error"]["recovery"]["retryable"] is True
    guarded.daemon.call("POST", "/_local/clock", {"advanceMs": 60_000}, auth="admin")
    assert guarded.call().status == 200


def test_a_session_has_a_limit_of_its_own(guarded: Guarded) -> None:
    guarded.key_budget(10**9, sessionLimitMicrodollars=8000)
    assert guarded.call(X_NullSpend_Session="s").status == 200
    reply = guarded.call(X_NullSpend_Session="s")
    assert reply.json["error"]["details"] == {
        "session_id": "s",
        "session_spend_microdollars": 7250,
        "session_limit_microdollars": 8000,
    }
    assert (reply.json["error"]["code"], "retry-after" in reply.headers) == ("session_limit_exceeded", False)
    assert guarded.call(X_NullSpend_Session="another").status == 200


def test_the_finalization_reserve_is_for_those_who_finalize(guarded: Guarded) -> None:
    guarded.key_budget(2 * HOLD, finalizationReserveMicrodollars=HOLD + 1)
    denied = guarded.call().json["error"]["details"]
    assert (denied["remaining_microdollars"], denied["finalization_remaining_microdollars"]) == (HOLD - 1, 2 * HOLD)
    assert guarded.call(X_NullSpend_Finalize="1").status == 200


def test_a_soft_budget_lets_through_and_says_so_on_the_event(guarded: Guarded) -> None:
    guarded.key_budget(1, policy="soft_block")
    assert guarded.call().status == 200
    assert guarded.events[0]["budgetStatus"] == "denied"


def test_mandates_name_what_is_allowed(guarded: Guarded, provider: Upstream) -> None:
    made = guarded.daemon.call(
        "POST", "/api/keys", {"name": "m", "allowedProviders": ["openai"], "allowedModels": ["gpt-4o"]}
    )
    headers = {"X-NullSpend-Key": made.json["data"]["rawKey"]}
    asked = len(provider.seen)
    reply = guarded.daemon.call("POST", "/v1/messages", MESSAGE, auth=None, headers=headers)
    assert (reply.status, reply.json["error"]["code"]) == (403, "mandate_violation")
    assert reply.json["error"]["details"] == {
        "mandate": "allowed_providers",
        "requested": "anthropic",
        "allowed": ["openai"],
    }
    assert reply.headers["x-should-retry"] == "false"
    assert "x-nullspend-denied" not in reply.headers
    other = guarded.daemon.call(
        "POST", "/v1/chat/completions", {**CHAT, "model": "o" * 300}, auth=None, headers=headers
    )
    assert other.json["error"]["details"] == {
        "mandate": "allowed_models",
        "requested": "o" * 200,
        "allowed": ["gpt-4o"],
    }
    assert len(provider.seen) == asked
    assert guarded.staged[-2:] == ["request.blocked", "request.blocked"]
    assert guarded.daemon.call("POST", "/v1/chat/completions", CHAT, auth=None, headers=headers).status == 200


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    """A daemon with everything on that is off by default."""
    providers = ("--upstream", f"openai={provider.url}", "--upstream", f"ollama={provider.url}/v1,free")
    flags = ("--loop-max-calls", "6", "--estimate", "upper-bound", "--capture-bodies")
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), *providers, *flags)
    yield running
    running.end()


@pytest.fixture
def watched(strict: Daemon, provider: Upstream) -> Guarded:
    return new_key(strict, provider)


def test_a_repeated_call_is_a_loop_when_that_is_asked_for(watched: Guarded) -> None:
    assert [watched.call().status for _ in range(6)] == [200] * 5 + [429]
    reply = watched.call()
    assert (reply.headers["retry-after"], reply.headers["x-nullspend-denied"]) == ("5", "1")
    assert reply.json["error"]["details"] == {
        "type": "per_key",
        "model": "gpt-4o",
        "provider": "openai",
        "callCount": 7,
        "windowSeconds": 60,
        "maxCalls": 6,
    }
    assert watched.call({**CHAT, "messages": []}).status == 200
    assert watched.staged.count("request.blocked") == 2


def test_many_models_that_repeat_themselves_are_a_loop_together(watched: Guarded) -> None:
    for model in ("gpt-4o", "gpt-4.1", "o3", "gpt-4o-mini"):
        assert [watched.call({**CHAT, "model": model}).status for _ in range(3)] == [200] * 3
    assert [watched.call({**CHAT, "model": "o1"}).status for _ in range(3)] == [200, 200, 429]
    details = watched.call({**CHAT, "model": "o1"}).json["error"]["details"]
    shown = (details["type"], details["model"], details["callCount"], details["maxCalls"])
    assert shown == ("aggregate", "aggregate", 5, 5)


def test_an_upper_bound_refuses_what_has_none(watched: Guarded) -> None:
    tools = [{"type": "web_search"}]
    reply = watched.call({"model": "gpt-4o", "input": "hi", "tools": tools}, "/v1/responses")
    assert (reply.status, reply.json["error"]["details"]) == (400, {"field": "tools[0]"})
    unknown = watched.call({**CHAT, "model": "unheard-of"})
    assert (unknown.status, unknown.json["error"]["details"]) == (400, {"field": "model"})
    watched.call()
    assert watched.events[0]["estimatedCostMicrodollars"] == 1218, "87 bytes x 2.5 and 100 x 10, without a margin"


def test_a_free_upstream_costs_nothing_by_its_name(watched: Guarded, provider: Upstream) -> None:
    assert watched.call({**CHAT, "model": "llama3"}, X_NullSpend_Upstream="Ollama").status == 200
    assert provider.seen[-1].target == "/v1/chat/completions"
    event = watched.events[0]
    assert (event["provider"], event["model"], event["costMicrodollars"]) == ("ollama", "llama3", 0)
    assert "_ns_unpriced" not in event["tags"]


def test_captured_bodies_are_shown_without_their_secrets(watched: Guarded, provider: Upstream) -> None:
    secret = "Bearer abc.def and sk-ant-api03-zzzz and ghp_0123456789 and me@example.com"
    provider.answers({**completion(), "note": secret})
    watched.call({**CHAT, "user": secret})
    shown = bodies(watched)
    hidden = "Bearer *** and sk-ant-*** and gh_*** and ***@***"
    assert (shown["requestBody"]["user"], shown["responseBody"]["note"]) == (hidden, hidden)
    provider.streams(chunks())
    watched.call({**CHAT, "stream": True})
    assert bodies(watched)["responseBody"] == {"_format": "sse", "text": b"".join(chunks()).decode()}


def bodies(guarded: Guarded) -> Any:
    """The captured bodies of the newest event, which are stored a little behind it."""
    path = f"/api/cost-events/{guarded.events[0]['id']}/bodies"
    for _ in range(200):
        found = guarded.daemon.call("GET", path).json["data"]
        if found["responseBody"] is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("no bodies were kept")


def test_upstreams_of_the_config_file_count_too(machine: Machine, start: StartDaemon, provider: Upstream) -> None:
    provider.answers(completion())
    machine.config.mkdir(parents=True)
    table = f'[upstreams.gateway]\nurl = "{provider.url}/v1"\nprice_as = "openai"\n'
    (machine.config / "config.toml").write_text(table)
    daemon = start()
    assert call(daemon, X_NullSpend_Upstream="gateway").status == 200
    event = daemon.call("GET", "/api/cost-events", auth="key").json["data"][0]
    assert (event["provider"], event["costMicrodollars"]) == ("gateway", 7250)


@pytest.mark.parametrize("flag", ["ollama", "a=ftp://x", "fake=http://x", "a=http://x,cheap", "a b=http://x"])
def test_an_upstream_that_is_none_is_refused_with_a_sentence(machine: Machine, flag: str) -> None:
    with pytest.raises(AssertionError, match="upstream"):
        start_daemon(machine, "--upstream", flag)


def test_the_hosted_limits_refuse_the_121st_request_of_an_address(start: StartDaemon, provider: Upstream) -> None:
    daemon = start("--hosted", "--test-clock")
    statuses = [daemon.call("GET", "/v1/nothing-here", auth="key").status for _ in range(3)]
    assert statuses == [404, 404, 404], "what is not there is not counted"
    for _ in range(120):
        daemon.call("POST", "/v1/chat/completions", b"{", auth="key")
    reply = daemon.call("POST", "/v1/chat/completions", b"{", auth="key")
    assert (reply.status, reply.json["error"]["code"], reply.headers["retry-after"]) == (429, "rate_limited", "60")
    assert "x-nullspend-denied" not in reply.headers
    assert "x-ratelimit-limit" not in reply.headers
