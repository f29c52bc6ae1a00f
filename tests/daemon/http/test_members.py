"""Members, leaving and transfer over HTTP: orgs 2.5, 2.6, 2.9, 2.10."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from dirty_equals import IsStr

from tests.machine import Daemon, Reply
from tests.people import MISSING, Person, Team, person, team

TIME = IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def made(town: Daemon) -> Team:
    return team(town)


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def test_members_are_listed_in_the_order_they_came(made: Team) -> None:
    rows = made.viewer.data("GET", f"{made.path}/members")
    people = (made.owner, made.admin, made.member, made.viewer)
    assert rows == [
        {"userId": one.user_id, "email": one.email, "role": role, "createdAt": TIME}
        for one, role in zip(people, ("owner", "admin", "member", "viewer"), strict=True)
    ]


def test_a_role_is_changed_with_either_form_of_the_id_and_counts_at_once(made: Team) -> None:
    path = f"{made.path}/members/"
    assert made.viewer.call("POST", "/api/keys", {"name": "k"}).status == 403
    changed = made.admin.data("PATCH", path + made.viewer.user_id, {"role": "member"})
    assert changed == {"userId": made.viewer.user_id, "role": "member", "createdAt": TIME}
    assert made.viewer.call("POST", "/api/keys", {"name": "k"}).status == 201
    assert made.admin.data("PATCH", path + made.viewer.user_id[7:], {"role": "admin"})["role"] == "admin"
    assert made.viewer.call("PATCH", made.path, {"name": "by the new admin"}).status == 200
    assert made.owner.data("PATCH", path + made.viewer.user_id, {"role": "viewer"})["role"] == "viewer"
    assert made.viewer.call("POST", "/api/keys", {"name": "k"}).status == 403
    assert made.viewer.call("GET", "/api/auth/session").json["role"] == "viewer"


def test_the_checks_of_a_role_change_come_in_their_order(made: Team) -> None:
    path = f"{made.path}/members"
    bad = {"role": "owner"}
    assert refusal(made.member.call("PATCH", f"{path}/x", bad)) == (403, "forbidden"), "the role is first"
    assert refusal(made.admin.call("PATCH", f"{path}/x", bad)) == (400, "validation_error"), "then the path's id"
    assert refusal(made.admin.call("PATCH", f"{path}/{made.admin.user_id}", bad)) == (403, "forbidden"), "then oneself"
    assert refusal(made.admin.call("PATCH", f"{path}/ns_usr_{MISSING}", bad)) == (400, "validation_error"), "then body"
    member = {"role": "member"}
    assert refusal(made.admin.call("PATCH", f"{path}/ns_usr_{MISSING}", member)) == (404, "not_found")
    assert refusal(made.admin.call("PATCH", f"{path}/{made.owner.user_id}", member)) == (403, "forbidden")
    other = made.add("admin")
    assert refusal(made.admin.call("PATCH", f"{path}/{other.user_id}", member)) == (403, "forbidden")
    assert refusal(made.admin.call("DELETE", f"{path}/{other.user_id}")) == (403, "forbidden")
    assert made.owner.call("PATCH", f"{path}/{other.user_id}", member).status == 200


@pytest.mark.parametrize("body", [{}, {"role": None}, {"role": "owner"}, {"role": "Admin"}, {"role": 1}])
def test_a_role_is_one_of_three(made: Team, body: dict[str, object]) -> None:
    reply = made.owner.call("PATCH", f"{made.path}/members/{made.member.user_id}", body)
    assert (reply.status, reply.json["error"]["details"]["issues"][0]["path"]) == (400, ["role"])


def test_a_promotion_asks_for_no_seat(town: Daemon, made: Team) -> None:
    town.call("POST", "/_local/plan", {"tier": "free", "orgId": made.org_id}, auth="admin")
    full = made.invite("one-more@example.org", "member")
    assert refusal(full) == (409, "limit_exceeded"), "owner, admin and member hold the three seats"
    path = f"{made.path}/members/{made.viewer.user_id}"
    assert made.owner.data("PATCH", path, {"role": "member"})["role"] == "member"


def test_a_removed_members_keys_stop_with_the_next_request_and_their_work_stays(town: Daemon, made: Team) -> None:
    created = made.member.call("POST", "/api/keys", {"name": "mine"}).json
    header = {"X-NullSpend-Key": created["rawKey"]}
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 9}
    assert town.call("POST", "/api/cost-events", event, auth=None, headers=header).status == 201
    elsewhere = made.member.enter(None).key()
    path = f"{made.path}/members/{made.member.user_id}"
    removed = made.admin.call("DELETE", path)
    assert (removed.status, removed.json) == (200, {"success": True})
    refused = town.call("POST", "/api/cost-events", event, auth=None, headers=header)
    assert refusal(refused) == (401, "authentication_required")
    assert town.call("GET", "/api/budgets", auth=None, headers={"X-NullSpend-Key": elsewhere}).status == 200
    assert refusal(made.member.call("GET", made.path)) == (403, "forbidden")
    assert refusal(made.admin.call("DELETE", path)) == (404, "not_found")
    assert created["id"] not in {key["id"] for key in made.owner.data("GET", "/api/keys")}
    (kept,) = made.owner.data("GET", "/api/cost-events")
    assert (kept["apiKeyId"], kept["keyName"]) == (created["id"], "mine")


def test_a_removed_members_session_falls_back_to_their_own_org(made: Team) -> None:
    assert made.member.call("GET", "/api/auth/session").json["orgId"] == made.org_id
    made.owner.call("DELETE", f"{made.path}/members/{made.member.user_id}")
    reply = made.member.call("GET", "/api/auth/session")
    assert (reply.json["orgId"] != made.org_id, reply.json["role"]) == (True, "owner")
    assert f"ns-active-org={reply.json['orgId']}" in reply.headers["set-cookie"].replace('"', "")


def test_leaving_revokes_the_keys_and_clears_the_cookie(town: Daemon, made: Team) -> None:
    headers = {"X-NullSpend-Key": made.member.key()}
    left = made.member.call("POST", f"{made.path}/leave")
    assert (left.status, left.json) == (200, {"success": True})
    assert left.headers["set-cookie"].startswith('ns-active-org="";')
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert town.call("GET", "/api/budgets", auth=None, headers=headers).status == 401
    assert refusal(made.member.call("POST", f"{made.path}/leave")) == (403, "forbidden")
    assert made.viewer.call("POST", f"{made.path}/leave").status == 200
    assert refusal(made.owner.call("POST", f"{made.path}/leave")) == (403, "forbidden")


def test_a_transfer_swaps_the_roles(made: Team) -> None:
    path = f"{made.path}/transfer"
    done = made.owner.call("POST", path, {"newOwnerUserId": made.member.user_id[7:]})
    assert (done.status, done.json) == (200, {"success": True, "newOwnerUserId": made.member.user_id})
    roles = {row["userId"]: row["role"] for row in made.member.data("GET", f"{made.path}/members")}
    assert (roles[made.member.user_id], roles[made.owner.user_id]) == ("owner", "admin")
    assert refusal(made.owner.call("POST", path, {"newOwnerUserId": made.owner.user_id})) == (403, "forbidden")
    back = made.member.call("POST", path, {"newOwnerUserId": made.owner.user_id})
    assert back.json == {"success": True, "newOwnerUserId": made.owner.user_id}


def test_a_transfer_needs_an_admin_or_member_of_the_org(town: Daemon, made: Team) -> None:
    path = f"{made.path}/transfer"
    cases = [
        ({}, 400, "validation_error"),
        ({"newOwnerUserId": "x"}, 400, "validation_error"),
        ({"newOwnerUserId": made.owner.user_id}, 400, "validation_error"),
        ({"newOwnerUserId": made.viewer.user_id}, 400, "validation_error"),
        ({"newOwnerUserId": person(town).user_id}, 404, "not_found"),
        ({"newOwnerUserId": f"ns_usr_{MISSING}"}, 404, "not_found"),
    ]
    for body, status, code in cases:
        reply = made.owner.call("POST", path, body)
        assert refusal(reply) == (status, code), body
        if status == 400:
            assert reply.json["error"]["details"]["issues"][0]["path"] == ["newOwnerUserId"]
    assert refusal(made.admin.call("POST", path, {"newOwnerUserId": made.admin.user_id})) == (403, "forbidden")


def test_of_a_transfer_and_the_removal_of_its_target_one_is_first(town: Daemon) -> None:
    for _ in range(3):
        made = team(town)
        with ThreadPoolExecutor(2) as pool:
            transfer = pool.submit(
                made.owner.call, "POST", f"{made.path}/transfer", {"newOwnerUserId": made.member.user_id}
            )
            removal = pool.submit(made.admin.call, "DELETE", f"{made.path}/members/{made.member.user_id}")
        statuses = (transfer.result().status, removal.result().status)
        assert statuses in ((200, 403), (404, 200))
        roles = [row["role"] for row in made.admin.data("GET", f"{made.path}/members")]
        assert roles.count("owner") == 1


def test_somebody_who_is_removed_while_they_act_does_not_act_any_more(town: Daemon) -> None:
    """Whatever comes first, nothing is changed by somebody who was removed before it."""
    for _ in range(3):
        made = team(town)
        with ThreadPoolExecutor(2) as pool:
            removal = pool.submit(made.owner.call, "DELETE", f"{made.path}/members/{made.admin.user_id}")
            act = pool.submit(made.admin.call, "POST", "/api/keys", {"name": "late"})
        assert removal.result().status == 200
        names = [key["name"] for key in made.owner.data("GET", "/api/keys")]
        assert names == [], (act.result().status, "a key that was made in time is revoked with the membership")


def test_one_person_transfers_to_two_at_once_and_one_of_them_owns(town: Daemon) -> None:
    made = team(town)
    with ThreadPoolExecutor(2) as pool:
        bodies = [{"newOwnerUserId": one.user_id} for one in (made.admin, made.member)]
        replies = list(pool.map(lambda body: made.owner.call("POST", f"{made.path}/transfer", body), bodies))
    assert sorted(reply.status for reply in replies) == [200, 403]
    roles = [row["role"] for row in made.owner.data("GET", f"{made.path}/members")]
    assert roles.count("owner") == 1


def test_two_owners_of_two_teams_know_nothing_of_each_other(town: Daemon, made: Team) -> None:
    other: Person = team(town).owner
    for method, rest, body in (
        ("GET", "/members", None),
        ("PATCH", f"/members/{made.member.user_id}", {"role": "viewer"}),
        ("DELETE", f"/members/{made.member.user_id}", None),
        ("POST", "/transfer", {"newOwnerUserId": made.member.user_id}),
        ("GET", "/invitations", None),
    ):
        assert refusal(other.call(method, made.path + rest, body)) == (403, "forbidden")
