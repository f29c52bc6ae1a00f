"""Rate limits and plans: what the figures are, what the headers say, and how they let go again."""

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon

EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 1}


def advance(daemon: Daemon, ms: int) -> None:
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def test_a_keys_replies_carry_its_limit_on_success_and_on_error(daemon: Daemon) -> None:
    made = daemon.call("POST", "/api/keys", {"name": "counted"}).json["rawKey"]
    headers = {"X-NullSpend-Key": made}
    first = daemon.call("GET", "/api/budgets", auth=None, headers=headers)
    second = daemon.call("POST", "/api/cost-events", {}, auth=None, headers=headers)
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("100000", "99999")
    assert (second.status, second.headers["x-ratelimit-remaining"]) == (400, "99998")
    assert 1_700_000_000_000 < int(first.headers["x-ratelimit-reset"]) < 10_000_000_000_000


def test_a_session_is_not_counted(daemon: Daemon) -> None:
    assert "x-ratelimit-limit" not in daemon.call("GET", "/api/budgets").headers


def test_the_request_over_the_limit_waits_until_the_oldest_leaves_the_window(start: StartDaemon) -> None:
    daemon = start("--rate-limit", "3", "--test-clock")
    assert [daemon.call("GET", "/api/budgets", auth="key").status for _ in range(4)] == [200, 200, 200, 429]
    refused = daemon.call("GET", "/api/budgets", auth="key")
    assert refused.json["error"] == {
        "code": "rate_limit_exceeded",
        "message": refused.json["error"]["message"],
        "details": None,
    }
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
    advance(daemon, 50_000)
    assert daemon.call("GET", "/api/budgets", auth="key").status == 429
    advance(daemon, 10_100)
    assert daemon.call("GET", "/api/budgets", auth="key").status == 200


def test_each_key_has_a_window_of_its_own_and_unknown_keys_are_not_counted(start: StartDaemon) -> None:
    daemon = start("--rate-limit", "2")
    other = {"X-NullSpend-Key": daemon.call("POST", "/api/keys", {"name": "o"}).json["rawKey"]}
    unknown = {"X-NullSpend-Key": "ns_live_sk_" + "0" * 32}
    assert [daemon.call("GET", "/api/budgets", auth=None, headers=unknown).status for _ in range(5)] == [401] * 5
    assert [daemon.call("GET", "/api/budgets", auth="key").status for _ in range(3)] == [200, 200, 429]
    assert daemon.call("GET", "/api/budgets", auth=None, headers=other).status == 200


def test_hosted_allows_100_requests_a_minute_from_an_address(start: StartDaemon) -> None:
    daemon = start("--hosted")
    statuses = [daemon.call("GET", "/api/health", auth=None).status for _ in range(101)]
    assert statuses == [200] * 100 + [429]
    refused = daemon.call("GET", "/api/health", auth=None)
    assert refused.json["error"]["code"] == "rate_limit_exceeded"
    assert {"retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= refused.headers.keys()
    assert daemon.call("GET", "/_local/info", auth=None).status == 200, "the control plane is not counted"


def test_behind_a_trusted_proxy_the_reported_address_is_counted(start: StartDaemon) -> None:
    daemon = start("--hosted", "--trust-proxy")
    one, two = {"X-Forwarded-For": "203.0.113.1, 10.0.0.1"}, {"X-Real-IP": "203.0.113.2"}
    assert [daemon.call("GET", "/api/health", auth=None, headers=one).status for _ in range(101)][-1] == 429
    assert daemon.call("GET", "/api/health", auth=None, headers=two).status == 200


def budget(daemon: Daemon, customer: str, amount: int = 1_000_000) -> tuple[int, str | None]:
    body = {"entityType": "customer", "entityId": customer, "maxBudgetMicrodollars": amount}
    reply = daemon.call("POST", "/api/budgets", body)
    return reply.status, None if reply.status < 400 else reply.json["error"]["code"]


def test_without_a_subscription_a_local_daemon_has_no_limits(daemon: Daemon) -> None:
    assert [budget(daemon, f"many{number}")[0] for number in range(5)] == [201] * 5
    assert budget(daemon, "rich", 9_007_199_254_740_991) == (201, None)


def test_the_free_plan_allows_3_budgets_10_keys_and_5000_dollars(start: StartDaemon) -> None:
    daemon = start()
    assert daemon.call("POST", "/_local/plan", {"tier": "free"}, auth="admin").json["data"]["tier"] == "free"
    assert [budget(daemon, f"c{number}") for number in range(4)] == [(201, None)] * 3 + [(409, "limit_exceeded")]
    assert budget(daemon, "c0", 5_000_000_000) == (201, None), "an existing budget is not counted again"
    assert budget(daemon, "c0", 5_000_000_001) == (400, "spend_cap_exceeded")
    made = [daemon.call("POST", "/api/keys", {"name": f"k{number}"}).status for number in range(10)]
    assert made == [201] * 9 + [409], "the key `default` is the tenth"


def test_a_revoked_key_does_not_count(start: StartDaemon) -> None:
    daemon = start()
    daemon.call("POST", "/_local/plan", {"tier": "free"}, auth="admin")
    keys = [daemon.call("POST", "/api/keys", {"name": "k"}).json["id"] for _ in range(9)]
    assert daemon.call("POST", "/api/keys", {"name": "k"}).status == 409
    daemon.call("DELETE", f"/api/keys/{keys[0]}")
    assert daemon.call("POST", "/api/keys", {"name": "k"}).status == 201


@pytest.mark.parametrize(
    ("tier", "status", "largest"),
    [
        ("pro", "active", 50_000_000_000),
        ("pro", "past_due", 50_000_000_000),
        ("pro", "canceled", 5_000_000_000),
        ("enterprise", "active", 9_007_199_254_740_991),
        ("enterprise", "unpaid", 5_000_000_000),
    ],
)
def test_a_plan_counts_while_it_is_paid_for(daemon: Daemon, tier: str, status: str, largest: int) -> None:
    daemon.call("POST", "/_local/plan", {"tier": tier, "status": status}, auth="admin")
    try:
        for each in daemon.call("GET", "/api/budgets").json["data"]:
            daemon.call("DELETE", f"/api/budgets/{each['id']}")
        assert budget(daemon, "largest", largest) == (201, None)
        if largest < 9_007_199_254_740_991:
            assert budget(daemon, "largest", largest + 1) == (400, "spend_cap_exceeded")
    finally:
        assert daemon.call("POST", "/_local/plan", {"tier": None}, auth="admin").json == {"data": None}


def test_hosted_without_a_subscription_is_the_free_plan(start: StartDaemon) -> None:
    daemon = start("--hosted")
    assert budget(daemon, "x", 5_000_000_001) == (400, "spend_cap_exceeded")


def test_a_downgrade_deletes_nothing_and_refuses_more(start: StartDaemon) -> None:
    daemon = start()
    for number in range(5):
        budget(daemon, f"c{number}")
    daemon.call("POST", "/_local/plan", {"tier": "free"}, auth="admin")
    assert len(daemon.call("GET", "/api/budgets").json["data"]) == 5
    assert budget(daemon, "c9") == (409, "limit_exceeded")
    assert budget(daemon, "c1", 2) == (201, None)
