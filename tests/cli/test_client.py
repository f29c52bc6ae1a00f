"""The command against a server that answers as the hosted service does, and as failing servers do."""

import json

import pytest

from nullspend_cli.main import tree
from nullspend_cli.tree import exists, root_of
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Machine

UUID = "019a0000-0000-7000-8000-000000000001"
KEY = {"name": "ci", "keyPrefix": "ns_live_sk_00000000", "createdAt": "2026-04-01T00:00:00.000Z"}


def refusal(status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Scripted:
    return Scripted(status, {"error": {"code": code, "message": message, "details": None}}, headers)


def test_session_endpoints_get_the_cookie_key_endpoints_the_key(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/keys", {"data": [], "cursor": None})
    server.answer("GET", "/api/policy", {"budget": None})
    server.answer("GET", "/api/cost-events", {"data": [], "cursor": None})
    for command in (("keys", "list"), ("policy", "get"), ("events", "list")):
        assert elsewhere.run(*command).code == 0
    keys, policy, events = server.asked
    assert keys.headers["cookie"] == events.headers["cookie"] == "sb-auth=first; ns-active-org=one"
    assert "x-nullspend-key" not in keys.headers and "x-nullspend-key" not in events.headers
    assert policy.headers["x-nullspend-key"] == elsewhere.more["NULLSPEND_API_KEY"]
    assert "cookie" not in policy.headers
    assert keys.headers["nullspend-version"] == "2026-04-01"
    assert "origin" not in keys.headers


def test_an_endpoint_for_either_gets_the_key_when_there_is_no_session(elsewhere: Machine, server: FakeServer) -> None:
    del elsewhere.more["NULLSPEND_SESSION"]
    server.answer("GET", "/api/cost-events", {"data": [], "cursor": None})
    assert elsewhere.run("events", "list").code == 0
    assert server.asked[0].headers["x-nullspend-key"] == elsewhere.more["NULLSPEND_API_KEY"]


def test_without_a_session_the_command_says_how_to_sign_in(elsewhere: Machine, server: FakeServer) -> None:
    del elsewhere.more["NULLSPEND_SESSION"]
    result = elsewhere.run("keys", "list")
    assert (result.code, server.asked) == (4, [])
    assert result.err == (
        f"error: This needs a session, and for {server.url} (context environment) there is only an API key.\n"
        f"next: Set NULLSPEND_SESSION for {server.url}.\n"
    )


def test_a_session_that_has_run_out_says_how_to_renew_it(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/keys", refusal(401, "authentication_required", "Auth session missing!"))
    result = elsewhere.run("keys", "list")
    assert result.code == 4
    assert result.err == (
        "error: session expired: paste a new cookie with nullspend auth login --session\n"
        f"next: Set NULLSPEND_SESSION for {server.url}.\n"
    )


def test_bare_ids_are_shown_with_their_prefix_and_wrapped_or_bare_replies_are_the_same(
    elsewhere: Machine, server: FakeServer
) -> None:
    server.answer("GET", "/api/keys", {"data": [{"id": UUID, **KEY}], "cursor": None})
    server.answer("PATCH", f"/api/keys/ns_key_{UUID}", {"data": {"id": UUID, **KEY}}, {"id": UUID, **KEY})
    wrapped = elsewhere.run("keys", "update", "ci", "--name", "ci", "--json")
    bare = elsewhere.run("keys", "update", "ci", "--name", "ci", "--json")
    assert wrapped.json == bare.json == {"id": f"ns_key_{UUID}", **KEY}


def test_ids_of_events_and_budgets_carry_the_prefix_of_what_they_name(elsewhere: Machine, server: FakeServer) -> None:
    budget = {
        "id": UUID,
        "entityType": "api_key",
        "entityId": UUID,
        "maxBudgetMicrodollars": 5,
        "spendMicrodollars": 0,
        "policy": "warn",
    }
    server.answer("GET", "/api/budgets", {"data": [budget]})
    (shown,) = elsewhere.run("budgets", "list", "--json").json
    assert (shown["id"], shown["entityId"]) == (f"ns_bgt_{UUID}", f"ns_key_{UUID}")


def test_all_pages_are_read_and_limit_stops_between_them(elsewhere: Machine, server: FakeServer) -> None:
    first = [{"id": UUID, **KEY, "name": f"k{n}"} for n in range(100)]
    cursor = {"createdAt": "2026-04-01T00:00:00.000Z", "id": f"ns_key_{UUID}"}
    pages = [{"data": first, "cursor": cursor}, {"data": [{"id": UUID, **KEY, "name": "last"}], "cursor": None}]
    server.answer("GET", "/api/keys", *pages)
    names = [key["name"] for key in elsewhere.run("keys", "list", "--limit", "0", "--json").json]
    assert (len(names), names[-1]) == (101, "last")
    assert json.loads(server.asked[1].query["cursor"]) == cursor
    server.answer("GET", "/api/keys", pages[0])
    server.asked.clear()
    assert len(elsewhere.run("keys", "list", "--limit", "7", "-q").out.splitlines()) == 7
    assert [asked.query["limit"] for asked in server.asked] == ["7"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(elsewhere: Machine, server: FakeServer, status: int) -> None:
    busy = refusal(status, "rate_limit_exceeded", "Too many requests", (("Retry-After", "0"),))
    server.answer("GET", "/api/keys", busy, busy, Scripted(200, {"data": [], "cursor": None}))
    assert elsewhere.run("keys", "list").code == 0
    assert len(server.asked) == 3


def test_a_server_that_stays_busy_is_asked_three_times(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/keys", refusal(503, "service_unavailable", "Down.", (("Retry-After", "0"),)))
    result = elsewhere.run("keys", "list")
    assert (result.code, len(server.asked)) == (1, 3)
    assert result.err.startswith("error: Down.\n")


def test_a_wait_too_long_for_a_person_is_told_instead(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/keys", refusal(429, "rate_limit_exceeded", "Too many.", (("Retry-After", "45"),)))
    result = elsewhere.run("keys", "list")
    assert (result.code, len(server.asked)) == (1, 1)
    assert result.err == "error: Too many.\nnext: Try again in 45 s.\n"


def test_a_post_without_an_idempotency_key_is_not_repeated_after_a_failure(
    elsewhere: Machine, server: FakeServer
) -> None:
    server.answer("POST", "/api/keys", refusal(503, "service_unavailable", "Down.", (("Retry-After", "0"),)))
    assert elsewhere.run("keys", "create", "x").code == 1
    assert len(server.asked) == 1


def test_a_report_is_repeated_under_the_same_idempotency_key(elsewhere: Machine, server: FakeServer) -> None:
    busy = refusal(503, "request_in_progress", "Wait.", (("Retry-After", "0"),))
    stored = Scripted(201, {"data": {"id": f"ns_evt_{UUID}", "createdAt": "2026-04-01T00:00:00.000Z"}})
    server.answer("POST", "/api/cost-events", busy, stored)
    result = elsewhere.run("events", "report", "--provider", "openai", "--model", "m", "--cost", "1c", "-q")
    assert result.out == f"ns_evt_{UUID}\n"
    first, second = (asked.headers["idempotency-key"] for asked in server.asked)
    assert first == second


def test_a_denial_is_not_repeated_and_exits_6(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/keys", refusal(429, "budget_exceeded", "Over budget."))
    result = elsewhere.run("keys", "list")
    assert (result.code, len(server.asked)) == (6, 1)
    assert result.err == "error: Over budget.\nnext: nullspend budgets list\n"


@pytest.mark.parametrize("location", ["https://evil.example/api/keys", "/login"])
def test_a_redirect_is_not_followed(elsewhere: Machine, server: FakeServer, location: str) -> None:
    server.answer("GET", "/api/keys", Scripted(307, {}, (("Location", location),)))
    result = elsewhere.run("keys", "list")
    assert (result.code, len(server.asked)) == (7, 1)
    assert f"answers with a redirect to {location}, which is not followed" in result.err


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (Scripted(500, "<h1>oops</h1>"), 1, "answered 500 with text/html."),
        (Scripted(404, "<h1>not here</h1>"), 5, "answered 404 with text/html."),
        (Scripted(400, {"error": "bad thing"}), 1, "answered 400 with application/json: bad thing."),
        (
            Scripted(200, "<h1>hello</h1>"),
            1,
            "answered text/html where a JSON object belongs; is it a NullSpend server?",
        ),
        (Scripted(200, [1, 2]), 1, "answered application/json where a JSON object belongs"),
    ],
)
def test_what_is_no_api_reply_is_a_sentence(
    elsewhere: Machine, server: FakeServer, answer: Scripted, code: int, sentence: str
) -> None:
    server.answer("GET", "/api/keys", answer)
    result = elsewhere.run("keys", "list")
    assert (result.code, result.out) == (code, "")
    assert sentence in result.err
    assert "Traceback" not in result.err


def test_json_errors_are_the_servers_own_envelope(elsewhere: Machine, server: FakeServer) -> None:
    envelope = {
        "error": {"code": "limit_exceeded", "message": "Maximum of 10.", "details": {"a": 1}, "upgrade_url": "u"}
    }
    server.answer("POST", "/api/keys", Scripted(409, envelope))
    result = elsewhere.run("keys", "create", "x", "--json")
    assert (result.code, json.loads(result.err)) == (1, envelope)


def test_validation_issues_are_named_one_a_line(elsewhere: Machine, server: FakeServer) -> None:
    issues = [{"path": ["name"], "message": "Too long"}, {"path": [], "message": "At least one field"}]
    error = {"code": "validation_error", "message": "Request validation failed.", "details": {"issues": issues}}
    server.answer("POST", "/api/keys", Scripted(400, {"error": error}))
    assert elsewhere.run("keys", "create", "x").err == (
        "error: Request validation failed.\n  name: Too long\n  At least one field\nnext: Correct the named fields.\n"
    )


def test_advice_is_given_only_if_this_version_has_the_command_it_names() -> None:
    root = root_of(tree())
    assert exists("nullspend billing checkout", root)
    assert exists("nullspend keys revoke NAME --yes", root)
    assert not exists("nullspend billing frobnicate", root)
    assert not exists("nullspend frobnicate", root)


def test_a_renewed_session_is_stored_for_a_context_that_stores_one(machine: Machine, server: FakeServer) -> None:
    server.knows_everybody()
    created = machine.run(
        "contexts", "create", "prod", "--url", server.url, "--with-session", "--use", input="a=1; b=2\n"
    )
    assert created.code == 0
    server.asked.clear()
    server.answer("GET", "/api/keys", Scripted(200, {"data": []}, (("Set-Cookie", "a=new; HttpOnly"),)))
    machine.run("keys", "list")
    machine.run("keys", "list")
    assert [asked.headers["cookie"] for asked in server.asked] == ["a=1; b=2", "a=new; b=2"]


def test_an_organization_of_the_environment_is_switched_to_with_its_bare_id(
    elsewhere: Machine, server: FakeServer
) -> None:
    switched = Scripted(200, {"orgId": UUID}, (("Set-Cookie", "ns-active-org=two; Path=/"),))
    server.answer("POST", "/api/auth/switch-org", switched)
    server.answer("GET", "/api/keys", {"data": []})
    assert elsewhere.run("keys", "list", env={"NULLSPEND_ORG": f"ns_org_{UUID}"}).code == 0
    switch, keys = server.asked
    assert switch.body == {"orgId": UUID}
    assert keys.headers["cookie"] == "sb-auth=first; ns-active-org=two"


def test_verbose_and_debug_show_requests_on_stderr_without_secrets(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/policy", {"budget": None})
    verbose = elsewhere.run("policy", "get", "-v", "--json")
    assert verbose.json == {"budget": None}
    assert verbose.err.startswith(f"GET {server.url}/api/policy 200 ")
    debug = elsewhere.run("policy", "get", "--json", env={"NULLSPEND_DEBUG": "api"})
    assert "> X-NullSpend-Key: ***" in debug.err
    assert elsewhere.more["NULLSPEND_API_KEY"] not in debug.err
    assert elsewhere.more["NULLSPEND_SESSION"] not in debug.err
