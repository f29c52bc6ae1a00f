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
    """The `upgrade_url` of a customer's denial: the customer's page before the org's."""
    own = None if customer_id is None else customer_url(tx, org_id, customer_id)
    return shown_org_url(tx, org_id, customer_id) if own is None else _filled(own, customer_id)


def shown_org_url(tx: Tx, org_id: str, customer_id: str | None) -> str | None:
    """The `upgrade_url` of any other denial: the org's page, also when the call is a customer's."""
    url = org_url(tx, org_id)
    return None if url is None else _filled(url, customer_id)


def _filled(url: str, customer_id: str | None) -> str:
    """`url` with `{customer_id}` replaced, URL-encoded; left as it is without a customer."""
    return url if customer_id is None else url.replace(PLACEHOLDER, quote(customer_id, safe=""))
