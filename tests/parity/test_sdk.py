"""The unmodified NullSpend SDK against a real daemon, synchronous and asynchronous."""

import asyncio
import http.client
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nullspend
    from nullspend import AsyncNullSpend, CostEventInput, NullSpend

from tests.machine import Daemon


def event(**more: Any) -> Any:
    return CostEventInput(
        provider="openai", model="gpt-4o", input_tokens=10, output_tokens=20, cost_microdollars=300, **more
    )


@pytest.fixture
def sdk(daemon: Daemon) -> Iterator[NullSpend]:
    client = NullSpend(base_url=daemon.url, api_key=daemon.key)
    yield client
    client.close()


def found(daemon: Daemon, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return daemon.call("GET", f"/api/cost-events?limit=100&{query}", auth="key").json["data"]


def test_report_cost_stores_the_event_with_its_parts(sdk: NullSpend, daemon: Daemon) -> None:
    reply = sdk.report_cost(event(session_id="sdk-one", tags={"team": "x"}, source="sdk"))
    assert reply["data"]["id"].startswith("ns_evt_")
    (stored,) = found(daemon, sessionId="sdk-one")
    assert (stored["costMicrodollars"], stored["tags"], stored["source"]) == (300, {"team": "x"}, "sdk")


def test_report_cost_batch_stores_them_all(sdk: NullSpend, daemon: Daemon) -> None:
    reply = sdk.report_cost_batch([event(session_id="sdk-batch") for _ in range(3)])
    assert (reply["inserted"], len(reply["ids"])) == (3, 3)
    assert len(found(daemon, sessionId="sdk-batch")) == 3


def test_queued_costs_arrive_with_flush(daemon: Daemon) -> None:
    client = NullSpend(base_url=daemon.url, api_key=daemon.key, cost_reporting=nullspend.CostReportingConfig())
    for _ in range(25):
        client.queue_cost(event(session_id="sdk-queue"))
    client.flush()
    assert len(found(daemon, sessionId="sdk-queue")) == 25
    client.shutdown()
    client.close()


def test_a_tracked_tool_reports_what_it_costs(sdk: NullSpend, daemon: Daemon) -> None:
    @sdk.track_tool(cost=0.25, tool_name="sdk-search")
    def search(query: str) -> str:
        return query.upper()

    assert search("x") == "X"
    (stored,) = [each for each in found(daemon, provider="tool") if each["toolName"] == "sdk-search"]
    assert (stored["costMicrodollars"], stored["eventType"], stored["durationMs"] is not None) == (
        250_000,
        "tool",
        True,
    )


def test_budgets_are_checked_and_listed(sdk: NullSpend, daemon: Daemon) -> None:
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    body = {"entityType": "api_key", "entityId": key_id, "maxBudgetMicrodollars": 5_000_000}
    daemon.call("POST", "/api/budgets", body)
    status = sdk.check_budget()
    (entity,) = [each for each in status.entities if each.entity_type == "api_key"]
    assert (entity.entity_id, entity.limit_microdollars, entity.policy) == (key_id, 5_000_000, "strict_block")
    assert entity.remaining_microdollars == max(0, 5_000_000 - entity.spend_microdollars)
    assert key_id in [budget.entity_id for budget in sdk.list_budgets().data]


def test_events_are_listed_page_by_page(daemon: Daemon) -> None:
    made = daemon.call("POST", "/api/keys", {"name": "pages"}).json["rawKey"]
    client = NullSpend(base_url=daemon.url, api_key=made)
    wanted = set(client.report_cost_batch([event() for _ in range(12)])["ids"])
    seen: list[str] = []
    cursor = None
    while True:
        page = client.list_cost_events(nullspend.ListCostEventsOptions(limit=5, cursor=cursor))
        seen += [each.id for each in page.data]
        cursor = page.cursor
        if cursor is None:
            break
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))
    client.close()


def test_the_summary_reads_back(sdk: NullSpend) -> None:
    sdk.report_cost(event())
    summary = sdk.get_cost_summary("7d")
    assert summary.totals["totalCostMicrodollars"] >= 300


def test_a_wrong_key_is_an_error_with_the_servers_code(daemon: Daemon) -> None:
    client = NullSpend(base_url=daemon.url, api_key="ns_live_sk_" + "0" * 32)
    with pytest.raises(nullspend.NullSpendError) as failure:
        client.report_cost(event())
    assert (failure.value.status_code, failure.value.code) == (401, "authentication_required")
    client.close()


def test_the_async_client_reports_checks_and_lists(daemon: Daemon) -> None:
    async def use() -> tuple[Any, Any, Any, Any]:
        async with AsyncNullSpend(base_url=daemon.url, api_key=daemon.key) as client:
            one = await client.report_cost(event(session_id="sdk-async"))
            many = await client.report_cost_batch([event(session_id="sdk-async") for _ in range(2)])
            listed = await client.list_cost_events(nullspend.ListCostEventsOptions(limit=2))
            return one, many, listed, await client.check_budget()

    one, many, listed, status = asyncio.run(use())
    assert one["data"]["id"].startswith("ns_evt_")
    assert many["inserted"] == 2
    assert len(listed.data) == 2
    assert isinstance(status.entities, list)
    assert len(found(daemon, sessionId="sdk-async")) == 3


class _Flaky(BaseHTTPRequestHandler):
    """Forwards every request, but answers the first of each kind with 503 although it was carried out."""

    upstream = ""
    seen: ClassVar[set[tuple[str, str]]] = set()
    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        connection = http.client.HTTPConnection(self.upstream, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        connection.request("POST", self.path, body, headers)
        reply = connection.getresponse()
        content, status = reply.read(), reply.status
        connection.close()
        _Flaky.keys.append(self.headers["Idempotency-Key"])
        first = (self.path, self.headers["Idempotency-Key"]) not in _Flaky.seen
        _Flaky.seen.add((self.path, self.headers["Idempotency-Key"]))
        self.send_response(503 if first else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def flaky(daemon: Daemon) -> Iterator[str]:
    _Flaky.upstream = urlsplit(daemon.url).netloc
    _Flaky.seen, _Flaky.keys = set(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_retry_after_a_lost_reply_has_one_effect(daemon: Daemon, flaky: str) -> None:
    client = NullSpend(base_url=flaky, api_key=daemon.key, retry_base_delay_s=0.01)
    client.report_cost(event(session_id="sdk-retry"))
    client.report_cost_batch([event(session_id="sdk-retry") for _ in range(3)])
    client.close()
    assert len(_Flaky.keys) == 4
    assert len(set(_Flaky.keys)) == 2, "the SDK repeats its own key"
    assert len(found(daemon, sessionId="sdk-retry")) == 4
