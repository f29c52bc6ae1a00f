"""Organizations over HTTP: orgs 2.1 to 2.4, core 3.2 and 3.3."""

import re
import sqlite3

import pytest
from dirty_equals import IsStr

from tests.machine import Daemon
from tests.people import MISSING, Person, Team, person, team

ORG_ID = IsStr(regex=r"ns_org_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def ada(town: Daemon) -> Person:
    return person(town, "ada")


def test_a_person_starts_with_a_personal_org_named_after_them(ada: Person) -> None:
    (personal,) = ada.data("GET", "/api/orgs")
    assert personal == {
        "id": ORG_ID,
        "name": "Personal",
        "slug": IsStr(regex=f"user-{ada.user_id[7:15]}-[0-9a-z]+"),
        "isPersonal": True,
        "createdAt": TIME,
        "updatedAt": TIME,
        "role": "owner",
    }
    assert ada.call("GET", "/api/auth/session").json == {
        "userId": ada.user_id,
        "orgId": personal["id"],
        "role": "owner",
    }


def test_an_org_is_created_with_its_creator_as_owner_and_listed_oldest_first(ada: Person) -> None:
    reply = ada.call("POST", "/api/orgs", {"name": "  Acme  ", "slug": f"acme-{ada.user_id[-12:]}", "role": "viewer"})
    assert reply.status == 201
    made = reply.json["data"]
    assert made == {
        "id": ORG_ID,
        "name": "Acme",
        "slug": f"acme-{ada.user_id[-12:]}",
        "isPersonal": False,
        "createdAt": TIME,
        "updatedAt": TIME,
    }
    assert [(org["name"], org["role"]) for org in ada.data("GET", "/api/orgs")] == [
        ("Personal", "owner"),
        ("Acme", "owner"),
    ]
    assert ada.data("GET", f"/api/orgs/{made['id']}") == made


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, [["name"], ["slug"]]),
        ({"name": " ", "slug": "abc"}, [["name"]]),
        ({"name": "x" * 51, "slug": "abc"}, [["name"]]),
        ({"name": "x", "slug": "ab"}, [["slug"]]),
        ({"name": "x", "slug": "a" * 51}, [["slug"]]),
        ({"name": "x", "slug": "Abc"}, [["slug"]]),
        ({"name": "x", "slug": "-abc"}, [["slug"]]),
        ({"name": "x", "slug": "abc-"}, [["slug"]]),
        ({"name": "x", "slug": "a--b"}, [["slug"]]),
        ({"name": "x", "slug": "abc\n"}, None),
        ({"name": None, "slug": 5}, [["name"], ["slug"]]),
    ],
)
def test_names_and_slugs_have_their_rules(ada: Person, body: dict[str, object], paths: list[list[str]] | None) -> None:
    reply = ada.call("POST", "/api/orgs", body)
    if paths is None:
        assert reply.status in (201, 409), "blanks around a slug are trimmed"
        return
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == paths


def test_a_slug_is_taken_once_everywhere(town: Daemon, ada: Person) -> None:
    taken = team(town).slug
    for reply in (ada.call("POST", "/api/orgs", {"name": "x", "slug": taken}),):
        assert (reply.status, reply.json["error"]["code"]) == (409, "conflict")


def test_an_org_is_renamed_by_admins_and_keeps_its_own_slug(town: Daemon) -> None:
    made, other = team(town), team(town)
    before = made.admin.data("GET", made.path)
    town.call("POST", "/_local/clock", {"advanceMs": 1000}, auth="admin")
    after = made.admin.data("PATCH", made.path, {"name": "New", "slug": made.slug})
    assert after == {**before, "name": "New", "updatedAt": TIME}
    assert after["updatedAt"] > before["updatedAt"]
    clash = made.admin.call("PATCH", made.path, {"slug": other.slug})
    assert (clash.status, clash.json["error"]["code"]) == (409, "conflict")
    for body, path in (({}, []), ({"name": None}, ["name"]), ({"slug": None}, ["slug"])):
        refused = made.admin.call("PATCH", made.path, body)
        assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, path)


def test_a_personal_org_is_nobody_elses_and_stays(ada: Person) -> None:
    (personal,) = ada.data("GET", "/api/orgs")
    path = f"/api/orgs/{personal['id']}"
    for method, where, body in (
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/invitations", {"email": "a@example.org", "role": "viewer"}),
        ("POST", f"{path}/leave", None),
    ):
        reply = ada.call(method, where, body)
        assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden"), (method, where)
    assert ada.call("PATCH", path, {}).status == 400, "the body is looked at first"


def test_an_org_one_is_not_in_cannot_be_told_from_one_there_is_not(town: Daemon, ada: Person) -> None:
    made = team(town)
    for org in (made.org_id, f"ns_org_{MISSING}"):
        replies = [
            ada.call(method, f"/api/orgs/{org}{rest}", body)
            for method, rest, body in (
                ("GET", "", None),
                ("PATCH", "", {"name": "x"}),
                ("DELETE", "", None),
                ("GET", "/members", None),
                ("POST", "/leave", None),
                ("GET", "/upgrade-url", None),
            )
        ]
        assert {(reply.status, reply.body) for reply in replies} == {(403, replies[0].body)}
    assert ada.call("GET", f"/api/orgs/{made.org_id[7:]}").status == 400, "an org in a path has its prefix"
    assert ada.call("GET", "/api/orgs/ns_org_x").json["error"]["details"]["issues"][0]["path"] == ["orgId"]


def test_switching_sets_a_signed_cookie_for_a_year(town: Daemon) -> None:
    made = team(town)
    owner = made.owner.enter(None)
    for given in (made.org_id, made.org_id[7:], made.org_id.upper().replace("NS_ORG_", "ns_org_")):
        switched = owner.call("POST", "/api/auth/switch-org", {"orgId": given})
        assert switched.json == {"userId": owner.user_id, "orgId": made.org_id, "role": "owner"}
        cookie = switched.headers["set-cookie"]
        assert re.match(rf"ns-active-org=\"?{made.org_id}:owner\.[0-9a-f]{{16}}\"?; ", cookie), cookie
        for attribute in ("HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax"):
            assert attribute in cookie
    value = cookie.split(";")[0]
    owner.cookie = f"{owner.cookie.split(';')[0]}; {value}"
    assert owner.call("GET", "/api/auth/session").json["orgId"] == made.org_id
    forged = re.sub(r"\.[0-9a-f]{16}", ".0123456789abcdef", owner.cookie)
    reply = town.call("GET", "/api/auth/session", auth=None, headers={"Cookie": forged})
    assert reply.json["orgId"] != made.org_id
    assert "ns-active-org=" in reply.headers["set-cookie"], "a cookie that says nothing true is rewritten"
    stranger = person(town)
    stranger.cookie = f"{stranger.cookie}; {value}"
    assert stranger.call("GET", "/api/auth/session").json["orgId"] != made.org_id, "another person's cookie"


@pytest.mark.parametrize("body", [{}, {"orgId": None}, {"orgId": "x"}, {"orgId": "ns_usr_" + MISSING}])
def test_a_switch_needs_an_orgs_id(ada: Person, body: dict[str, object]) -> None:
    reply = ada.call("POST", "/api/auth/switch-org", body)
    assert (reply.status, reply.json["error"]["details"]["issues"][0]["path"]) == (400, ["orgId"])


def everything(made: Team) -> list[str]:
    """One of everything an organization can have; returns the ids of what was made."""
    owner = made.owner
    key = owner.call("POST", "/api/keys", {"name": "k"}).json
    header = {"X-NullSpend-Key": key["rawKey"]}
    daemon = owner.daemon
    event = {
        "provider": "p",
        "model": "m",
        "inputTokens": 1,
        "outputTokens": 1,
        "costMicrodollars": 9,
        "customer": "acme",
        "tags": {"team": "x"},
        "sessionId": "s-1",
    }
    again = {**header, "Idempotency-Key": "once"}
    stored = daemon.call("POST", "/api/cost-events", event, auth=None, headers=again).json["data"]
    tools = {"serverName": "srv", "tools": [{"name": "t", "tierCost": 1}]}
    daemon.call("POST", "/api/tool-costs/discover", tools, auth=None, headers=header)
    budget = owner.call(
        "POST", "/api/budgets", {"entityType": "customer", "entityId": "acme", "maxBudgetMicrodollars": 10}
    ).json
    action = daemon.call(
        "POST",
        "/api/actions",
        {"agentId": "a", "actionType": "send_email", "payload": {}},
        auth=None,
        headers=header,
    ).json
    hook = owner.call("POST", "/api/webhooks", {"url": "https://hooks.example.com/x"}).json
    slack = owner.call(
        "POST", "/api/slack/config", {"webhookUrl": "https://hooks.slack.com/services/T000/B000/XXXX"}
    ).json
    invitation = made.invite("late@example.org", "viewer").json["data"]
    mapping = owner.data("POST", "/api/customer-mappings", {"stripeCustomerId": "cus_1", "tagValue": "acme"})
    owner.call("PATCH", f"{made.path}/upgrade-url", {"upgradeUrl": "https://acme.example/u"})
    owner.call("PATCH", f"{made.path}/customers/acme/upgrade-url", {"upgradeUrl": "https://acme.example/c"})
    daemon.call("POST", "/_local/plan", {"tier": "pro", "orgId": made.org_id}, auth="admin")
    owner.call("POST", "/api/stripe/portal")
    ids = [key["id"], stored["id"], budget["id"], invitation["id"], mapping["id"]]
    for reply in (action, hook, slack):
        found = reply.get("data", reply).get("id")
        ids += [found] if found else []
    return [made.org_id, *ids]


def test_a_deleted_org_leaves_nothing_behind_but_its_audit_log(town: Daemon) -> None:
    made = team(town)
    ids = everything(made)
    assert made.admin.call("DELETE", made.path).status == 403
    deleted = made.owner.call("DELETE", made.path)
    assert (deleted.status, deleted.json) == (200, {"success": True})
    left: list[tuple[str, str]] = []
    with sqlite3.connect(f"file:{town.data / 'nullspend.db'}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            if table.startswith("sqlite_") or table == "audit_log":
                continue
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                text = " ".join(
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row
                )
                left += [(table, one) for one in ids if one in text]
        last = connection.execute(
            "SELECT action, resource_type, resource_id, metadata, actor_id FROM audit_log WHERE org_id = ?"
            " ORDER BY created_at DESC, id DESC LIMIT 1",
            (made.org_id,),
        ).fetchone()
    connection.close()
    assert left == []
    assert last == ("org.deleted", "org", made.org_id, None, made.owner.user_id)
    assert made.owner.call("GET", made.path).status == 403
    session = made.owner.call("GET", "/api/auth/session").json
    assert (session["orgId"] != made.org_id, session["role"]) == (True, "owner"), "back in the personal org"
    for one in (made.admin, made.member, made.viewer):
        assert [org["name"] for org in one.data("GET", "/api/orgs")] == ["Personal"]


def test_a_key_of_a_deleted_org_is_unknown_at_once(town: Daemon) -> None:
    made = team(town)
    headers = {"X-NullSpend-Key": made.member.key()}
    assert town.call("GET", "/api/budgets", auth=None, headers=headers).status == 200
    made.owner.call("DELETE", made.path)
    refused = town.call("GET", "/api/budgets", auth=None, headers=headers)
    assert (refused.status, refused.json["error"]["code"]) == (401, "authentication_required")
    again = person(town)
    assert again.call("POST", "/api/orgs", {"name": "Next", "slug": made.slug}).status == 201, "its slug is free again"
