"""Sessions and the active organization: who a cookie is, and what a tampered one is worth."""

import sqlite3

from tests.conftest import StartDaemon
from tests.machine import Daemon, Reply


def sign_in(daemon: Daemon, email: str, **more: str) -> dict[str, str]:
    daemon.call("POST", "/_local/users", {"email": email}, auth="admin")
    reply = daemon.call("POST", "/_local/sessions", {"email": email, **more}, auth="admin")
    assert reply.status == 201, reply.body
    return reply.json


def whoami(daemon: Daemon, cookie: str) -> Reply:
    return daemon.call("GET", "/api/auth/session", auth=None, headers={"Cookie": cookie})


def join(daemon: Daemon, org_id: str, user_id: str, role: str = "member") -> None:
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        connection.execute("INSERT INTO memberships VALUES (?, ?, ?, 0)", (org_id, user_id, role))
    connection.close()


def test_a_session_is_its_person_in_their_personal_org(daemon: Daemon) -> None:
    signed_in = sign_in(daemon, "Ada@Example.org")
    reply = whoami(daemon, signed_in["cookie"])
    assert reply.json == {"userId": signed_in["userId"], "orgId": signed_in["orgId"], "role": "owner"}
    assert set(reply.json) == {"userId", "orgId", "role"}


def test_an_unknown_an_empty_and_no_cookie_are_nobody(daemon: Daemon) -> None:
    for cookie in ("nullspend_session=" + "0" * 64, "nullspend_session=", "other=1"):
        reply = whoami(daemon, cookie)
        assert (reply.status, reply.json["error"]["code"]) == (401, "authentication_required")


def test_the_first_request_sets_the_active_org_cookie(daemon: Daemon) -> None:
    cookie = sign_in(daemon, "first@example.org")["cookie"]
    set_cookie = whoami(daemon, cookie).headers["set-cookie"]
    assert set_cookie.startswith("ns-active-org=")
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"):
        assert part in set_cookie
    with_org = f"{cookie}; {set_cookie.split(';')[0]}"
    assert "set-cookie" not in whoami(daemon, with_org).headers


def test_switching_lasts_as_long_as_the_cookie_is_sent(daemon: Daemon) -> None:
    ada, bob = sign_in(daemon, "ada2@example.org"), sign_in(daemon, "bob2@example.org")
    join(daemon, ada["orgId"], bob["userId"], "viewer")
    bare = ada["orgId"].removeprefix("ns_org_")
    for spelled in (ada["orgId"], bare):
        reply = daemon.call(
            "POST", "/api/auth/switch-org", {"orgId": spelled}, auth=None, headers={"Cookie": bob["cookie"]}
        )
        assert reply.json == {"userId": bob["userId"], "orgId": ada["orgId"], "role": "viewer"}
        active = reply.headers["set-cookie"].split(";")[0]
        assert whoami(daemon, f"{bob['cookie']}; {active}").json["orgId"] == ada["orgId"]
    assert whoami(daemon, bob["cookie"]).json["orgId"] == bob["orgId"]


def test_a_tampered_or_foreign_active_org_falls_back_to_the_personal_one(daemon: Daemon) -> None:
    ada, eve = sign_in(daemon, "ada3@example.org"), sign_in(daemon, "eve3@example.org")
    active = whoami(daemon, ada["cookie"]).headers["set-cookie"].split(";")[0]
    value = active.split("=", 1)[1]
    forged = [
        value,
        value[:-1] + ("0" if value[-1] != "0" else "1"),
        value.replace("owner", "admin"),
        "x",
        "a:b.c",
        '"',
        "é",
    ]
    for each in forged:
        reply = whoami(daemon, f"{eve['cookie']}; ns-active-org={each}")
        assert reply.json["orgId"] == eve["orgId"], each
        assert "ns-active-org=" in reply.headers["set-cookie"]


def test_a_lost_membership_counts_on_the_next_request(daemon: Daemon) -> None:
    ada, bob = sign_in(daemon, "ada4@example.org"), sign_in(daemon, "bob4@example.org")
    join(daemon, ada["orgId"], bob["userId"])
    cookie = sign_in(daemon, "bob4@example.org", orgId=ada["orgId"])["cookie"]
    assert whoami(daemon, cookie).json["orgId"] == ada["orgId"]
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        connection.execute("DELETE FROM memberships WHERE user_id = ? AND org_id = ?", (bob["userId"], ada["orgId"]))
    connection.close()
    assert whoami(daemon, cookie).json["orgId"] == bob["orgId"]


def test_sessions_end_30_days_after_their_last_renewal(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    cookie = sign_in(daemon, "ada5@example.org")["cookie"]
    day = 86_400_000
    for _ in range(3):
        daemon.call("POST", "/_local/clock", {"advanceMs": 29 * day}, auth="admin")
        assert whoami(daemon, cookie).status == 200, "each use begins the 30 days again"
    daemon.call("POST", "/_local/clock", {"advanceMs": 30 * day + 1}, auth="admin")
    assert whoami(daemon, cookie).status == 401


def test_the_command_is_signed_in_after_a_month_has_leapt_by(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    assert daemon.run("clock", "advance", "31d").code == 0
    assert daemon.run("budgets", "set", "--key", "default", "--max", "5").code == 0
    assert daemon.run("clock", "advance", "31d").code == 0
    assert "default  $5.00" in daemon.run("budgets", "list", "--fields", "entity,maxBudgetMicrodollars").out


def test_introspection_names_user_and_key(daemon: Daemon) -> None:
    reply = daemon.call("GET", "/api/auth/introspect", auth="key")
    assert set(reply.json) == {"userId", "keyId"}
    assert reply.json["userId"] == daemon.state["owner"]["userId"]
