"""API keys: core 2, over HTTP."""

import hashlib
import sqlite3

import pytest

from tests.machine import Daemon, Reply

TAGS_10 = {f"t{number}": "x" for number in range(10)}


def create(daemon: Daemon, **fields: object) -> Reply:
    return daemon.call("POST", "/api/keys", {"name": "k", **fields})


def test_a_new_key_is_shown_raw_once_wrapped_and_bare(daemon: Daemon) -> None:
    reply = create(
        daemon, name="  researcher ", defaultTags={"team": "x"}, allowedModels=[], allowedProviders=["openai"]
    )
    record = reply.json["data"]
    assert {name: value for name, value in reply.json.items() if name != "data"} == record
    assert set(record) == {
        "id",
        "name",
        "keyPrefix",
        "defaultTags",
        "allowedModels",
        "allowedProviders",
        "rawKey",
        "createdAt",
    }
    assert (record["name"], record["defaultTags"]) == ("researcher", {"team": "x"})
    assert (record["allowedModels"], record["allowedProviders"]) == ([], ["openai"])
    assert len(record["rawKey"]) == 43
    assert record["rawKey"].startswith("ns_live_sk_")
    assert record["keyPrefix"] == record["rawKey"][:19]
    (listed,) = [each for each in daemon.call("GET", "/api/keys").json["data"] if each["id"] == record["id"]]
    assert "rawKey" not in listed
    assert listed["lastUsedAt"] is None


def test_only_the_hash_of_a_key_is_stored(daemon: Daemon) -> None:
    made = create(daemon).json
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        row = connection.execute("SELECT * FROM api_keys WHERE id = ?", (made["id"],)).fetchone()
    connection.close()
    assert made["rawKey"] not in row
    assert hashlib.sha256(made["rawKey"].encode()).hexdigest() in row


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "   "}, ["name"]),
        ({"name": "n" * 51}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": 5}, ["name"]),
        ({"defaultTags": None}, ["defaultTags"]),
        ({"defaultTags": {**TAGS_10, "t10": "x"}}, ["defaultTags"]),
        ({"defaultTags": {"a b": "x"}}, ["defaultTags", "a b"]),
        ({"defaultTags": {"k" * 65: "x"}}, ["defaultTags", "k" * 65]),
        ({"defaultTags": {"a": "v" * 257}}, ["defaultTags", "a"]),
        ({"defaultTags": {"a": "v\x00"}}, ["defaultTags", "a"]),
        ({"defaultTags": {"a": 1}}, ["defaultTags", "a"]),
        ({"allowedModels": ["m"] * 51}, ["allowedModels"]),
        ({"allowedModels": [""]}, ["allowedModels", 0]),
        ({"allowedModels": ["m" * 101]}, ["allowedModels", 0]),
        ({"allowedProviders": ["google"]}, ["allowedProviders", 0]),
        ({"allowedProviders": "openai"}, ["allowedProviders"]),
    ],
)
def test_a_field_outside_its_bounds_is_named(daemon: Daemon, fields: dict[str, object], path: list[str | int]) -> None:
    reply = create(daemon, **fields)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


def test_reserved_tag_keys_are_refused(daemon: Daemon) -> None:
    assert create(daemon, defaultTags={"_ns_x": "1"}).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n" * 50},
        {"name": "n" * 49 + "💰"},
        {"defaultTags": TAGS_10},
        {"defaultTags": {"k" * 64: "v" * 256}},
        {"allowedModels": ["m" * 100] * 50},
        {"allowedModels": None, "allowedProviders": None},
        {"orgUpgradeUrl": "ignored", "apiVersion": "ignored"},
    ],
)
def test_a_field_at_its_bounds_is_taken(daemon: Daemon, fields: dict[str, object]) -> None:
    reply = create(daemon, **fields)
    assert reply.status == 201
    assert "apiVersion" not in reply.json


def test_a_patch_changes_what_it_names_and_clears_lists_with_null(daemon: Daemon) -> None:
    made = create(daemon, defaultTags={"a": "1"}, allowedModels=["x"], allowedProviders=["openai"]).json["id"]
    changed = daemon.call("PATCH", f"/api/keys/{made}", {"defaultTags": {"b": "2"}, "allowedModels": None}).json
    assert (changed["name"], changed["defaultTags"]) == ("k", {"b": "2"})
    assert (changed["allowedModels"], changed["allowedProviders"]) == (None, ["openai"])
    assert changed["data"]["id"] == made
    assert "rawKey" not in changed
    assert "lastUsedAt" in changed


def test_a_patch_must_name_something(daemon: Daemon) -> None:
    made = create(daemon).json["id"]
    for body in ({}, {"unknown": 1}):
        reply = daemon.call("PATCH", f"/api/keys/{made}", body)
        assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [[]]
    assert daemon.call("PATCH", f"/api/keys/{made}", {"name": None}).status == 400


def test_a_revoked_key_stops_at_once_and_is_revoked_once(daemon: Daemon) -> None:
    made = create(daemon).json
    headers = {"X-NullSpend-Key": made["rawKey"]}
    assert daemon.call("GET", "/api/auth/introspect", auth=None, headers=headers).json["keyId"] == made["id"]
    revoked = daemon.call("DELETE", f"/api/keys/{made['id']}")
    assert revoked.json["data"] == {"id": made["id"], "revokedAt": revoked.json["revokedAt"]}
    assert daemon.call("GET", "/api/auth/introspect", auth=None, headers=headers).status == 401
    assert daemon.call("DELETE", f"/api/keys/{made['id']}").status == 404
    assert daemon.call("PATCH", f"/api/keys/{made['id']}", {"name": "x"}).status == 404
    assert made["id"] not in [each["id"] for each in daemon.call("GET", "/api/keys?limit=100").json["data"]]


@pytest.mark.parametrize(
    "text",
    ["x", "019a0000-0000-7000-8000-000000000000", "ns_evt_019a0000-0000-7000-8000-000000000000", "ns_key_zzz", "%00"],
)
def test_an_id_of_another_kind_is_a_validation_error_at_id(daemon: Daemon, text: str) -> None:
    reply = daemon.call("DELETE", f"/api/keys/{text}")
    assert (reply.status, reply.json["error"]["details"]["issues"][0]["path"]) == (400, ["id"])


def test_last_use_is_noted(daemon: Daemon) -> None:
    made = create(daemon).json
    daemon.call("GET", "/api/budgets", auth=None, headers={"X-NullSpend-Key": made["rawKey"]})
    (listed,) = [each for each in daemon.call("GET", "/api/keys").json["data"] if each["id"] == made["id"]]
    assert listed["lastUsedAt"].endswith("Z")


def test_changes_leave_audit_rows(daemon: Daemon) -> None:
    made = create(daemon, name="audited").json["id"]
    daemon.call("PATCH", f"/api/keys/{made}", {"name": "renamed"})
    daemon.call("DELETE", f"/api/keys/{made}")
    with sqlite3.connect(daemon.data / "nullspend.db") as connection:
        rows = connection.execute(
            "SELECT action, resource_type, actor_id, metadata FROM audit_log WHERE resource_id = ? ORDER BY id", (made,)
        ).fetchall()
    connection.close()
    owner = daemon.state["owner"]["userId"]
    assert rows == [
        ("api_key.created", "api_key", owner, '{"name":"audited"}'),
        ("api_key.updated", "api_key", owner, '{"fields":["name"]}'),
        ("api_key.revoked", "api_key", owner, '{"name":"renamed"}'),
    ]
