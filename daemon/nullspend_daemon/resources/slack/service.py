"""Where an organization hears of things in Slack: one configuration each, its webhook URL never shown whole."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.slack.hosts import masked, slack_of
from nullspend_daemon.resources.slack.models import SetSlack
from nullspend_daemon.store import audit, slack_queue
from nullspend_daemon.store.transaction import Row, Tx

_UPSERT = (
    "INSERT INTO slack_configs (org_id, id, webhook_url, channel_name, slack_user_id, is_active, created_at,"
    " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (org_id) DO UPDATE SET webhook_url = ?3,"
    " channel_name = ?4, slack_user_id = ?5, is_active = ?6, updated_at = ?7"
)


def get_config(tx: Tx, call: Call[None, None]) -> Record:
    """Show where the organization hears of things in Slack; null before it is set up."""
    row = find(tx, call.caller.org_id)
    return {"data": None if row is None else _record(row)}


def set_config(tx: Tx, call: Call[SetSlack, None]) -> Record:
    """Set Slack up, or change it; what is left out is reset."""
    org_id, body = call.caller.org_id, call.body
    slack_of(call.settings).check_url(body.webhook_url)
    config_id = new_uuid(tx.now_ms)
    channel = body.channel_name or None
    tx.execute(
        _UPSERT,
        (org_id, config_id, body.webhook_url, channel, body.slack_user_id, int(body.is_active), tx.now_ms),
    )
    row = need(tx, org_id)
    audit.record_of(tx, call.caller, "slack.configured", ("slack_config", row["id"]), {"channelName": channel})
    return _record(row)


def delete_config(tx: Tx, call: Call[None, None]) -> Record:
    """Stop telling Slack; what still waits to be sent is dropped."""
    row = need(tx, call.caller.org_id)
    tx.execute("DELETE FROM slack_configs WHERE org_id = ?", (row["org_id"],))
    slack_queue.drop_all(tx, row["org_id"])
    metadata = {"channelName": row["channel_name"]}
    audit.record_of(tx, call.caller, "slack.deleted", ("slack_config", row["id"]), metadata)
    return {"success": True}


def find(tx: Tx, org_id: str) -> Row | None:
    """An organization's configuration, or None."""
    return tx.one("SELECT * FROM slack_configs WHERE org_id = ?", (org_id,))


def need(tx: Tx, org_id: str) -> Row:
    """An organization's configuration. Raises NotFound."""
    row = find(tx, org_id)
    if row is None:
        raise NotFound("Slack is not set up.")
    return row


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "webhookUrl": masked(row["webhook_url"]),
        "channelName": row["channel_name"],
        "slackUserId": row["slack_user_id"],
        "isActive": bool(row["is_active"]),
        "createdAt": to_iso(row["created_at"]),
        "updatedAt": to_iso(row["updated_at"]),
    }
