"""Invitations over HTTP: orgs 2.7 and 2.8, seats of orgs 3."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from dirty_equals import IsStr

from tests.conftest import StartDaemon
from tests.machine import Daemon, Reply
from tests.people import MISSING, Person, Team, person, team

UUID = IsStr(regex=r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
DAY_MS = 86_400_000


@pytest.fixture
def made(town: Daemon) -> Team:
    return team(town)


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def advance(daemon: Daemon, ms: int) -> None:
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def at(daemon: Daemon, ms: int = 0) -> str:
    """The daemon's time to the second."""
    now = daemon.call("GET", "/_local/clock", auth="admin").json["now"]
    return str(now)[:16]


def test_an_invitation_shows_its_token_once_and_keeps_only_its_hash(town: Daemon, made: Team) -> None:
    reply = made.invite(" Ada@Example.ORG ", "member")
    assert reply.status == 201
    created = reply.json["data"]
    token = created.pop("token")
    assert token == IsStr(regex=r"ns_inv_[0-9a-f]{48}")
    assert created == {
        "id": UUID,
        "email": "ada@example.org",
        "role": "member",
        "status": "pending",
        "invitedBy": made.owner.user_id,
        "tokenPrefix": token[:15],
        "expiresAt": IsStr(),
        "createdAt": IsStr(),
    }
    assert created["createdAt"].startswith(at(town)[:13])
    assert made.admin.data("GET", f"{made.path}/invitations") == [created]
    content = (town.data / "nullspend.db").read_bytes() + (town.data / "nullspend.db-wal").read_bytes()
    assert token.encode() not in content
    assert sha256(token.encode()).hexdigest().encode() in content


def test_an_invitation_lasts_seven_days_to_the_millisecond(town: Daemon, made: Team) -> None:
    from datetime import datetime

    created = made.invite("ada@example.org", "viewer").json["data"]
    span = datetime.fromisoformat(created["expiresAt"]) - datetime.fromisoformat(created["createdAt"])
    assert span.total_seconds() == 604_800


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"role": "member"}, ["email"]),
        ({"email": "nobody", "role": "member"}, ["email"]),
        ({"email": "a b@c.de", "role": "member"}, ["email"]),
        ({"email": None, "role": "member"}, ["email"]),
        ({"email": "a@example.org"}, ["role"]),
        ({"email": "a@example.org", "role": "owner"}, ["role"]),
    ],
)
def test_an_invitation_needs_an_email_and_a_role_that_can_be_given(
    made: Team, body: dict[str, object], path: list[str]
) -> None:
    reply = made.admin.call("POST", f"{made.path}/invitations", body)
    assert refusal(reply) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


def test_the_checks_of_an_invitation_come_in_their_order(town: Daemon, made: Team) -> None:
    town.call("POST", "/_local/plan", {"tier": "free", "orgId": made.org_id}, auth="admin")
    own = made.invite(made.owner.email.upper(), "member")
    assert refusal(own) == (400, "validation_error"), "oneself, before the seats"
    assert own.json["error"]["details"]["issues"][0]["path"] == ["email"]
    assert made.invite("v@example.org", "viewer").status == 201
    assert refusal(made.invite("V@example.org", "member")) == (409, "conflict"), "the open one, before the seats"
    assert refusal(made.invite("m@example.org", "member")) == (409, "limit_exceeded")
    assert made.invite("v2@example.org", "viewer").status == 201, "viewers take no seat"


def test_open_invitations_hold_seats_until_they_lapse(town: Daemon) -> None:
    owner = person(town, "owner")
    slug = f"seats-{owner.user_id[-12:]}"
    org_id = owner.data("POST", "/api/orgs", {"name": "Seats", "slug": slug})["id"]
    owner.enter(org_id)
    small = Team(org_id, slug, owner, owner, owner, owner)
    town.call("POST", "/_local/plan", {"tier": "free", "orgId": org_id}, auth="admin")
    assert small.invite("one@example.org", "member").status == 201
    second = small.invite("two@example.org", "admin").json["data"]
    assert refusal(small.invite("three@example.org", "member")) == (409, "limit_exceeded")
    assert owner.call("DELETE", f"{small.path}/invitations/{second['id']}").json == {"success": True}
    assert small.invite("three@example.org", "member").status == 201
    advance(town, 7 * DAY_MS)
    assert owner.data("GET", f"{small.path}/invitations") == []
    assert small.invite("one@example.org", "member").status == 201, "a lapsed one stands in nobody's way"
    assert small.invite("two@example.org", "member").status == 201, "and holds no seat"


def test_invitations_are_listed_oldest_first_and_only_while_they_are_open(made: Team) -> None:
    made.invite("a@example.org", "viewer")
    gone = made.invite("b@example.org", "viewer").json["data"]["id"]
    made.invite("c@example.org", "admin")
    made.owner.call("DELETE", f"{made.path}/invitations/{gone}")
    rows = made.admin.data("GET", f"{made.path}/invitations")
    assert [(row["email"], row["status"]) for row in rows] == [
        ("a@example.org", "pending"),
        ("c@example.org", "pending"),
    ]


def test_a_revoked_invitation_is_revoked_once(town: Daemon, made: Team) -> None:
    invited = person(town)
    created = made.invite(invited.email, "member").json["data"]
    path = f"{made.path}/invitations/{created['id']}"
    assert refusal(made.member.call("DELETE", path)) == (403, "forbidden")
    assert made.admin.call("DELETE", path).json == {"success": True}
    assert refusal(made.admin.call("DELETE", path)) == (409, "conflict")
    assert refusal(invited.accept(created["token"])) == (409, "conflict")
    assert refusal(made.admin.call("DELETE", f"{made.path}/invitations/{MISSING}")) == (404, "not_found")
    assert refusal(made.admin.call("DELETE", f"{made.path}/invitations/x")) == (400, "validation_error")
    assert refusal(made.admin.call("DELETE", f"{made.path}/invitations/ns_usr_{MISSING}")) == (400, "validation_error")
    theirs = team(town).owner
    foreign = theirs.call(
        "DELETE", f"/api/orgs/{theirs.call('GET', '/api/auth/session').json['orgId']}/invitations/{created['id']}"
    )
    assert refusal(foreign) == (404, "not_found"), "an invitation of another org is none"


def test_accepting_joins_switches_and_says_where(town: Daemon, made: Team) -> None:
    joining = person(town, "joining")
    token = made.invite(joining.email.upper(), "admin").json["data"]["token"]
    reply = joining.accept(token)
    assert (reply.status, reply.json) == (200, {"orgId": made.org_id, "role": "admin", "redirectUrl": "/app"})
    assert reply.headers["set-cookie"].replace('"', "").startswith(f"ns-active-org={made.org_id}:admin.")
    assert joining.enter(made.org_id).call("GET", "/api/auth/session").json["role"] == "admin"
    assert made.owner.data("GET", f"{made.path}/invitations") == []
    with sqlite3.connect(f"file:{town.data / 'nullspend.db'}?mode=ro", uri=True) as connection:
        row = connection.execute(
            "SELECT status, accepted_by, accepted_at IS NOT NULL FROM invitations WHERE email = ?", (joining.email,)
        ).fetchone()
    connection.close()
    assert row == ("accepted", joining.user_id, 1)


def test_the_checks_of_an_acceptance_come_in_their_order(town: Daemon, made: Team) -> None:
    invited, stranger = person(town), person(town)
    for body in ({}, {"token": ""}, {"token": None}):
        assert stranger.call("POST", "/api/invite/accept", body, X_Forwarded_For="10.2.0.1").status == 400
    assert refusal(stranger.accept("ns_inv_" + "0" * 48)) == (404, "not_found")
    token = made.invite(invited.email, "member").json["data"]["token"]
    assert refusal(stranger.accept(token)) == (403, "forbidden")
    advance(town, 7 * DAY_MS)
    assert refusal(stranger.accept(token)) == (403, "forbidden"), "a stranger learns nothing of its age"
    assert refusal(invited.accept(token)) == (410, "expired")
    assert refusal(invited.accept(token)) == (409, "conflict"), "it is marked as expired"
    member = made.member
    again = made.invite(member.email, "viewer").json["data"]["token"]
    assert refusal(member.accept(again)) == (409, "conflict"), "a member already"


def test_accepting_asks_for_no_seat_again(town: Daemon, made: Team) -> None:
    invited = person(town)
    token = made.invite(invited.email, "member").json["data"]["token"]
    town.call("POST", "/_local/plan", {"tier": "free", "orgId": made.org_id}, auth="admin")
    assert invited.accept(token).status == 200


def test_of_many_who_accept_one_token_at_once_one_wins(town: Daemon, made: Team) -> None:
    invited = person(town)
    token = made.invite(invited.email, "member").json["data"]["token"]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(reply.status for reply in pool.map(lambda _: invited.accept(token), range(4)))
    assert statuses == [200, 409, 409, 409]
    emails = [row["email"] for row in made.owner.data("GET", f"{made.path}/members")]
    assert emails.count(invited.email) == 1


def test_of_two_invitations_for_one_email_at_once_one_is_made(made: Team) -> None:
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda _: made.invite("twin@example.org", "viewer").status, range(2)))
    assert statuses == [201, 409]


def test_of_two_invitations_for_the_last_seat_one_is_made(town: Daemon) -> None:
    owner: Person = person(town, "owner")
    org_id = owner.data("POST", "/api/orgs", {"name": "Seats", "slug": f"last-{owner.user_id[-12:]}"})["id"]
    small = Team(org_id, "", owner.enter(org_id), owner, owner, owner)
    town.call("POST", "/_local/plan", {"tier": "free", "orgId": org_id}, auth="admin")
    assert small.invite("first@example.org", "member").status == 201
    with ThreadPoolExecutor(2) as pool:
        emails = ("left@example.org", "right@example.org")
        statuses = sorted(pool.map(lambda email: small.invite(email, "member").status, emails))
    assert statuses == [201, 409]


def test_ten_attempts_a_minute_from_one_address_counted_before_anything_else(town: Daemon) -> None:
    ada = person(town)
    headers = {"X_Forwarded_For": "10.9.9.9, 10.0.0.1"}
    for _ in range(9):
        assert ada.call("POST", "/api/invite/accept", {"token": "x"}, **headers).status == 404
    nobody = town.call("POST", "/api/invite/accept", {"token": "x"}, auth=None, headers={"X-Forwarded-For": "10.9.9.9"})
    assert nobody.status == 401, "attempts without a session count too"
    eleventh = ada.call("POST", "/api/invite/accept", {"token": "x"}, **headers)
    assert refusal(eleventh) == (429, "rate_limited")
    assert 1 <= int(eleventh.headers["retry-after"]) <= 60
    unread = town.call("POST", "/api/invite/accept", b"no json", auth=None, headers={"X-Forwarded-For": "10.9.9.9"})
    assert refusal(unread) == (429, "rate_limited"), "before the caller and before the body"
    assert ada.call("POST", "/api/invite/accept", {"token": "x"}, X_Forwarded_For="10.9.9.8").status == 404
    advance(town, 60_000)
    assert ada.call("POST", "/api/invite/accept", {"token": "x"}, **headers).status == 404


def test_without_trust_proxy_the_peer_counts_whatever_it_claims(start: StartDaemon) -> None:
    daemon = start()
    statuses = [
        daemon.call(
            "POST", "/api/invite/accept", {"token": "x"}, headers={"X-Forwarded-For": f"10.0.0.{number}"}
        ).status
        for number in range(11)
    ]
    assert statuses == [404] * 10 + [429]
