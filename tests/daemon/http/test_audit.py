"""The audit log over HTTP: orgs 4, core 1.12."""

import json
from urllib.parse import quote

import pytest
from dirty_equals import IsStr

from tests.machine import Daemon
from tests.people import MISSING, Team, team

UUID = IsStr(regex=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def made(town: Daemon) -> Team:
    return team(town)


def told(made: Team, action: str) -> list[tuple[str, str | None, object]]:
    """(resource type, resource id, metadata) of each row of an action, newest first."""
    rows = made.admin.call("GET", f"/api/audit-log?action={action}").json["data"]
    return [(row["resourceType"], row["resourceId"], row["metadata"]) for row in rows]


def test_a_row_has_these_fields_and_is_scoped_to_the_active_org(made: Team) -> None:
    page = made.admin.call("GET", "/api/audit-log?action=org.created").json
    assert page == {
        "data": [
            {
                "id": UUID,
                "actorId": made.owner.user_id,
                "action": "org.created",
                "resourceType": "org",
                "resourceId": made.org_id,
                "metadata": {"name": "Team", "slug": made.slug},
                "createdAt": TIME,
            }
        ],
        "cursor": None,
    }
    assert made.admin.enter(None).call("GET", "/api/audit-log").json == {"data": [], "cursor": None}


def test_every_change_of_a_team_is_told_with_its_metadata(town: Daemon, made: Team) -> None:
    made.owner.call("PATCH", made.path, {"name": "Renamed"})
    assert told(made, "org.updated") == [("org", made.org_id, {"name": "Renamed"})]
    invited = made.invite("late@example.org", "viewer").json["data"]["id"]
    assert told(made, "invitation.created")[0] == (
        "invitation",
        invited,
        {"email": "late@example.org", "role": "viewer"},
    )
    made.owner.call("DELETE", f"{made.path}/invitations/{invited}")
    assert told(made, "invitation.revoked") == [("invitation", invited, None)]
    accepted = made.admin.call("GET", "/api/audit-log?action=invitation.accepted").json["data"]
    assert [(row["actorId"], row["metadata"]) for row in accepted] == [
        (made.viewer.user_id, None),
        (made.member.user_id, None),
        (made.admin.user_id, None),
    ]
    made.owner.call("PATCH", f"{made.path}/members/{made.viewer.user_id}", {"role": "member"})
    assert told(made, "member.role_changed") == [("membership", made.viewer.user_id, {"newRole": "member"})]
    made.owner.call("DELETE", f"{made.path}/members/{made.viewer.user_id}")
    assert told(made, "member.removed") == [("membership", made.viewer.user_id, None)]
    made.member.call("POST", f"{made.path}/leave")
    assert told(made, "member.left") == [("membership", made.member.user_id, None)]
    made.owner.call("POST", f"{made.path}/transfer", {"newOwnerUserId": made.admin.user_id})
    assert told(made, "org.ownership_transferred") == [("org", made.org_id, {"newOwnerUserId": made.admin.user_id})]


def test_changes_of_keys_and_budgets_are_told(made: Team) -> None:
    key = made.owner.call("POST", "/api/keys", {"name": "k"}).json["id"]
    made.owner.call("PATCH", f"/api/keys/{key}", {"name": "renamed", "allowedModels": None})
    made.owner.call("DELETE", f"/api/keys/{key}")
    assert told(made, "api_key.created") == [("api_key", key, {"name": "k"})]
    ((kind, resource, metadata),) = told(made, "api_key.updated")
    assert (kind, resource, sorted(metadata["fields"])) == ("api_key", key, ["allowedModels", "name"])  # type: ignore[index]
    assert told(made, "api_key.revoked") == [("api_key", key, {"name": "renamed"})]
    wanted = {"entityType": "tag", "entityId": "team=x", "maxBudgetMicrodollars": 5}
    budget = made.owner.call("POST", "/api/budgets", wanted).json["id"]
    made.owner.call("POST", "/api/budgets", {**wanted, "maxBudgetMicrodollars": 7})
    made.owner.call("POST", f"/api/budgets/{budget}")
    made.owner.call("DELETE", f"/api/budgets/{budget}")
    assert told(made, "budget.created") == [("budget", budget, wanted)]
    for action in ("budget.updated", "budget.reset", "budget.deleted"):
        assert told(made, action) == [("budget", budget, {**wanted, "maxBudgetMicrodollars": 7})], action


def test_what_is_refused_is_not_told(made: Team) -> None:
    before = len(made.admin.call("GET", "/api/audit-log?limit=100").json["data"])
    made.member.call("PATCH", made.path, {"name": "x"})
    made.owner.call("PATCH", made.path, {})
    made.owner.call("POST", f"{made.path}/transfer", {"newOwnerUserId": made.viewer.user_id})
    made.owner.call("DELETE", f"{made.path}/invitations/{MISSING}")
    made.invite(made.owner.email, "viewer")
    assert len(made.admin.call("GET", "/api/audit-log?limit=100").json["data"]) == before


def test_pages_follow_each_other_without_a_gap_newest_first(made: Team) -> None:
    for number in range(5):
        made.owner.call("PATCH", made.path, {"name": f"n{number}"})
    everything = made.admin.call("GET", "/api/audit-log?limit=100").json
    assert everything["cursor"] is None
    assert [row["metadata"] for row in everything["data"][:2]] == [{"name": "n4"}, {"name": "n3"}]
    keys = [(row["createdAt"], row["id"]) for row in everything["data"]]
    assert keys == sorted(keys, reverse=True)
    seen: list[object] = []
    cursor = ""
    while True:
        page = made.admin.call(
            "GET", f"/api/audit-log?limit=4&cursor={cursor}" if cursor else "/api/audit-log?limit=4"
        ).json
        seen += page["data"]
        if page["cursor"] is None:
            break
        assert page["cursor"] == {"createdAt": page["data"][-1]["createdAt"], "id": page["data"][-1]["id"]}
        cursor = quote(json.dumps(page["cursor"]))
    assert seen == everything["data"]


def test_an_empty_limit_is_the_default(made: Team) -> None:
    assert made.admin.call("GET", "/api/audit-log?limit=").status == 200


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%7B%7D", "cursor"),
        ('cursor={"createdAt":"2026-01-01T00:00:00.000Z","id":"ns_key_x"}', "cursor"),
        ("action=", "action"),
    ],
)
def test_a_query_has_its_rules(made: Team, query: str, path: str) -> None:
    refused = made.admin.call("GET", f"/api/audit-log?{quote(query, safe='=&%')}")
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, [path])


def test_members_and_viewers_do_not_read_it(made: Team) -> None:
    for one in (made.member, made.viewer):
        assert one.call("GET", "/api/audit-log").status == 403
    assert made.owner.call("GET", "/api/audit-log").status == 200
