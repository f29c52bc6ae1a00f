"""Who may call what: the contract's permission matrix, typed from it, tried over HTTP with every kind of caller."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.machine import Daemon, Machine, Reply, start_daemon

# nobody: no credentials · bad: a malformed key · revoked: a revoked key · key: a key of the org · other: a key of
# another org · viewer/member/admin/owner: sessions in the org · stranger: a session in another org · token: the admin
# token of /_local. A number is the status of success; 401 is authentication_required, 403 forbidden, 404 not_found.
MATRIX = """
                                       nobody bad revoked key other viewer member admin owner stranger token
GET    /api/health                        200 200     200 200   200    200    200   200   200      200   200
GET    /api/version                       200 200     200 200   200    200    200   200   200      200   200
GET    /api/auth/introspect               401 401     401 200   200    401    401   401   401      401   401
GET    /api/auth/session                  401 401     401 401   401    200    200   200   200      200   401
POST   /api/auth/switch-org               401 401     401 401   401    200    200   200   200      403   401
GET    /api/keys                          401 401     401 401   401    200    200   200   200      200   401
POST   /api/keys                          401 401     401 401   401    403    201   201   201      201   401
PATCH  /api/keys/{key}                    401 401     401 401   401    403    403   200   200      404   401
DELETE /api/keys/{key}                    401 401     401 401   401    403    403   200   200      404   401
GET    /api/budgets                       401 401     401 200   200    200    200   200   200      200   401
POST   /api/budgets                       401 401     401 401   401    403    403   201   201      201   401
POST   /api/budgets/{budget}              401 401     401 401   401    403    403   200   200      404   401
DELETE /api/budgets/{budget}              401 401     401 401   401    403    403   200   200      404   401
GET    /api/budgets/{budget}/sources      401 401     401 401   401    200    200   200   200      404   401
GET    /api/budgets/status                401 401     401 200   200    401    401   401   401      401   401
GET    /api/budgets/velocity-status       401 401     401 401   401    200    200   200   200      200   401
POST   /api/cost-events                   401 401     401 201   201    401    401   401   401      401   401
POST   /api/cost-events/batch             401 401     401 201   201    401    401   401   401      401   401
GET    /api/cost-events                   401 401     401 200   200    200    200   200   200      200   401
GET    /api/cost-events/summary           401 401     401 200   200    200    200   200   200      200   401
GET    /api/cost-events/{event}           401 401     401 401   401    200    200   200   200      404   401
GET    /api/cost-events/{event}/bodies    401 401     401 401   401    200    200   200   200      404   401
GET    /api/cost-events/sessions          401 401     401 401   401    200    200   200   200      200   401
GET    /api/cost-events/sessions/s1       401 401     401 401   401    200    200   200   200      200   401
GET    /api/cost-events/attribution?groupBy=team      401 401 401 401 401 200 200 200 200 200 401
GET    /api/cost-events/attribution/x?groupBy=team    401 401 401 401 401 200 200 200 200 200 401
GET    /api/cost-events/tag-keys          401 401     401 401   401    200    200   200   200      200   401
GET    /api/cost-events/export            401 401     401 401   401    200    200   200   200      200   401
GET    /api/webhooks                      401 401     401 401   401    200    200   200   200      200   401
POST   /api/webhooks                      401 401     401 401   401    403    403   201   201      201   401
PATCH  /api/webhooks/{webhook}            401 401     401 401   401    403    403   200   200      404   401
DELETE /api/webhooks/{webhook}            401 401     401 401   401    403    403   200   200      404   401
POST   /api/webhooks/{webhook}/test       401 401     401 401   401    403    403   200   200      404   401
POST   /api/webhooks/{webhook}/rotate-secret   401 401 401 401 401 403 403 200 200 404 401
GET    /api/webhooks/{webhook}/deliveries 401 401     401 401   401    200    200   200   200      404   401
POST   /_local/trigger                    401 401     401 401   401    401    401   401   401      401   201
GET    /api/actions                       401 401     401 401   401    200    200   200   200      200   401
POST   /api/actions                       401 401     401 201   201    401    401   401   401      401   401
GET    /api/actions/{action}              401 401     401 200   404    200    200   200   200      404   401
POST   /api/actions/{action}/approve      401 401     401 401   401    403    403   200   200      404   401
POST   /api/actions/{action}/reject       401 401     401 401   401    403    403   200   200      404   401
POST   /api/actions/{approved}/result     401 401     401 200   404    401    401   401   401      401   401
GET    /api/actions/{action}/costs        401 401     401 200   404    200    200   200   200      404   401
GET    /api/slack/config                  401 401     401 401   401    403    403   200   200      200   401
POST   /api/slack/config                  401 401     401 401   401    403    403   200   200      200   401
POST   /api/slack/test                    401 401     401 401   401    403    403   502   502      502   401
DELETE /api/slack/config                  401 401     401 401   401    403    403   200   200      200   401
GET    /_local/users                      401 401     401 401   401    401    401   401   401      401   200
GET    /_local/holds                      401 401     401 401   401    401    401   401   401      401   200
POST   /_local/check                      401 401     401 401   401    401    401   401   401      401   200
"""
CODES = {401: "authentication_required", 403: "forbidden", 404: "not_found"}
EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 1}
ACTION = {"agentId": "a", "actionType": "http_post", "payload": {}}
WEBHOOK = {"url": "http://127.0.0.1:9/nobody-listens"}
BODIES: dict[str, Any] = {
    "POST /api/keys": {"name": "made"},
    "PATCH /api/keys/{key}": {"name": "renamed"},
    "POST /api/budgets": {"entityType": "tag", "entityId": "team=x", "maxBudgetMicrodollars": 1},
    "POST /api/cost-events": EVENT,
    "POST /api/cost-events/batch": {"events": [EVENT]},
    "POST /api/actions": ACTION,
    "POST /api/webhooks": WEBHOOK,
    "PATCH /api/webhooks/{webhook}": {"description": "changed"},
    "POST /_local/trigger": {"type": "test.ping"},
    "POST /api/actions/{approved}/result": {"status": "executing"},
    "POST /api/slack/config": {"webhookUrl": "https://hooks.slack.com/services/T/B/x"},
    "POST /_local/check": {},
}


ALSO = {"stranger": "removed", "revoked": "leaver"}
"""Who was removed from the org is a stranger to it, and the key they had there is a revoked one."""


def rows() -> list[tuple[str, str, str, int]]:
    """(method, path, actor, status) of every cell."""
    header, *lines = [line.split() for line in MATRIX.strip().splitlines()]
    return [
        (method, path, who, int(status))
        for method, path, *statuses in lines
        for actor, status in zip(header, statuses, strict=True)
        for who in (actor, ALSO.get(actor))
        if who is not None
    ]


@dataclass
class People:
    """A daemon with an org of five and a stranger, and the headers each of them sends."""

    daemon: Daemon
    headers: dict[str, dict[str, str]]
    org_id: str

    def call(self, actor: str, method: str, path: str, body: Any = None) -> Reply:
        return self.daemon.call(method, path, body, auth=None, headers=self.headers[actor])

    def made(self, noun: str) -> str:
        """The id of a new object of the org."""
        if noun == "key":
            return str(self.call("owner", "POST", "/api/keys", {"name": "k"}).json["id"])
        if noun == "budget":
            body = {"entityType": "customer", "entityId": "acme", "maxBudgetMicrodollars": 5}
            return str(self.call("owner", "POST", "/api/budgets", body).json["id"])
        if noun == "webhook":
            return str(self.call("owner", "POST", "/api/webhooks", WEBHOOK).json["data"]["id"])
        if noun in ("action", "approved"):
            made = str(self.call("key", "POST", "/api/actions", ACTION).json["id"])
            if noun == "approved":
                self.call("owner", "POST", f"/api/actions/{made}/approve")
            return made
        return str(self.call("key", "POST", "/api/cost-events", EVENT).json["data"]["id"])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    nowhere = {"NULLSPEND_SLACK_HOST": "127.0.0.1:1"}
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("machine")), env=nowhere)
    state = daemon.state
    org_id = state["owner"]["orgId"]
    headers: dict[str, dict[str, str]] = {
        "nobody": {},
        "bad": {"X-NullSpend-Key": "ns_live_sk_nonsense"},
        "key": {"X-NullSpend-Key": state["owner"]["apiKey"]},
        "owner": {"Cookie": state["owner"]["cookie"]},
        "token": {"Authorization": f"Bearer {state['adminToken']}"},
    }
    users: dict[str, str] = {}
    for role in ("viewer", "member", "admin", "removed", "stranger"):
        user = daemon.call("POST", "/_local/users", {"email": f"{role}@example.org"}, auth="admin").json
        wanted = {"userId": user["userId"]}
        users[role] = user["userId"]
        if role != "stranger":
            held = "member" if role == "removed" else role
            with sqlite3.connect(daemon.data / "nullspend.db") as connection:
                connection.execute("INSERT INTO memberships VALUES (?, ?, ?, 0)", (org_id, user["userId"], held))
            connection.close()
            wanted["orgId"] = org_id
        headers[role] = {"Cookie": daemon.call("POST", "/_local/sessions", wanted, auth="admin").json["cookie"]}
    people = People(daemon, headers, org_id)
    headers["other"] = {"X-NullSpend-Key": people.call("stranger", "POST", "/api/keys", {"name": "o"}).json["rawKey"]}
    gone = people.call("owner", "POST", "/api/keys", {"name": "gone"}).json
    headers["revoked"] = {"X-NullSpend-Key": gone["rawKey"]}
    assert people.call("owner", "DELETE", f"/api/keys/{gone['id']}").status == 200
    headers["leaver"] = {
        "X-NullSpend-Key": people.call("removed", "POST", "/api/keys", {"name": "theirs"}).json["rawKey"]
    }
    assert people.call("admin", "DELETE", f"/api/orgs/{org_id}/members/{users['removed']}").status == 200
    yield people
    daemon.end()


@pytest.mark.parametrize(("method", "path", "actor", "status"), rows())
def test_each_caller_gets_what_the_matrix_says(people: People, method: str, path: str, actor: str, status: int) -> None:
    body = BODIES.get(f"{method} {path}")
    if path == "/api/auth/switch-org":
        body = {"orgId": people.org_id}
    if (method, path) in (("POST", "/api/slack/test"), ("DELETE", "/api/slack/config")) and status in (200, 502):
        people.call(actor, "POST", "/api/slack/config", BODIES["POST /api/slack/config"])
    for noun in ("key", "budget", "event", "action", "approved", "webhook"):
        if f"{{{noun}}}" in path:
            path = path.replace(f"{{{noun}}}", people.made(noun))
    reply = people.call(actor, method, path, body)
    assert reply.status == status, reply.body
    if status in CODES:
        assert reply.json["error"]["code"] == CODES[status]


@pytest.mark.parametrize(
    ("entity_type", "role", "status"),
    [("user", "viewer", 403), ("user", "member", 201), ("api_key", "viewer", 403), ("api_key", "member", 201)],
)
def test_members_set_budgets_of_their_own_user_and_keys(
    people: People, entity_type: str, role: str, status: int
) -> None:
    who = people.call(role, "GET", "/api/auth/session").json["userId"]
    mine = people.call(role, "POST", "/api/keys", {"name": "mine"})
    entity = who if entity_type == "user" else mine.json.get("id", "ns_key_019a0000-0000-7000-8000-000000000000")
    body = {"entityType": entity_type, "entityId": entity, "maxBudgetMicrodollars": 5}
    assert people.call(role, "POST", "/api/budgets", body).status == status


def test_nobody_sets_a_budget_for_somebody_elses_user_or_key(people: People) -> None:
    member = people.call("member", "GET", "/api/auth/session").json["userId"]
    theirs = people.call("member", "POST", "/api/keys", {"name": "theirs"}).json["id"]
    for entity_type, entity_id in (("user", member), ("api_key", theirs)):
        body = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": 5}
        reply = people.call("owner", "POST", "/api/budgets", body)
        assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden")


def test_an_id_of_another_org_answers_as_a_missing_one(people: People) -> None:
    missing = "019a0000-0000-7000-8000-000000000000"
    for method, path, noun, prefix in (
        ("DELETE", "/api/keys/{}", "key", "ns_key_"),
        ("DELETE", "/api/budgets/{}", "budget", "ns_bgt_"),
        ("GET", "/api/cost-events/{}", "event", "ns_evt_"),
        ("GET", "/api/actions/{}", "action", "ns_act_"),
        ("POST", "/api/actions/{}/approve", "action", "ns_act_"),
    ):
        foreign = people.call("stranger", method, path.format(people.made(noun)))
        absent = people.call("stranger", method, path.format(prefix + missing))
        assert (foreign.status, foreign.json) == (absent.status, absent.json)


def test_a_key_whose_owner_has_left_the_org_is_forbidden(people: People) -> None:
    leaver = people.daemon.call("POST", "/_local/users", {"email": "leaver@example.org"}, auth="admin").json["userId"]
    database = people.daemon.data / "nullspend.db"
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO memberships VALUES (?, ?, 'member', 0)", (people.org_id, leaver))
    wanted = {"userId": leaver, "orgId": people.org_id}
    cookie = people.daemon.call("POST", "/_local/sessions", wanted, auth="admin").json["cookie"]
    raw = people.daemon.call("POST", "/api/keys", {"name": "l"}, auth=None, headers={"Cookie": cookie}).json["rawKey"]
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM memberships WHERE user_id = ? AND org_id = ?", (leaver, people.org_id))
    connection.close()
    reply = people.daemon.call("GET", "/api/budgets", auth=None, headers={"X-NullSpend-Key": raw})
    assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden")
    assert "x-ratelimit-limit" in reply.headers


def test_a_key_header_even_empty_beats_a_session(people: People) -> None:
    both = {**people.headers["owner"], "X-NullSpend-Key": ""}
    assert people.daemon.call("GET", "/api/budgets", auth=None, headers=both).status == 401


def test_a_bearer_key_counts_on_the_api_when_the_key_header_is_absent(people: People) -> None:
    raw = people.headers["key"]["X-NullSpend-Key"]
    bearer = {"Authorization": f"Bearer {raw}"}
    assert people.daemon.call("GET", "/api/budgets", auth=None, headers=bearer).status == 200
    assert (
        people.daemon.call("GET", "/api/budgets", auth=None, headers={**bearer, "X-NullSpend-Key": "x"}).status == 401
    )


def test_switching_to_an_unknown_org_reads_like_one_the_caller_is_not_in(people: People) -> None:
    unknown = {"orgId": "ns_org_019a0000-0000-7000-8000-000000000000"}
    reply = people.call("owner", "POST", "/api/auth/switch-org", unknown)
    assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden")
