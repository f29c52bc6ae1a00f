"""Who is calling, and the switch to another organization."""

from nullspend_daemon.errors import Forbidden
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.session.models import SwitchOrg
from nullspend_daemon.store.identity import role_in
from nullspend_daemon.store.transaction import Tx


async def introspect(call: Call[None, None]) -> Record:
    """Say which key and which user a request acts for."""
    return {"userId": call.caller.user_id, "keyId": call.caller.api_key.key_id}


async def get_session(call: Call[None, None]) -> Record:
    """Say who is signed in, and in which organization."""
    return {"userId": call.caller.user_id, "orgId": call.caller.org_id, "role": call.caller.role}


def switch_org(tx: Tx, call: Call[SwitchOrg, None]) -> Record:
    """Make another organization of the caller the active one."""
    org_id = call.body.org_id
    role = role_in(tx, org_id, call.caller.user_id)
    if role is None:
        raise Forbidden("You are not a member of this organization.")
    call.active_org = (org_id, role)
    return {"userId": call.caller.user_id, "orgId": org_id, "role": role}
