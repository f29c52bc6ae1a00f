"""Rows of api_keys in, records of core 2 out."""

import secrets
from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon import API_VERSION
from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.keys.models import CreateKey, ListKeys, UpdateKey
from nullspend_daemon.store import audit
from nullspend_daemon.store.identity import TOPIC, digest
from nullspend_daemon.store.pages import fetch_page
from nullspend_daemon.store.plans import check_count, plan_of
from nullspend_daemon.store.transaction import Row, Tx

PREFIX_LENGTH = 19


def list_keys(tx: Tx, call: Call[None, ListKeys]) -> Record:
    """List the organization's live API keys, newest first."""
    page = fetch_page(
        tx,
        "SELECT * FROM api_keys WHERE org_id = ? AND revoked_at IS NULL",
        (call.caller.org_id,),
        cursor=call.query.cursor,
        limit=call.query.limit,
    )
    return {
        "data": [_record(row) for row in page.rows],
        "cursor": page.next and page.next.on_the_wire(),
    }


def create_key(tx: Tx, call: Call[CreateKey, None]) -> Record:
    """Create an API key; the raw key is shown in this reply only."""
    caller, body = call.caller, call.body
    plan = plan_of(tx, caller.org_id, hosted=call.settings.hosted)
    live = tx.value("SELECT count(*) FROM api_keys WHERE org_id = ? AND revoked_at IS NULL", (caller.org_id,))
    check_count(live, plan.keys, "API keys", plan)
    key_id, raw = insert_key(tx, caller.org_id, caller.user_id, body)
    _audit(tx, caller, "api_key.created", key_id, {"name": body.name})
    record = _record(_live(tx, caller.org_id, key_id))
    del record["lastUsedAt"]
    return record | {"rawKey": raw}


def insert_key(tx: Tx, org_id: str, user_id: str, body: CreateKey) -> tuple[str, str]:
    """Store a new key of a user; returns its id and its raw form, which is stored hashed only."""
    key_id, raw = new_id(Kind.KEY, tx.now_ms), f"ns_live_sk_{secrets.token_hex(16)}"
    tx.execute(
        "INSERT INTO api_keys (id, org_id, user_id, name, key_hash, key_prefix, default_tags, allowed_models,"
        " allowed_providers, api_version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key_id,
            org_id,
            user_id,
            body.name,
            digest(raw),
            raw[:PREFIX_LENGTH],
            _json(body.default_tags),
            _json(body.allowed_models),
            _json(body.allowed_providers),
            API_VERSION,
            tx.now_ms,
        ),
    )
    return key_id, raw


def update_key(tx: Tx, call: Call[UpdateKey, None]) -> Record:
    """Change a key's name, default tags or allow-lists; effective on the next request."""
    caller, body, key_id = call.caller, call.body, call.params["id"]
    row = _live(tx, caller.org_id, key_id)
    tx.execute(
        "UPDATE api_keys SET name = ?, default_tags = ?, allowed_models = ?, allowed_providers = ? WHERE id = ?",
        (
            body.name if body.given("name") else row["name"],
            _json(body.default_tags) if body.given("default_tags") else row["default_tags"],
            _json(body.allowed_models) if body.given("allowed_models") else row["allowed_models"],
            _json(body.allowed_providers) if body.given("allowed_providers") else row["allowed_providers"],
            key_id,
        ),
    )
    tx.notify(TOPIC)
    changed = sorted(name for name in body.model_dump(by_alias=True, exclude_unset=True))
    _audit(tx, caller, "api_key.updated", key_id, {"fields": changed})
    return _record(_live(tx, caller.org_id, key_id))


def revoke_key(tx: Tx, call: Call[None, None]) -> Record:
    """Revoke a key; it stops working with the next request and past events keep its name."""
    caller, key_id = call.caller, call.params["id"]
    row = _live(tx, caller.org_id, key_id)
    tx.execute("UPDATE api_keys SET revoked_at = ? WHERE id = ?", (tx.now_ms, key_id))
    tx.notify(TOPIC)
    _audit(tx, caller, "api_key.revoked", key_id, {"name": row["name"]})
    return {"id": key_id, "revokedAt": to_iso(tx.now_ms)}


def _live(tx: Tx, org_id: str, key_id: str) -> Row:
    row = tx.one("SELECT * FROM api_keys WHERE id = ? AND org_id = ? AND revoked_at IS NULL", (key_id, org_id))
    if row is None:
        raise NotFound("API key not found or already revoked.")
    return row


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "name": row["name"],
        "keyPrefix": row["key_prefix"],
        "defaultTags": from_json(row["default_tags"]),
        "allowedModels": row["allowed_models"] and from_json(row["allowed_models"]),
        "allowedProviders": row["allowed_providers"] and from_json(row["allowed_providers"]),
        "lastUsedAt": to_iso_or_none(row["last_used_at"]),
        "createdAt": to_iso(row["created_at"]),
    }


def _json(value: Any) -> str | None:
    return None if value is None else to_json(value).decode()


def _audit(tx: Tx, caller: Caller, action: str, key_id: str, metadata: Record) -> None:
    audit.record(
        tx,
        org_id=caller.org_id,
        actor_id=caller.user_id,
        action=action,
        resource=("api_key", key_id),
        metadata=metadata,
    )
