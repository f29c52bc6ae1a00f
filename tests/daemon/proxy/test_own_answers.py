"""What the proxy answers itself: MCP reservations, the policy, health and metrics; and background replies."""

from typing import Any
from uuid import UUID

import pytest

from tests.conftest import StartDaemon
from tests.daemon.proxy.conftest import CHAT, completion
from tests.fakes.upstream import Out, Seen, Upstream
from tests.machine import Daemon, Reply

TOOL = {"toolName": "search", "serverName": "web", "estimateMicrodollars": 1000}


class Mcp:
    """A key of its own, and what an MCP proxy does with it."""

    def __init__(self, daemon: Daemon) -> None:
        made = daemon.call("POST", "/api/keys", {"name": "mcp"}).json["data"]
        self.daemon, self.key_id, self.headers = daemon, made["id"], {"X-NullSpend-Key": made["rawKey"]}

    def send(self, path: str, body: Any, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.call("POST", path, body, auth=None, headers={**self.headers, **named})

    def budget(self, limit: int) -> None:
        body = {"entityType": "api_key", "entityId": self.key_id, "maxBudgetMicrodollars": limit}
        self.daemon.call("POST", "/api/budgets", body)

    @property
    def spent(self) -> int:
        rows = self.daemon.call("GET", "/api/budgets").json["data"]
        return next(row["spendMicrodollars"] for row in rows if row["entityId"] == self.key_id)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.daemon.call("GET", f"/api/cost-events?apiKeyId={self.key_id}", auth="key").json["data"]


@pytest.fixture
def mcp(proxy: Daemon) -> Mcp:
    return Mcp(proxy)


def report(reservation: str | None = None, cost: float = 700, **more: Any) -> dict[str, Any]:
    named = {} if reservation is None else {"reservationId": reservation}
    return {"toolName": "search", "serverName": "web", "durationMs": 12, "costMicrodollars": cost, "status": "ok"} | (
        named | more
    )


def test_a_tool_call_is_reserved_and_settled(mcp: Mcp) -> None:
    mcp.budget(1500)
    reserved = mcp.send("/v1/mcp/budget/check", TOOL)
    assert (reserved.status, reserved.json["allowed"]) == (200, True)
    assert reserved.json["traceId"] == reserved.headers["x-nullspend-trace-id"]
    reservation = str(UUID(reserved.json["reservationId"]))
    denied = mcp.send("/v1/mcp/budget/check", TOOL)
    assert (denied.status, denied.json["error"]["code"]) == (429, "budget_exceeded")
    assert denied.headers["x-nullspend-denied"] == "1"
    told = mcp.send("/v1/mcp/events", {"events": [report(reservation)]}, X_NullSpend_Session="s")
    assert (told.status, told.json) == (200, {"accepted": 1})
    assert mcp.spent == 700
    event = mcp.events[0]
    assert (event["provider"], event["model"], event["eventType"]) == ("mcp", "web/search", "tool")
    assert (event["source"], event["toolName"], event["durationMs"]) == ("mcp", "search", 12)
    assert (event["sessionId"], event["costMicrodollars"]) == ("s", 700)
    mcp.send("/v1/mcp/events", {"events": [report(reservation)]})
    assert mcp.spent == 700, "a reservation is settled once"


def test_a_reservation_lapses_after_30_seconds_and_a_late_report_still_charges(mcp: Mcp) -> None:
    mcp.budget(1500)
    reservation = mcp.send("/v1/mcp/budget/check", TOOL).json["reservationId"]
    assert mcp.send("/v1/mcp/budget/check", TOOL).status == 429
    mcp.daemon.call("POST", "/_local/clock", {"advanceMs": 30_000}, auth="admin")
    assert mcp.send("/v1/mcp/budget/check", {**TOOL, "estimateMicrodollars": 1}).status == 200
    mcp.send("/v1/mcp/events", {"events": [report(reservation, cost=900)]})
    assert mcp.spent == 900


def test_without_a_budget_nothing_is_reserved(mcp: Mcp) -> None:
    assert mcp.send("/v1/mcp/budget/check", TOOL).json["reservationId"] is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/mcp/budget/check", {**TOOL, "toolName": ""}),
        ("/v1/mcp/budget/check", {**TOOL, "estimateMicrodollars": -1}),
        ("/v1/mcp/budget/check", {**TOOL, "estimateMicrodollars": "5"}),
        ("/v1/mcp/budget/check", {"toolName": "a"}),
        ("/v1/mcp/events", {"events": []}),
        ("/v1/mcp/events", {"events": [report()] * 51}),
        ("/v1/mcp/events", {"events": [report(), report(cost=-1)]}),
    ],
)
def test_a_bad_body_is_a_bad_request_as_a_whole(mcp: Mcp, path: str, body: Any) -> None:
    reply = mcp.send(path, body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "bad_request")
    assert mcp.events == []


def test_the_policy_subtracts_what_is_held(mcp: Mcp) -> None:
    mcp.budget(1500)
    mcp.send("/v1/mcp/budget/check", TOOL)
    reply = mcp.daemon.call("GET", "/v1/policy", auth=None, headers=mcp.headers)
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.json["budget"]["remaining_microdollars"] == 500
    assert reply.json["budget"]["entity_id"] == mcp.key_id
    assert reply.json["restrictions_active"] is False
    own = mcp.daemon.call("GET", "/api/policy", auth=None, headers=mcp.headers).json
    assert own["budget"]["remaining_microdollars"] == 1500
    assert own.keys() == reply.json.keys()


def test_health_needs_no_key(proxy: Daemon) -> None:
    for path in ("/health", "/health/ready"):
        reply = proxy.call("GET", path, auth=None)
        assert (reply.status, reply.json) == (200, {"status": "ok", "service": "nullspend-proxy"})


def test_metrics_tell_how_long_calls_took(start: StartDaemon, provider: Upstream) -> None:
    provider.answers(completion())
    daemon = start("--upstream", f"openai={provider.url}", "--test-clock")
    empty = daemon.call("GET", "/health/metrics", auth=None)
    zero = {"p50": 0, "p95": 0, "p99": 0}
    measured = empty.json.pop("measured_at")
    assert measured.endswith("Z")
    assert {**empty.json, "measured_at": None} == {
        "overhead_ms": zero,
        "upstream_ms": zero,
        "total_ms": zero,
        "ttfb_ms": zero,
        "request_count": 0,
        "window_seconds": 300,
        "measured_at": None,
    }
    assert (empty.headers["cache-control"], empty.headers["vary"]) == ("public, max-age=60", "Accept")
    for _ in range(3):
        daemon.call("POST", "/v1/chat/completions", CHAT, auth="key")
    assert daemon.call("GET", "/health/metrics?model=gpt-4o", auth=None).json["request_count"] == 3
    assert daemon.call("GET", "/health/metrics?provider=anthropic", auth=None).json["request_count"] == 0
    assert daemon.call("GET", "/health/metrics?model=a%20b", auth=None).json["error"]["code"] == "bad_request"
    text = daemon.call("GET", "/health/metrics", auth=None, headers={"Accept": "text/plain"})
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = text.body.decode().split("\n")
    assert lines[1] == "# TYPE nullspend_proxy_overhead_ms summary"
    assert lines[2].startswith('nullspend_proxy_overhead_ms{quantile="0.5"} ')
    assert lines[5:7] == ["nullspend_proxy_overhead_ms_count 3", ""]
    assert lines[-4:] == [lines[-4], "nullspend_ttfb_ms_count 0", "", ""]
    daemon.call("POST", "/_local/clock", {"advanceMs": 301_000}, auth="admin")
    assert daemon.call("GET", "/health/metrics", auth=None).json["request_count"] == 0


def test_a_background_reply_is_charged_its_hold_and_corrected_once(mcp: Mcp, provider: Upstream) -> None:
    mcp.budget(10**9)
    queued = {"id": "resp_1", "object": "response", "status": "queued", "model": "gpt-4o", "usage": None, "output": []}
    usage = {"input_tokens": 1000, "output_tokens": 500, "input_tokens_details": {"cached_tokens": 200}}
    done = {**queued, "status": "completed", "usage": usage}

    async def answers(seen: Seen, out: Out) -> None:
        await out.whole(done if seen.method == "GET" or seen.target.endswith("/cancel") else queued)

    provider.script = answers
    asked = {"model": "gpt-4o", "input": "hi", "background": True, "max_output_tokens": 100}
    assert mcp.send("/v1/responses", asked).json["status"] == "queued"
    event = mcp.events[0]
    held = event["estimatedCostMicrodollars"]
    assert (event["costMicrodollars"], mcp.spent) == (held, held)
    assert event["tags"]["_ns_estimated"] == event["tags"]["_ns_no_usage"] == "true"
    for _ in range(2):
        path = "/v1/responses/resp_1"
        assert mcp.daemon.call("GET", path, auth=None, headers=mcp.headers).json == done
        mcp.send(f"{path}/cancel", {})
    (event,) = mcp.events
    assert (event["costMicrodollars"], event["inputTokens"], event["outputTokens"]) == (7250, 1000, 500)
    assert (event["stopReason"], "_ns_estimated" in event["tags"], mcp.spent) == ("completed", False, 7250)
    assert event["costBreakdown"] == {"input": 2000, "output": 5000, "cached": 250}
