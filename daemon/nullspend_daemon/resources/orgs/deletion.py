"""DELETE /api/orgs/:orgId: the subscription at Stripe first, then every row in one transaction."""

import logging

from nullspend_daemon.errors import NullSpendError
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.payments import simulator
from nullspend_daemon.payments.config import stripe_config
from nullspend_daemon.payments.stripe_api import StripeApi
from nullspend_daemon.resources.orgs.service import find_team
from nullspend_daemon.store import audit, subscriptions
from nullspend_daemon.store.org_deletion import delete_org
from nullspend_daemon.store.subscriptions import LIVE
from nullspend_daemon.store.transaction import Row, Tx

log = logging.getLogger(__name__)


async def delete(call: Call[None, None]) -> Record:
    """Delete a team organization with everything in it; its audit log stays."""
    subscription = await call.parts.store.read(lambda tx: _checked(tx, call))
    if subscription is not None:
        await call.parts.in_thread(lambda: _cancel_at_stripe(call, subscription))
    await call.parts.store.write(lambda tx: _delete(tx, call))
    return {"success": True}


def _checked(tx: Tx, call: Call[None, None]) -> Row | None:
    find_team(tx, call.caller.org_id, "deleted")
    return subscriptions.find(tx, call.caller.org_id)


def _cancel_at_stripe(call: Call[None, None], subscription: Row) -> None:
    """A failure is logged and stands in nobody's way: the organization is to go."""
    key, subscription_id = stripe_config(call.settings).secret_key, subscription["stripe_subscription_id"]
    ended = subscription["status"] not in LIVE
    if key is None or subscription_id is None or ended or simulator.is_simulated(subscription_id):
        return
    try:
        StripeApi(key, stripe_config(call.settings).api_url).cancel(subscription_id)
    except NullSpendError as error:
        log.error("subscription %s could not be cancelled at Stripe: %s", subscription_id, error.message)


def _delete(tx: Tx, call: Call[None, None]) -> None:
    call.confirm(tx)
    find_team(tx, call.caller.org_id, "deleted")
    audit.record_of(tx, call.caller, "org.deleted", ("org", call.caller.org_id))
    delete_org(tx, call.caller.org_id)
