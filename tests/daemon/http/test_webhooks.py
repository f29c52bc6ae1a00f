"""/api/webhooks over real HTTP: core 7's routes, their rules, limits and audit rows."""

import re
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.fakes.receiver import receiver
from tests.machine import Daemon, Reply

URL = "https://example.com/hooks"
MISSING = "ns_wh_019a0000-0000-7000-8000-000000000000"
RECORD = {"id", "url", "description", "eventTypes", "enabled", "apiVersion", "payloadMode", "createdAt", "updatedAt"}


def create(daemon: Daemon, **body: Any) -> dict[str, Any]:
    reply = daemon.call("POST", "/api/webhooks", {"url": URL, **body})
    assert reply.status == 201, reply.body
    return reply.json["data"]


def issue(reply: Reply) -> list[str | int]:
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error"), reply.body
    return reply.json["error"]["details"]["issues"][0]["path"]


def test_a_new_endpoint_shows_its_secret_once_and_gets_everything(daemon: Daemon) -> None:
    made = create(daemon)
    assert made.keys() == RECORD | {"signingSecret"}
    assert re.fullmatch("whsec_[0-9a-f]{64}", made["signingSecret"])
    assert made["id"].startswith("ns_wh_")
    assert (made["url"], made["description"], made["eventTypes"]) == (URL, None, [])
    assert (made["enabled"], made["apiVersion"], made["payloadMode"]) == (True, "2026-04-01", "full")
    listed = daemon.call("GET", "/api/webhooks")
    assert listed.json.keys() == {"data"}
    assert listed.json["data"][0] == {key: value for key, value in made.items() if key != "signingSecret"}
    assert made["signingSecret"].encode() not in listed.body


def test_the_list_is_newest_first(daemon: Daemon) -> None:
    ids = [create(daemon)["id"] for _ in range(3)]
    assert [row["id"] for row in daemon.call("GET", "/api/webhooks").json["data"]][:3] == ids[::-1]


def test_fields_are_taken_as_the_contract_says(daemon: Daemon) -> None:
    types = ["budget.exceeded", "margin.threshold_crossed", "test.ping"]
    made = create(
        daemon, url=f" {URL} ", description="  pager ", eventTypes=types, payloadMode="thin", enabled=False, unknown=1
    )
    assert (made["url"], made["description"], made["eventTypes"], made["payloadMode"]) == (URL, "pager", types, "thin")
    assert made["enabled"] is True, "a new endpoint is enabled whatever the body says"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"url": "nonsense"}, ["url"]),
        ({"url": "https://10.0.0.1"}, ["url"]),
        ({"url": "https://user:pw@example.com"}, ["url"]),
        ({"url": None}, ["url"]),
        ({"description": None}, ["description"]),
        ({"description": "x" * 201}, ["description"]),
        ({"eventTypes": ["budget.nonsense"]}, ["eventTypes", 0]),
        ({"eventTypes": "all"}, ["eventTypes"]),
        ({"payloadMode": "thick"}, ["payloadMode"]),
    ],
)
def test_what_does_not_fit_is_refused(daemon: Daemon, body: dict[str, Any], path: list[str | int]) -> None:
    assert issue(daemon.call("POST", "/api/webhooks", {"url": URL, **body})) == path


def test_the_daemon_never_sends_to_its_own_port(daemon: Daemon) -> None:
    assert issue(daemon.call("POST", "/api/webhooks", {"url": f"{daemon.url}/api/webhooks"})) == ["url"]


def test_this_machine_and_plain_http_are_out_of_reach_with_hosted(start: StartDaemon) -> None:
    daemon = start("--hosted")
    for url in ("http://example.com", "https://localhost/hooks", "https://127.1/hooks", "https://[::1]/hooks"):
        assert issue(daemon.call("POST", "/api/webhooks", {"url": url})) == ["url"]
    create(daemon)


def test_plans_limit_how_many_endpoints_there_are_the_disabled_ones_included(start: StartDaemon) -> None:
    daemon = start()
    assert daemon.call("POST", "/_local/plan", {"tier": "free"}, auth="admin").status == 200
    first = create(daemon)
    daemon.call("PATCH", f"/api/webhooks/{first['id']}", {"enabled": False})
    create(daemon)
    refused = daemon.call("POST", "/api/webhooks", {"url": URL})
    assert (refused.status, refused.json["error"]["code"]) == (409, "limit_exceeded")
    assert daemon.call("DELETE", f"/api/webhooks/{first['id']}").json == {"success": True}
    create(daemon)


def test_an_update_changes_what_is_given_and_nothing_else(daemon: Daemon) -> None:
    made = create(daemon, description="old", eventTypes=["test.ping"])
    path = f"/api/webhooks/{made['id']}"
    changed = daemon.call("PATCH", path, {"description": None, "enabled": False}).json["data"]
    assert changed.keys() == RECORD
    assert (changed["description"], changed["enabled"], changed["eventTypes"]) == (None, False, ["test.ping"])
    assert changed["updatedAt"] > made["updatedAt"]
    changed = daemon.call("PATCH", path, {"url": "https://example.org", "eventTypes": [], "payloadMode": "thin"})
    assert changed.json["data"] | {"updatedAt": ""} == {
        **{key: value for key, value in made.items() if key != "signingSecret"},
        "url": "https://example.org",
        "description": None,
        "enabled": False,
        "eventTypes": [],
        "payloadMode": "thin",
        "updatedAt": "",
    }


def test_an_update_of_nothing_is_refused_without_details(daemon: Daemon) -> None:
    path = f"/api/webhooks/{create(daemon)['id']}"
    for body in ({}, {"unknown": 1}):
        reply = daemon.call("PATCH", path, body)
        assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
        assert reply.json["error"]["details"] is None
    for body in ({"url": None}, {"enabled": None}, {"eventTypes": None}, {"payloadMode": None}):
        assert issue(daemon.call("PATCH", path, body)) == list(body)
    assert issue(daemon.call("PATCH", path, {"url": "https://192.168.0.1"})) == ["url"]


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("PATCH", "", {"enabled": True}),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate-secret", None),
        ("GET", "/deliveries", None),
    ],
)
def test_an_endpoint_that_is_not_there_is_404(daemon: Daemon, method: str, rest: str, body: Any) -> None:
    reply = daemon.call(method, f"/api/webhooks/{MISSING}{rest}", body)
    assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
    assert issue(daemon.call(method, f"/api/webhooks/ns_key_{MISSING[6:]}{rest}", body)) == ["id"]


def test_every_change_is_in_the_audit_log(start: StartDaemon) -> None:
    daemon = start()
    made = create(daemon)
    path = f"/api/webhooks/{made['id']}"
    daemon.call("PATCH", path, {"url": "https://example.org"})
    daemon.call("POST", f"{path}/rotate-secret")
    daemon.call("DELETE", path)
    rows = daemon.call("GET", "/api/audit-log").json["data"]
    assert [(row["action"], row["resourceType"], row["resourceId"], row["metadata"]) for row in rows[:4]] == [
        ("webhook.deleted", "webhook", made["id"], {"url": "https://example.org"}),
        ("webhook.secret_rotated", "webhook", made["id"], {"url": "https://example.org"}),
        ("webhook.updated", "webhook", made["id"], {"url": "https://example.org"}),
        ("webhook.created", "webhook", made["id"], {"url": URL}),
    ]


def test_an_org_that_ends_and_a_reset_take_endpoints_and_deliveries_with_them(start: StartDaemon) -> None:
    daemon = start()
    state = daemon.state
    org = daemon.call("POST", "/api/orgs", {"name": "Team", "slug": "team"}).json["data"]["id"]
    wanted = {"userId": state["owner"]["userId"], "orgId": org}
    team = {"Cookie": daemon.call("POST", "/_local/sessions", wanted, auth="admin").json["cookie"]}
    nobody = {"url": "http://127.0.0.1:9/nobody-listens"}
    assert daemon.call("POST", "/api/webhooks", nobody, auth=None, headers=team).status == 201
    create(daemon, **nobody)
    for org_id in (org, state["owner"]["orgId"]):
        daemon.call("POST", "/_local/trigger", {"type": "budget.reset", "orgId": org_id}, auth="admin")
    waiting = {"users": 1, "orgs": 2, "keys": 1, "budgets": 0, "costEvents": 0, "pendingDeliveries": 2}
    assert daemon.call("GET", "/_local/info", auth="admin").json["counts"] == waiting
    assert daemon.call("DELETE", f"/api/orgs/{org}", auth=None, headers=team).status == 200
    counts = daemon.call("GET", "/_local/info", auth="admin").json["counts"]
    assert (counts["orgs"], counts["pendingDeliveries"]) == (1, 1)
    assert daemon.call("POST", "/_local/reset", {}, auth="admin").status == 200
    assert daemon.call("GET", "/api/webhooks").json == {"data": []}
    assert daemon.call("GET", "/_local/info", auth="admin").json["counts"]["pendingDeliveries"] == 0


def test_a_test_shows_what_the_receiver_says_but_of_this_machine_only_to_its_owner(daemon: Daemon) -> None:
    token = {"Authorization": f"Bearer {daemon.state['adminToken']}"}
    with receiver(200, 503) as there:
        there.body = b"x" * 300
        made = create(daemon, url=there.url, eventTypes=["budget.reset"])
        path = f"/api/webhooks/{made['id']}"
        daemon.call("PATCH", path, {"enabled": False})
        said = daemon.call("POST", f"{path}/test", headers=token)
        assert said.json == {"success": True, "statusCode": 200, "responsePreview": "x" * 200}
        hidden = daemon.call("POST", f"{path}/test")
        assert (hidden.status, hidden.json) == (
            200,
            {"success": False, "statusCode": 503, "responsePreview": None},
        )
        sent = there.received[0].json
        assert (sent["type"], sent["data"]) == ("test.ping", {"object": {"message": "Test webhook event"}})
    nobody = create(daemon, url="http://127.0.0.1:9/nobody-listens", eventTypes=["budget.reset"])
    gone = daemon.call("POST", f"/api/webhooks/{nobody['id']}/test", headers=token).json
    assert (gone["success"], gone["statusCode"]) == (False, None)
    assert gone["responsePreview"].startswith("no connection")
    assert daemon.call("GET", f"{path}/deliveries").json == {"data": []}
