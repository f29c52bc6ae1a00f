"""Plans and prices as a person names them, and the billing simulator's pages pressed by a program."""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem
from nullspend_cli.replies import Record
from nullspend_daemon.contract.plans import FREE, PLANS, UNLIMITED, Plan

FOR_SALE = ("pro", "enterprise")
_PAGES = "/_local/billing/"
_PAYING = frozenset({"active", "past_due"})


def price_of(plan: str, price: str | None) -> str:
    """The price id of a plan: as given, else from the same variable the daemon reads, else the simulator's."""
    return price or os.environ.get(f"STRIPE_PRICE_{plan.upper()}") or f"price_{plan}"


def plan_in_force(subscription: Record | None, *, hosted: bool) -> Plan:
    """What limits the organization: its tier while that is paid for, else free; without a subscription nothing on
    one's own ground and free on a hosted server."""
    if subscription is None:
        return FREE if hosted else UNLIMITED
    paid = subscription.get("status") in _PAYING
    return PLANS.get(str(subscription.get("tier")), FREE) if paid else FREE


def press(client: Client, url: str, button: str) -> str:
    """Presses a button of a simulator's page, and returns where that leads. Raises Problem for any other page."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != client.place.origin or not parts.path.startswith(_PAGES):
        raise Problem(
            f"Only the local daemon's billing simulator can be completed from here, and this page is {parts.netloc}'s.",
            next=f"Open {url}",
        )
    target = f"{parts.path}?{parts.query}"
    page: dict[str, Any] = client.get(target, auth=Auth.NONE)
    return client.submit(target, {"token": str(page["formToken"]), "action": button})


def session_of(return_url: str) -> str | None:
    """The checkout session that a paid checkout's return address names."""
    return next(iter(parse_qs(urlsplit(return_url).query).get("session_id", [])), None)
