"""Looking at actions: what has lapsed expires first, so that nobody reads a pending action whose time is over."""

from collections.abc import Callable
from typing import Any

from nullspend_daemon.approvals.expiry import expire_due_in, has_due
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.actions import service
from nullspend_daemon.resources.actions.models import ListActions
from nullspend_daemon.store.transaction import Tx


async def list_actions(call: Call[None, ListActions]) -> Record:
    """List the organization's actions, newest first."""
    return await _looked(call, service.list_actions)


async def get_action(call: Call[None, None]) -> Record:
    """Show one action."""
    return await _looked(call, service.get_action)


async def action_costs(call: Call[None, None]) -> Record:
    """List the cost events of one action, newest first."""
    return await _looked(call, service.action_costs)


async def _looked(call: Call[Any, Any], look: Callable[[Tx, Any], Record]) -> Record:
    """What `look` reads. The writer is only asked when something is due: most looks are polls of a waiting agent."""
    store, org_id = call.parts.store, call.caller.org_id
    if await store.read(lambda tx: has_due(tx, org_id)):
        await store.write(lambda tx: expire_due_in(tx, org_id))
    return await store.read(lambda tx: look(tx, call))
