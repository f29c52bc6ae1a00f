"""/_local/billing/*: the simulator's checkout and portal, for a person with a browser or a program with JSON.

The URL carries a token instead of the admin token. GET shows; each button is a form whose token is good once.
"""

from collections.abc import Callable
from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import StringConstraints

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.plans import PLANS
from nullspend_daemon.errors import NotFound, NullSpendError, ValidationFailed
from nullspend_daemon.http.caller import PAGE
from nullspend_daemon.http.route import Call, Document, Record, Route
from nullspend_daemon.http.wire import Query, Wire
from nullspend_daemon.local.pages import page, redirect, text
from nullspend_daemon.payments import changes, simulator
from nullspend_daemon.payments.config import stripe_config
from nullspend_daemon.payments.simulator import Kind
from nullspend_daemon.store import subscriptions
from nullspend_daemon.store.transaction import Row, Tx

CHECKOUT_BUTTONS = {"pay": "Pay", "cancel": "Go back without paying"}
PORTAL_BUTTONS = {
    "cancel": "Cancel at the end of the period",
    "cancel-now": "Cancel now",
    "renew": "Renew: take a cancellation back, pay what is overdue",
    "fail-payment": "Fail a payment",
    "done": "Go back",
}


class PageQuery(Query):
    """The token that lets a page be seen."""

    token: Annotated[str, StringConstraints()] = ""


class BillingPage(Wire):
    """A page for a program: what there is, and what may be sent back as a form of `token` and `action`."""

    kind: str
    state: str
    tier: str | None
    form_token: str
    actions: list[str]


PageCall = Call[None, PageQuery]


def show_checkout(tx: Tx, call: PageCall) -> Document | Record:
    """Show what a checkout would buy."""
    return _guarded(call, lambda: _shown_checkout(tx, call))


def send_checkout(tx: Tx, call: PageCall) -> Document | Record:
    """Pay a checkout or go back."""
    return _guarded(call, lambda: _sent_checkout(tx, call))


def show_portal(tx: Tx, call: PageCall) -> Document | Record:
    """Show a subscription and what can be done with it."""
    return _guarded(call, lambda: _shown_portal(tx, call))


def send_portal(tx: Tx, call: PageCall) -> Document | Record:
    """Cancel, renew, or let a payment fail."""
    return _guarded(call, lambda: _sent_portal(tx, call))


def _shown_checkout(tx: Tx, call: PageCall) -> Document | Record:
    session = _enter(tx, call, "checkout")
    plan = PLANS[session["tier"]]
    price = "a custom price" if plan.usd_per_month is None else f"${plan.usd_per_month} a month"
    name = tx.value("SELECT name FROM orgs WHERE id = ?", (session["org_id"],))
    sentences = [f"{plan.label} plan for {name}: {price}.", "This is a simulator. No money moves."]
    buttons = CHECKOUT_BUTTONS if session["state"] == "open" else {}
    if not buttons:
        sentences.append("This checkout has been paid.")
    return _page(call, session, "Checkout", sentences, buttons)


def _sent_checkout(tx: Tx, call: PageCall) -> Document:
    session = _enter(tx, call, "checkout")
    action = _take(tx, call, session, CHECKOUT_BUTTONS)
    back = f"{call.parts.dash}/app/billing"
    if action == "cancel":
        return redirect(back)
    simulator.pay(tx, session)
    return redirect(f"{back}?success=true&session_id={session['id']}")


def _shown_portal(tx: Tx, call: PageCall) -> Document | Record:
    session = _enter(tx, call, "portal")
    row = _subscription(tx, session)
    sentences = [f"{PLANS[row['tier']].label} plan, {row['status']}.", "This is a simulator. No money moves."]
    if row["current_period_end"] is not None:
        verb = "ends" if row["cancel_at_period_end"] else "renews"
        sentences.insert(1, f"The period {verb} at {to_iso(row['current_period_end'])}.")
    return _page(call, session, "Billing portal", sentences, PORTAL_BUTTONS)


def _sent_portal(tx: Tx, call: PageCall) -> Document:
    session = _enter(tx, call, "portal")
    action = _take(tx, call, session, PORTAL_BUTTONS)
    row = _subscription(tx, session)
    if action == "cancel":
        simulator.cancel_at_period_end(tx, row)
    elif action == "renew":
        simulator.renew(tx, row)
    elif action == "cancel-now":
        changes.deleted(tx, row["stripe_subscription_id"])
    elif action == "fail-payment":
        changes.invoice_failed(tx, row["stripe_subscription_id"])
    return redirect(f"{call.parts.dash}/app/billing")


def _enter(tx: Tx, call: PageCall, kind: Kind) -> Row:
    if not stripe_config(call.settings).simulated:
        raise NotFound("This daemon uses Stripe itself; there is no simulator.")
    return simulator.enter(tx, kind, call.params["id"], call.query.token)


def _subscription(tx: Tx, session: Row) -> Row:
    row = subscriptions.find(tx, session["org_id"])
    if row is None:
        raise NotFound("The organization has no subscription any more.")
    return row


def _take(tx: Tx, call: PageCall, session: Row, buttons: dict[str, str]) -> str:
    """The button that was pressed; its form's token is used up. Raises ValidationFailed or Forbidden."""
    form = parse_qs(call.raw_body.decode("utf-8", "replace"))
    action, token = (form.get(name, [""])[0] for name in ("action", "token"))
    if action not in buttons:
        raise ValidationFailed.at(["action"], f"Must be one of: {', '.join(buttons)}")
    simulator.take_form(tx, call.parts.secret, session, token)
    return action


def _page(call: PageCall, session: Row, title: str, sentences: list[str], buttons: dict[str, str]) -> Document | Record:
    token = simulator.form_token(call.parts.secret, session)
    if _wants_json(call):
        return {
            "kind": session["kind"],
            "state": session["state"],
            "tier": session["tier"],
            "formToken": token,
            "actions": list(buttons),
        }
    forms = "".join(
        f'<button name="action" value="{escape(action)}">{escape(words)}</button>' for action, words in buttons.items()
    )
    hidden = f'<input type="hidden" name="token" value="{token}">'
    origin = urlsplit(call.parts.dash)
    return page(
        title,
        *(text(sentence) for sentence in sentences),
        f'<form method="post">{hidden}{forms}</form>',
        forms_lead_to=f"{origin.scheme}://{origin.netloc}",
    )


def _guarded(call: PageCall, answer: Callable[[], Document | Record]) -> Document | Record:
    """A person gets a page that says what is wrong, a program the usual error."""
    try:
        return answer()
    except NullSpendError as error:
        if _wants_json(call):
            raise
        return page("Billing", text(error.message), status=error.status)


def _wants_json(call: Call[Any, Any]) -> bool:
    return "application/json" in call.headers.get("Accept", "")


def _routes(kind: Kind, show: Any, send: Any) -> list[Route]:
    path = f"/_local/billing/{kind}/{{id}}"
    shared: dict[str, Any] = {
        "path": path,
        "auth": PAGE,
        "params": {"id": str},
        "query": PageQuery,
        "reply": BillingPage,
        "document_type": "text/html",
        "errors": ("not_found", "forbidden", "conflict"),
    }
    return [
        Route(method="GET", reads=show, **shared),
        Route(method="POST", writes=send, takes_raw_body=True, status=303, **shared),
    ]


ROUTES = [
    *_routes("checkout", show_checkout, send_checkout),
    *_routes("portal", show_portal, send_portal),
]
