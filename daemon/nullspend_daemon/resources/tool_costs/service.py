"""Rows of tool_costs in, records out. A cost set by hand stays through every discovery until it is reset."""

from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.tool_costs.models import Discover, DiscoveredTool, SetToolCost
from nullspend_daemon.store.transaction import Row, Tx

_UPSERT = (
    "INSERT INTO tool_costs (id, org_id, user_id, server_name, tool_name, cost_microdollars, suggested_microdollars,"
    " source, description, annotations, last_seen_at, created_at, updated_at)"
    " VALUES (:id, :org, :user, :server, :tool, :cost, :suggested, 'discovered', :description, :annotations,"
    " :now, :now, :now) ON CONFLICT (org_id, server_name, tool_name) DO UPDATE SET"
    " cost_microdollars = CASE WHEN source = 'manual' THEN cost_microdollars ELSE excluded.cost_microdollars END,"
    " suggested_microdollars = excluded.suggested_microdollars, description = excluded.description,"
    " annotations = excluded.annotations, last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at"
)


def list_tool_costs(tx: Tx, call: Call[None, None]) -> Record:
    """List the tools of the organization and what a call of each costs."""
    rows = tx.all("SELECT * FROM tool_costs WHERE org_id = ? ORDER BY server_name, tool_name", (call.caller.org_id,))
    return {"data": [_record(row) for row in rows]}


def set_tool_cost(tx: Tx, call: Call[SetToolCost, None]) -> Record:
    """Set what a call of a known tool costs."""
    org_id, body = call.caller.org_id, call.body
    row = tx.one(
        "SELECT id FROM tool_costs WHERE org_id = ? AND server_name = ? AND tool_name = ?",
        (org_id, body.server_name, body.tool_name),
    )
    if row is None:
        raise NotFound(f"The tool {body.server_name}/{body.tool_name} has not been discovered yet.")
    tx.execute(
        "UPDATE tool_costs SET cost_microdollars = ?, source = 'manual', updated_at = ? WHERE id = ?",
        (body.cost_microdollars, tx.now_ms, row["id"]),
    )
    return _record(_find(tx, org_id, row["id"]))


def reset_tool_cost(tx: Tx, call: Call[None, None]) -> Record:
    """Set a tool's cost to 0 and let discovery set it again; the tool stays listed."""
    row = _find(tx, call.caller.org_id, call.params["id"])
    tx.execute(
        "UPDATE tool_costs SET cost_microdollars = 0, source = 'discovered', updated_at = ? WHERE id = ?",
        (tx.now_ms, row["id"]),
    )
    return {"deleted": True}


def discover(tx: Tx, call: Call[Discover, None]) -> Record:
    """Register the tools of a server; costs set by hand stay."""
    tools = call.body.tools
    tx.executemany(_UPSERT, [_columns(tx, call, tool) for tool in tools])
    return {"registered": len(tools)}


def _columns(tx: Tx, call: Call[Discover, None], tool: DiscoveredTool) -> dict[str, Any]:
    return {
        "id": new_id(Kind.TOOL_COST, tx.now_ms),
        "org": call.caller.org_id,
        "user": call.caller.user_id,
        "server": call.body.server_name,
        "tool": tool.name,
        "cost": tool.tier_cost,
        "suggested": tool.suggested_cost,
        "description": tool.description,
        "annotations": None if tool.annotations is None else to_json(tool.annotations).decode(),
        "now": tx.now_ms,
    }


def _find(tx: Tx, org_id: str, tool_id: str) -> Row:
    row = tx.one("SELECT * FROM tool_costs WHERE id = ? AND org_id = ?", (tool_id, org_id))
    if row is None:
        raise NotFound("There is no such tool in this organization.")
    return row


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "userId": row["user_id"],
        "serverName": row["server_name"],
        "toolName": row["tool_name"],
        "costMicrodollars": row["cost_microdollars"],
        "suggestedCost": row["suggested_microdollars"],
        "source": row["source"],
        "description": row["description"],
        "annotations": row["annotations"] and from_json(row["annotations"]),
        "lastSeenAt": to_iso_or_none(row["last_seen_at"]),
        "createdAt": to_iso(row["created_at"]),
        "updatedAt": to_iso(row["updated_at"]),
    }
