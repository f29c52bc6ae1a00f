"""Where somebody who was denied may buy more: the customer's page, else the organization's."""

from urllib.parse import quote

from nullspend_daemon.store.transaction import Tx

PLACEHOLDER = "{customer_id}"


def org_url(tx: Tx, org_id: str) -> str | None:
    """An organization's page as it was set, or None."""
    return tx.value("SELECT upgrade_url FROM orgs WHERE id = ?", (org_id,))


def customer_url(tx: Tx, org_id: str, customer_id: str) -> str | None:
    """A customer's own page as it was set, or None."""
    return tx.value(
        "SELECT upgrade_url FROM customer_settings WHERE org_id = ? AND customer_id = ?", (org_id, customer_id)
    )


def shown_url(tx: Tx, org_id: str, customer_id: str | None) -> str | None:
    """The `upgrade_url` of a denial: the customer's page before the org's, `{customer_id}` filled in URL-encoded."""
    own = None if customer_id is None else customer_url(tx, org_id, customer_id)
    url = own or org_url(tx, org_id)
    if url is None or customer_id is None:
        return url
    return url.replace(PLACEHOLDER, quote(customer_id, safe=""))
