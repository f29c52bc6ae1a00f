"""Upgrade URLs: where a denied caller, or one customer of theirs, may buy more."""

import re

from nullspend_daemon.errors import ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.orgs.models import SetUpgradeUrl
from nullspend_daemon.store import audit
from nullspend_daemon.store.transaction import Tx
from nullspend_daemon.store.upgrade_urls import customer_url, org_url

_CUSTOMER_ID = re.compile(r"[a-zA-Z0-9._:-]{1,256}")


def read_customer_id(text: str) -> str:
    """The `{customerId}` of a path, trimmed. Raises ValidationFailed."""
    trimmed = text.strip()
    if _CUSTOMER_ID.fullmatch(trimmed) is None:
        raise ValidationFailed.at(["customerId"], "Must be 1 to 256 letters, digits and . _ : -")
    return trimmed


def get_org_url(tx: Tx, call: Call[None, None]) -> Record:
    """Show the organization's upgrade URL."""
    return {"upgradeUrl": org_url(tx, call.caller.org_id)}


def set_org_url(tx: Tx, call: Call[SetUpgradeUrl, None]) -> Record:
    """Set the organization's upgrade URL; null clears it."""
    caller, url = call.caller, call.body.upgrade_url
    tx.execute("UPDATE orgs SET upgrade_url = ? WHERE id = ?", (url, caller.org_id))
    audit.record_of(tx, caller, "org_upgrade_url.updated", ("organization", caller.org_id), {"upgradeUrl": url})
    return {"upgradeUrl": url}


def get_customer_url(tx: Tx, call: Call[None, None]) -> Record:
    """Show a customer's own upgrade URL."""
    customer_id = call.params["customerId"]
    return {"customerId": customer_id, "upgradeUrl": customer_url(tx, call.caller.org_id, customer_id)}


def set_customer_url(tx: Tx, call: Call[SetUpgradeUrl, None]) -> Record:
    """Set a customer's own upgrade URL; null clears it, and the organization's counts again."""
    caller, url, customer_id = call.caller, call.body.upgrade_url, call.params["customerId"]
    tx.execute(
        "INSERT INTO customer_settings (org_id, customer_id, upgrade_url) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (org_id, customer_id) DO UPDATE SET upgrade_url = ?3",
        (caller.org_id, customer_id, url),
    )
    audit.record_of(tx, caller, "customer_upgrade_url.updated", ("customer_settings", customer_id), {"upgradeUrl": url})
    return {"customerId": customer_id, "upgradeUrl": url}
