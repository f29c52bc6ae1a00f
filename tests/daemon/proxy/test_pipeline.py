"""One call through the proxy: what the provider gets, what the client gets back, and the event that remains."""

from typing import Any

import pytest

from tests.daemon.proxy.conftest import CHAT, MESSAGE, chunks, completion
from tests.fakes.upstream import Out, Seen, Upstream
from tests.machine import Daemon, Reply

TRACE = "0af7651916cd43dd8448eb211c80319c"
PROVIDER_KEY = {"Authorization": "Bearer sk-provider-key"}


def call(daemon: Daemon, body: Any = CHAT, path: str = "/v1/chat/completions", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.call("POST", path, body, auth="key", headers={**PROVIDER_KEY, **named})


def newest(daemon: Daemon) -> dict[str, Any]:
    return daemon.call("GET", "/api/cost-events?limit=1", auth="key").json["data"][0]


def count(daemon: Daemon) -> int:
    return len(daemon.call("GET", "/api/cost-events?limit=100", auth="key").json["data"])


def test_a_call_is_passed_on_and_becomes_an_event_at_its_cost(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion(), headers=[("x-request-id", "req-first"), ("x-ratelimit-remaining-requests", "99")])
    reply = call(proxy, X_NullSpend_Tags='{"team":"search"}', X_NullSpend_Session="s-1")
    assert (reply.status, reply.json) == (200, completion())
    event = newest(proxy)
    assert (event["requestId"], event["provider"], event["model"]) == ("req-first", "openai", "gpt-4o")
    assert (event["inputTokens"], event["outputTokens"], event["cachedInputTokens"]) == (1000, 500, 200)
    assert event["costMicrodollars"] == 7250
    assert event["costBreakdown"] == {"input": 2000, "output": 5000, "cached": 250}
    assert (event["source"], event["eventType"], event["stopReason"]) == ("proxy", "llm", "stop")
    assert (event["sessionId"], event["budgetStatus"]) == ("s-1", "skipped")
    assert event["tags"] == {
        "team": "search",
        "_ns_max_tokens": "100",
        "_ns_ratelimit_remaining_requests": "99",
    }


def test_the_provider_gets_the_same_bytes_and_only_its_own_headers(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    raw = b'{"model": "gpt-4o",\n "messages":[], "unknown":{"a":1.50}, "max_tokens":5}'
    call(
        proxy,
        raw,
        "/v1/chat/completions?beta=true",
        OpenAI_Organization="org-x",
        X_Stainless_Lang="python",
        User_Agent="agent/1",
        Cookie="secret=1",
        X_NullSpend_Customer="acme",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    seen = provider.seen[-1]
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/chat/completions?beta=true", raw)
    sent = {name: value for name, value in seen.headers.items() if name not in ("host", "content-length")}
    assert sent == {
        "authorization": "Bearer sk-provider-key",
        "openai-organization": "org-x",
        "x-stainless-lang": "python",
        "user-agent": "agent/1",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }


def test_a_stream_is_asked_for_its_usage_and_passed_on_as_it_came(proxy: Daemon, provider: Upstream) -> None:
    provider.streams(chunks(), headers=[("x-request-id", "req-stream")])
    reply = call(proxy, {**CHAT, "stream": True, "stream_options": {"include_usage": False, "other": 1}})
    assert (reply.status, reply.body) == (200, b"".join(chunks()))
    assert provider.seen[-1].json["stream_options"] == {"include_usage": True, "other": 1}
    headers = reply.headers
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
    assert headers["server-timing"].split(",")[3].startswith("ttfb;dur=")
    event = newest(proxy)
    assert (event["inputTokens"], event["outputTokens"], event["costMicrodollars"]) == (1000, 500, 7500)
    assert (event["requestId"], event["stopReason"]) == ("req-stream", "stop")


def test_anthropic_calls_go_to_their_own_provider_with_a_version(proxy: Daemon, provider: Upstream) -> None:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 100}
    content = [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]
    message = {"id": "msg_1", "model": "claude-sonnet-4-5-20250929", "stop_reason": "tool_use", "content": content}
    provider.answers({**message, "usage": usage}, headers=[("request-id", "req_anthropic")])
    reply = proxy.call("POST", "/v1/messages", MESSAGE, auth="key", headers={"x-api-key": "sk-ant-key"})
    assert reply.headers["request-id"] == reply.headers["x-request-id"] == "req_anthropic"
    seen = provider.seen[-1]
    assert (seen.target, seen.headers["x-api-key"]) == ("/v1/messages", "sk-ant-key")
    assert seen.headers["anthropic-version"] == "2023-06-01"
    event = newest(proxy)
    assert (event["provider"], event["costMicrodollars"]) == ("anthropic", 1515)
    assert (event["requestId"], event["stopReason"]) == ("req_anthropic", "tool_use")


def test_a_model_nobody_knows_costs_the_estimate_and_says_so(proxy: Daemon, provider: Upstream) -> None:
    provider.answers({**completion(), "model": "also-unknown"})
    call(proxy, {**CHAT, "model": "unheard-of"})
    event = newest(proxy)
    assert (event["model"], event["costMicrodollars"], event["costBreakdown"]) == ("unheard-of", 1_000_000, None)
    assert event["tags"]["_ns_unpriced"] == event["tags"]["_ns_estimated"] == "true"


def test_a_model_known_by_the_name_the_reply_gives_has_that_price(proxy: Daemon, provider: Upstream) -> None:
    provider.answers({**completion(), "model": "gpt-4o"})
    call(proxy, {**CHAT, "model": "my-alias"})
    event = newest(proxy)
    assert (event["model"], event["costMicrodollars"]) == ("gpt-4o", 7250)
    assert "_ns_unpriced" not in event["tags"]


@pytest.mark.parametrize("body", [{"id": "x"}, b"no json at all", b""])
def test_a_reply_without_usage_is_charged_its_hold(proxy: Daemon, provider: Upstream, body: Any) -> None:
    provider.answers(body)
    assert call(proxy).status == 200
    event = newest(proxy)
    assert (event["costMicrodollars"], event["inputTokens"]) == (1161, 0), "(22 x 2.5 + 100 x 10) x 1.1"
    assert event["costMicrodollars"] == event["estimatedCostMicrodollars"]
    assert event["tags"]["_ns_estimated"] == event["tags"]["_ns_no_usage"] == "true"


def test_what_the_provider_refuses_costs_nothing_and_leaves_no_event(proxy: Daemon, provider: Upstream) -> None:
    before = count(proxy)
    told = {"error": {"type": "invalid_request_error", "code": "bad", "message": "key sk-abcdef of me@example.com"}}
    provider.answers(told, 400, headers=[("x-request-id", "req-no"), ("retry-after", "7")])
    reply = call(proxy)
    assert (reply.status, reply.headers["retry-after"], reply.headers["x-request-id"]) == (400, "7", "req-no")
    error = {"type": "invalid_request_error", "message": "key sk-*** of ***@***", "code": "bad"}
    assert reply.json == {"error": error}
    assert count(proxy) == before
    assert proxy.call("GET", "/health/metrics", auth=None).json["request_count"] > 0


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (403, "permission_error"), (500, "upstream_error")]
)
def test_a_refusal_reads_as_the_providers_own_without_its_words(
    proxy: Daemon, provider: Upstream, status: int, kind: str
) -> None:
    provider.answers({"error": {"type": "t", "message": "internal: 10.0.0.1"}}, status)
    for path, body in (("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGE)):
        reply = call(proxy, body, path)
        assert (reply.status, reply.json["error"]["type"]) == (status, kind)
        assert "10.0.0.1" not in reply.body.decode()
        assert reply.json.get("type") == ("error" if path == "/v1/messages" else None)


def test_a_redirect_is_never_followed(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(b"", 307, headers=[("Location", provider.url + "/elsewhere")])
    asked = len(provider.seen)
    reply = call(proxy)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")
    assert len(provider.seen) == asked + 1


def test_a_repeated_request_id_is_kept_under_another(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion(), headers=[("x-request-id", "req-twice")])
    call(proxy)
    call(proxy, X_NullSpend_Trace_Id=TRACE)
    assert newest(proxy)["requestId"] == f"req-twice#{TRACE}"


def test_compressed_replies_are_read_and_passed_on_compressed(proxy: Daemon, provider: Upstream) -> None:
    import gzip
    import json

    packed = gzip.compress(json.dumps(completion()).encode())
    provider.answers(packed, headers=[("Content-Encoding", "gzip")])
    reply = call(proxy, Accept_Encoding="br, gzip;q=0.5, zstd")
    assert provider.seen[-1].headers["accept-encoding"] == "gzip;q=0.5"
    assert (reply.body, reply.headers["content-encoding"]) == (packed, "gzip")
    assert newest(proxy)["costMicrodollars"] == 7250


def test_what_costs_nothing_is_passed_on_without_an_event(proxy: Daemon, provider: Upstream) -> None:
    before = count(proxy)
    provider.answers({"data": []})
    assert proxy.call("GET", "/v1/models?limit=5", auth="key").json == {"data": []}
    assert provider.seen[-1].target == "/v1/models?limit=5"
    proxy.call("GET", "/v1/models/org/model", auth="key", headers={"anthropic-version": "2023-06-01"})
    assert provider.seen[-1].target == "/v1/models/org/model"
    provider.answers({"input_tokens": 12})
    assert call(proxy, MESSAGE, "/v1/messages/count_tokens").json == {"input_tokens": 12}
    assert count(proxy) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/images/generations"),
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/responses/resp_1"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("GET", "/v1/models/../responses/x"),
        ("GET", "/v1/models/%2e%2e/x"),
        ("POST", "/internal/anything"),
        ("POST", "/health"),
    ],
)
def test_no_other_route_is_served(proxy: Daemon, provider: Upstream, method: str, path: str) -> None:
    asked = len(provider.seen)
    reply = proxy.call(method, path, {} if method == "POST" else None, auth="key")
    assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
    assert len(provider.seen) == asked


def test_the_key_may_stand_in_the_path_and_is_never_shown(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    reply = proxy.call("POST", f"/k/{proxy.key}/v1/chat/completions", CHAT, auth=None)
    assert reply.status == 200
    assert provider.seen[-1].target == "/v1/chat/completions"
    missing = proxy.call("POST", f"/k/{proxy.key}/v1/nothing", CHAT, auth=None)
    assert (missing.status, missing.json["error"]["message"]) == (404, "There is no POST /k/***/v1/nothing.")
    assert proxy.call("GET", f"/k/{proxy.key}/api/keys", auth=None).status == 404
    empty = {"X-NullSpend-Key": ""}
    assert proxy.call("POST", f"/k/{proxy.key}/v1/chat/completions", CHAT, auth=None, headers=empty).status == 401
    assert proxy.key not in (proxy.machine.home / "daemon.stderr").read_text()


def test_an_unknown_key_is_unauthorized_in_the_proxys_words(proxy: Daemon) -> None:
    for headers in ({}, {"X-NullSpend-Key": "ns_live_sk_" + "0" * 32}, {"Authorization": f"Bearer {proxy.key}"}):
        reply = proxy.call("POST", "/v1/chat/completions", CHAT, auth=None, headers=headers)
        assert (reply.status, reply.json["error"]["code"]) == (401, "unauthorized")
        assert len(reply.headers["x-nullspend-trace-id"]) == 32


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"model":NaN}', b"[" * 100_000])
def test_what_is_no_object_is_a_bad_request(proxy: Daemon, provider: Upstream, body: bytes) -> None:
    asked = len(provider.seen)
    reply = call(proxy, body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "bad_request")
    assert len(provider.seen) == asked


def test_half_a_surrogate_pair_is_passed_on(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    raw = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"\\ud83d"}]}'
    assert call(proxy, raw).status == 200
    assert provider.seen[-1].json["messages"] == [{"role": "user", "content": "\ud83d"}]


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        (
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "0af7651916cd43dd8448eb211c80319c",
        ),
        ({"X-NullSpend-Trace-Id": "a" * 32}, "a" * 32),
        ({"X-NullSpend-TraceId": "b" * 32}, "b" * 32),
        ({"traceparent": f"ff-{TRACE}-b7ad6b7169203331-01"}, None),
        ({"X-NullSpend-Trace-Id": "0" * 32}, None),
        ({"X-NullSpend-Trace-Id": "A" * 32}, None),
    ],
)
def test_a_trace_is_taken_from_the_headers_or_made(proxy: Daemon, headers: dict[str, str], trace: str | None) -> None:
    shown = proxy.call("GET", "/health", auth=None, headers=headers).headers["x-nullspend-trace-id"]
    assert shown == trace if trace else (len(shown) == 32 and shown not in str(headers).lower())


def test_tags_customer_and_session_are_read_kindly(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    tags = '{"a":"1","_ns_x":"no","bad key":"no","n":5,"' + "k" * 65 + '":"no","b":"2"}'
    reply = call(proxy, X_NullSpend_Tags=tags, X_NullSpend_Customer=" acme ", X_NullSpend_Session=" s ")
    assert reply.headers["x-nullspend-effective-tags"] == '{"a":"1","b":"2","customer":"acme"}'
    assert reply.headers["x-nullspend-session"] == "s"
    event = newest(proxy)
    assert (event["customerId"], event["sessionId"]) == ("acme", "s")
    warned = call(proxy, X_NullSpend_Customer="not valid!", X_NullSpend_Tags="{")
    assert (warned.status, warned.headers["x-nullspend-warning"]) == (200, "invalid_customer")
    assert "x-nullspend-effective-tags" not in warned.headers
    assert call(proxy, X_NullSpend_Session="s" * 257).json["error"]["code"] == "bad_request"


def test_upstreams_are_names_or_allowed_urls(proxy: Daemon, provider: Upstream) -> None:
    provider.answers(completion())
    assert call(proxy, X_NullSpend_Upstream="OpenAI").status == 200
    assert call(proxy, X_NullSpend_Upstream=f"{provider.url}/").status == 200
    for wanted in ("https://evil.example", "nothing", "https://api.openai.com.evil.example"):
        reply = call(proxy, X_NullSpend_Upstream=wanted)
        assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_upstream")


def test_a_call_to_a_fake_model_never_leaves_the_machine(proxy: Daemon, provider: Upstream) -> None:
    asked = len(provider.seen)
    reply = call(proxy, {**CHAT, "model": "fake/gpt", "fake": {"outputTokens": 40}})
    assert (reply.status, reply.json["usage"]["completion_tokens"], len(provider.seen)) == (200, 40, asked)


def test_a_body_over_the_cap_is_refused(start: Any, provider: Upstream) -> None:
    daemon = start("--upstream", f"openai={provider.url}", "--max-body", "1k")
    provider.answers(completion())
    large = {**CHAT, "user": "x" * 1024}
    assert (call(daemon).status, call(daemon, large).json["error"]["code"]) == (200, "payload_too_large")


def test_the_provider_may_answer_before_it_has_read_everything(proxy: Daemon, provider: Upstream) -> None:
    async def early(seen: Seen, out: Out) -> None:
        await out.whole({"error": {"message": "too many"}}, 429, [("x-should-retry", "true"), ("Connection", "close")])

    provider.script = early
    reply = call(proxy)
    assert (reply.status, reply.headers["x-should-retry"]) == (429, "true")
    assert "x-nullspend-denied" not in reply.headers
