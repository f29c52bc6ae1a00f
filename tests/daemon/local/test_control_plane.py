"""The control plane: info, people, sessions, reset, plan, clock, backup, check."""

import sqlite3
import stat
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon

EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 7}


def test_info_is_public_and_says_more_to_the_owner(daemon: Daemon) -> None:
    public = daemon.call("GET", "/_local/info", auth=None).json
    assert set(public) == {"version", "apiVersion", "startedAt", "now", "hosted", "testClock", "extensions"}
    assert public["extensions"] == ["createdAfter", "createdBefore", "customerId"]
    assert public["startedAt"] == daemon.state["startedAt"]
    private = daemon.call("GET", "/_local/info", auth="admin").json
    assert set(private) - set(public) == {"pid", "dataDir", "databaseBytes", "walBytes", "counts"}
    assert set(private["counts"]) == {"users", "orgs", "keys", "budgets", "costEvents", "pendingDeliveries"}
    assert private["databaseBytes"] > 0
    wrong = daemon.call("GET", "/_local/info", auth=None, headers={"Authorization": "Bearer wrong"})
    assert set(wrong.json) == set(public)


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer x", "Basic x", "Bearer é"])
def test_a_wrong_token_is_nobody(daemon: Daemon, token: str) -> None:
    headers = {"Authorization": token.encode("latin-1").decode("latin-1")}
    reply = daemon.call("GET", "/_local/users", auth=None, headers=headers)
    assert (reply.status, reply.json["error"]["code"]) == (401, "authentication_required")


def test_people_are_added_once_and_listed_in_their_order(start: StartDaemon) -> None:
    daemon = start()
    made = daemon.call("POST", "/_local/users", {"email": " Bob@Example.ORG ", "name": "Bob"}, auth="admin")
    assert (made.status, made.json["email"], made.json["name"]) == (201, "bob@example.org", "Bob")
    again = daemon.call("POST", "/_local/users", {"email": "bob@example.org"}, auth="admin")
    assert (again.status, again.json["error"]["code"]) == (409, "conflict")
    nameless = daemon.call("POST", "/_local/users", {"email": "eve@example.org"}, auth="admin").json
    assert "name" not in nameless
    people = daemon.call("GET", "/_local/users", auth="admin").json["data"]
    assert [person["email"] for person in people] == ["owner@nullspend.local", "bob@example.org", "eve@example.org"]
    assert people[0]["userId"] == daemon.state["owner"]["userId"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["email"]),
        ({"email": "nobody"}, ["email"]),
        ({"email": "a@b"}, ["email"]),
        ({"email": "a b@c.de"}, ["email"]),
        ({"email": "x@y.z", "name": ""}, ["name"]),
        ({"email": "x@y.z", "name": "n" * 101}, ["name"]),
    ],
)
def test_a_person_needs_a_valid_email(daemon: Daemon, body: dict[str, str], path: list[str]) -> None:
    reply = daemon.call("POST", "/_local/users", body, auth="admin")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


def test_a_session_is_for_exactly_one_person_who_exists(daemon: Daemon) -> None:
    for body in ({}, {"userId": daemon.state["owner"]["userId"], "email": "owner@nullspend.local"}):
        assert daemon.call("POST", "/_local/sessions", body, auth="admin").status == 400
    reply = daemon.call("POST", "/_local/sessions", {"email": "nobody@example.org"}, auth="admin")
    assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
    foreign = {"email": "owner@nullspend.local", "orgId": "ns_org_019a0000-0000-7000-8000-000000000000"}
    assert daemon.call("POST", "/_local/sessions", foreign, auth="admin").status == 403


def test_revoking_all_sessions_spares_the_state_files(start: StartDaemon) -> None:
    daemon = start()
    body = {"email": "owner@nullspend.local"}
    cookies = [daemon.call("POST", "/_local/sessions", body, auth="admin").json["cookie"] for _ in range(2)]
    assert daemon.call("DELETE", "/_local/sessions", auth="admin").json == {"revoked": 2}
    statuses = [
        daemon.call("GET", "/api/auth/session", auth=None, headers={"Cookie": cookie}).status for cookie in cookies
    ]
    assert statuses == [401, 401]
    assert daemon.call("GET", "/api/auth/session").status == 200


def test_revoking_one_persons_sessions_leaves_the_others(start: StartDaemon) -> None:
    daemon = start()
    bob = daemon.call("POST", "/_local/users", {"email": "bob@example.org"}, auth="admin").json["userId"]
    cookie = daemon.call("POST", "/_local/sessions", {"userId": bob}, auth="admin").json["cookie"]
    assert daemon.call("DELETE", f"/_local/sessions?userId={bob}", auth="admin").json == {"revoked": 1}
    assert daemon.call("GET", "/api/auth/session", auth=None, headers={"Cookie": cookie}).status == 401


@pytest.mark.parametrize("keep", [True, False])
def test_a_reset_leaves_a_fresh_daemon(start: StartDaemon, keep: bool) -> None:
    daemon = start()
    before = daemon.state
    daemon.call("POST", "/_local/users", {"email": "bob@example.org"}, auth="admin")
    daemon.call("POST", "/api/cost-events", EVENT, auth="key", headers={"Idempotency-Key": "r"})
    daemon.call("POST", "/_local/plan", {"tier": "free"}, auth="admin")
    assert daemon.call("POST", "/_local/reset", {"keepOwner": keep}, auth="admin").json == {"success": True}
    after = daemon.state
    assert (before["owner"]["userId"] == after["owner"]["userId"]) is keep
    assert before["owner"]["apiKey"] != after["owner"]["apiKey"]
    old_key = {"X-NullSpend-Key": before["owner"]["apiKey"]}
    assert daemon.call("GET", "/api/auth/introspect", auth=None, headers=old_key).status == 401
    counts = daemon.call("GET", "/_local/info", auth="admin").json["counts"]
    assert counts == {"users": 1, "orgs": 1, "keys": 1, "budgets": 0, "costEvents": 0, "pendingDeliveries": 0}
    repeated = daemon.call("POST", "/api/cost-events", EVENT, auth="key", headers={"Idempotency-Key": "r"})
    assert repeated.status == 201
    daemon.end()
    assert start().key == after["owner"]["apiKey"]


def test_the_clock_moves_forward_only_and_survives_a_restart(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    before = daemon.call("GET", "/_local/clock", auth="admin").json["now"]
    moved = daemon.call("POST", "/_local/clock", {"setTo": "2031-05-01T00:00:00.000Z"}, auth="admin").json["now"]
    assert moved.startswith("2031-05-01T00:00:0")
    assert daemon.call("POST", "/_local/clock", {"setTo": before}, auth="admin").status == 400
    for body in ({}, {"advanceMs": 1, "setTo": moved}, {"advanceMs": -1}, {"advanceMs": 9_007_199_254_740_991}):
        assert daemon.call("POST", "/_local/clock", body, auth="admin").status == 400
    made = daemon.call("POST", "/api/cost-events", EVENT, auth="key").json["data"]["createdAt"]
    assert made.startswith("2031-05-01")
    daemon.end()
    assert start("--test-clock").call("GET", "/_local/clock", auth="admin").json["now"] >= moved


def test_without_a_test_clock_time_is_nobodys_to_move(daemon: Daemon) -> None:
    for method, body in (("GET", None), ("POST", {"advanceMs": 1})):
        reply = daemon.call(method, "/_local/clock", body, auth="admin")
        assert (reply.status, reply.json["error"]["code"]) == (409, "conflict")


def test_a_plan_is_shown_as_a_subscription(daemon: Daemon) -> None:
    shown = daemon.call("POST", "/_local/plan", {"tier": "pro", "status": "past_due"}, auth="admin").json["data"]
    assert set(shown) == {
        "id",
        "tier",
        "status",
        "currentPeriodStart",
        "currentPeriodEnd",
        "cancelAtPeriodEnd",
        "createdAt",
    }
    assert (shown["tier"], shown["status"]) == ("pro", "past_due")
    assert daemon.call("POST", "/_local/plan", {"tier": None}, auth="admin").json == {"data": None}
    missing = {"tier": "pro", "orgId": "ns_org_019a0000-0000-7000-8000-000000000000"}
    assert daemon.call("POST", "/_local/plan", missing, auth="admin").status == 404


def test_a_backup_is_a_whole_private_copy(start: StartDaemon, tmp_path: Path) -> None:
    daemon = start()
    daemon.call("POST", "/api/cost-events", EVENT, auth="key")
    target = tmp_path / "copy.db"
    reply = daemon.call("POST", "/_local/backup", {"path": str(target)}, auth="admin")
    assert reply.json == {"path": str(target), "bytes": target.stat().st_size}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with sqlite3.connect(target) as connection:
        assert connection.execute("SELECT count(*) FROM cost_events").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_backup_overwrites_nothing(daemon: Daemon, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("precious")
    reply = daemon.call("POST", "/_local/backup", {"path": str(taken)}, auth="admin")
    assert (reply.status, reply.json["error"]["code"]) == (409, "conflict")
    assert taken.read_text() == "precious"
    for bad in ("relative.db", str(tmp_path / "missing" / "x.db"), "", "/" + "x" * 300):
        assert daemon.call("POST", "/_local/backup", {"path": bad}, auth="admin").status == 400


def test_a_check_finds_what_was_tampered_with_and_repairs_it(start: StartDaemon) -> None:
    daemon = start()
    daemon.call("POST", "/api/cost-events", EVENT, auth="key")
    assert daemon.call("POST", "/_local/check", {}, auth="admin").json == {"ok": True, "differences": []}
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        connection.execute("UPDATE cost_days SET cost_microdollars = 8")
    connection.close()
    found = daemon.call("POST", "/_local/check", {}, auth="admin").json
    assert (found["ok"], len(found["differences"])) == (False, 1)
    repaired = daemon.call("POST", "/_local/check", {"repair": True}, auth="admin").json
    assert repaired == {"ok": True, "differences": []}
    assert daemon.call("GET", "/api/cost-events/summary").json["totals"]["totalCostMicrodollars"] == 7
