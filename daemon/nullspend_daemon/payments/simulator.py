"""Stripe's part when there is no Stripe: checkout and portal sessions, and subscriptions that renew by the clock."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import Literal

from nullspend_daemon.errors import Conflict, Forbidden, NotFound
from nullspend_daemon.ledger.periods import current_start, period_end
from nullspend_daemon.payments import changes
from nullspend_daemon.store import subscriptions
from nullspend_daemon.store.identity import digest
from nullspend_daemon.store.subscriptions import LIVE, Terms
from nullspend_daemon.store.transaction import Row, Tx

MARK = "_local_"
"""Part of every id made here, so that none is ever taken for one of Stripe's."""
OPEN_MS = 24 * 3_600_000
KEPT_MS = 30 * 24 * 3_600_000
Kind = Literal["checkout", "portal"]
_PREFIX: dict[Kind, str] = {"checkout": "cs", "portal": "bps"}


def is_simulated(stripe_id: str | None) -> bool:
    """Whether an id was made here and not by Stripe."""
    return stripe_id is not None and MARK in stripe_id


def open_session(tx: Tx, org_id: str, kind: Kind, tier: str | None = None) -> tuple[str, str]:
    """A new checkout (for `tier`) or portal session: its id, and the token of its page, stored hashed only."""
    session_id, token = _new(_PREFIX[kind]), secrets.token_hex(32)
    tx.execute(
        "INSERT INTO billing_sessions (id, org_id, kind, token_hash, tier, state, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, 'open', ?, ?)",
        (session_id, org_id, kind, digest(token), tier, tx.now_ms, tx.now_ms + OPEN_MS),
    )
    return session_id, token


def find_session(tx: Tx, kind: Kind, session_id: str) -> Row | None:
    """A session, with or without its page's token."""
    return tx.one("SELECT * FROM billing_sessions WHERE id = ? AND kind = ?", (session_id, kind))


def enter(tx: Tx, kind: Kind, session_id: str, token: str) -> Row:
    """The session behind a page. Raises NotFound unless the token is its own and it has not lapsed."""
    row = find_session(tx, kind, session_id)
    known = row is not None and hmac.compare_digest(row["token_hash"], digest(token))
    if row is None or not known or row["expires_at"] <= tx.now_ms:
        raise NotFound("This page does not exist, or its link has lapsed. Ask for a new one with nullspend billing.")
    return row


def form_token(secret: bytes, session: Row) -> str:
    """What a form of the session's page must carry: another one after each form that was sent."""
    content = f"billing form {session['id']} {session['step']}"
    return hmac.new(secret, content.encode(), hashlib.sha256).hexdigest()


def take_form(tx: Tx, secret: bytes, session: Row, token: str) -> None:
    """Use a form's token up. Raises Forbidden when it is not the current one."""
    if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), form_token(secret, session).encode()):
        raise Forbidden("This form was sent already, or is not of this page. Load the page again.")
    tx.execute("UPDATE billing_sessions SET step = step + 1 WHERE id = ?", (session["id"],))


def pay(tx: Tx, session: Row) -> None:
    """Pay a checkout: as `checkout.session.completed`. Raises Conflict when it is paid or something else is."""
    row = subscriptions.find(tx, session["org_id"])
    if session["state"] != "open" or (row is not None and row["status"] in LIVE):
        raise Conflict("The organization has a subscription already. Use nullspend billing portal.")
    kept = row["stripe_customer_id"] if row is not None and is_simulated(row["stripe_customer_id"]) else None
    terms = replace(new_terms(session["tier"], "active", tx.now_ms), customer_id=kept or _new("cus"))
    changes.bought(tx, session["org_id"], terms)
    tx.execute(
        "UPDATE billing_sessions SET state = 'complete', stripe_customer_id = ?, stripe_subscription_id = ?"
        " WHERE id = ?",
        (terms.customer_id, terms.subscription_id, session["id"]),
    )


def new_terms(tier: str, status: str, now_ms: int) -> Terms:
    """A month from now, of a subscription and a customer made here."""
    return Terms(
        tier=tier,
        status=status,
        customer_id=_new("cus"),
        subscription_id=_new("sub"),
        period_start=now_ms,
        period_end=period_end(now_ms, "monthly"),
    )


def grant(tx: Tx, org_id: str, tier: str, status: str) -> Row:
    """Give an organization a subscription by hand: what a checkout would have led to, without the flow."""
    row = subscriptions.find(tx, org_id)
    terms = new_terms(tier, status, tx.now_ms) if row is None else replace(_terms(row), tier=tier, status=status)
    return subscriptions.put(tx, org_id, terms)


def cancel_at_period_end(tx: Tx, row: Row) -> None:
    """As `customer.subscription.updated` with the cancel flag: the plan stays until the period's end."""
    changes.updated(tx, row["org_id"], replace(_terms(row), cancel_at_period_end=True))


def renew(tx: Tx, row: Row) -> None:
    """Take a cancellation back, pay what is overdue, and begin again what is over."""
    terms = replace(_terms(row), status="active", cancel_at_period_end=False)
    if row["status"] not in LIVE or terms.period_end is None:
        terms = replace(terms, period_start=tx.now_ms, period_end=period_end(tx.now_ms, "monthly"))
    changes.updated(tx, row["org_id"], terms)


def advance_due(tx: Tx) -> int:
    """Bring simulated subscriptions up to now: a period that is over ends what was canceled and renews the rest."""
    due = tx.all(
        "SELECT * FROM subscriptions WHERE stripe_subscription_id LIKE 'sub\\_local\\_%' ESCAPE '\\'"
        " AND current_period_end <= ? AND status IN ('active', 'past_due')",
        (tx.now_ms,),
    )
    for row in due:
        if row["cancel_at_period_end"]:
            changes.deleted(tx, row["stripe_subscription_id"])
            continue
        start = current_start(row["current_period_start"], "monthly", tx.now_ms)
        terms = replace(_terms(row), period_start=start, period_end=period_end(start, "monthly"))
        changes.updated(tx, row["org_id"], terms)
    return len(due)


def drop_old_sessions(tx: Tx) -> int:
    """Delete checkout and portal sessions that lapsed a month ago; returns how many."""
    return tx.changed("DELETE FROM billing_sessions WHERE expires_at <= ?", (tx.now_ms - KEPT_MS,))


def _terms(row: Row) -> Terms:
    return Terms(
        tier=row["tier"],
        status=row["status"],
        customer_id=row["stripe_customer_id"],
        subscription_id=row["stripe_subscription_id"],
        period_start=row["current_period_start"],
        period_end=row["current_period_end"],
        cancel_at_period_end=bool(row["cancel_at_period_end"]),
    )


def _new(prefix: str) -> str:
    return f"{prefix}{MARK}{secrets.token_hex(12)}"
