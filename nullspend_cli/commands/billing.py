"""Your plan at NullSpend, and your own Stripe account."""

from typing import Annotated, Any

import typer

from nullspend_cli import billing
from nullspend_cli.group import Noun
from nullspend_cli.options import Yes
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import count, money, plain
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "get": """
nullspend billing get
nullspend billing get --jq .subscription.tier
""",
    "checkout": """
nullspend billing checkout
nullspend billing checkout enterprise --complete
""",
    "portal": """
nullspend billing portal
nullspend billing portal --complete cancel
""",
    "sync": """
nullspend billing sync cs_0123456789
""",
    "connect": """
nullspend billing connect
nullspend billing connect < restricted-key.txt
""",
    "disconnect": """
nullspend billing disconnect
""",
    "sync-revenue": """
nullspend billing sync-revenue
""",
}


def _limit(field: str) -> Any:
    return lambda state: (state.get("limits") or {}).get(field)


def _of(part: str, field: str) -> Any:
    return lambda state: (state.get(part) or {}).get(field)


_COLUMNS = (
    column("plan"),
    column("status", value=_of("subscription", "status")),
    column("ends", value=_of("subscription", "currentPeriodEnd"), show=show_time),
    column("cancelAtPeriodEnd", "CANCELLED", value=_of("subscription", "cancelAtPeriodEnd")),
    column("spendCap", "LARGEST BUDGET", money, value=_limit("spendCapMicrodollars"), absent="any"),
    column("budgets", show=count, value=_limit("budgets"), absent="any"),
    column("keys", show=count, value=_limit("keys"), absent="any"),
    column("webhooks", show=count, value=_limit("webhooks"), absent="any"),
    column("seats", show=count, value=_limit("seats"), absent="any"),
    column("stripe", "STRIPE ACCOUNT", value=_of("connection", "keyPrefix"), absent="not connected"),
    column("stripeStatus", "ITS STATE", value=_of("connection", "status")),
    column("lastSyncAt", "LAST SYNC", show_time, value=_of("connection", "lastSyncAt")),
    column("lastError", "LAST ERROR", value=_of("connection", "lastError")),
)
_URL = (column("url", "PAGE"),)
_ACTIONS = ("cancel", "cancel-now", "renew", "fail-payment")
_SYNCED = (
    column("customersProcessed", "CUSTOMERS", count),
    column("periodsUpdated", "MONTHS", count),
    column("invoicesFetched", "INVOICES", count),
    column("invoicesSkipped", "SKIPPED", count),
    column("skippedCurrencies", "NOT IN DOLLARS"),
    column("autoMatchesCreated", "NEW MATCHES", count),
)

noun = Noun(EXAMPLES)


@noun.verb()
def get(run: Run) -> None:
    """Show the organization's plan, its limits, and the connection to its own Stripe account."""
    subscription = run.client.get("/api/stripe/subscription").get("data")
    connection = run.client.get("/api/stripe/connect").get("data")
    daemon = run.place.daemon
    plan = billing.plan_in_force(subscription, hosted=daemon is None or daemon.hosted)
    limits = {
        "spendCapMicrodollars": plan.spend_cap_microdollars,
        "budgets": plan.budgets,
        "keys": plan.keys,
        "webhooks": plan.webhooks,
        "seats": plan.seats,
    }
    state = {
        "plan": plan.label if plan.tier else "none: nothing is limited",
        "subscription": subscription,
        "limits": limits,
        "connection": connection,
    }
    run.out.record(state, _COLUMNS, id_field="plan")


@noun.verb()
def checkout(
    run: Run,
    plan: Annotated[str, typer.Argument(metavar="[pro|enterprise]", help="What to buy.")] = "pro",
    price: Annotated[
        str | None, typer.Option("--price", metavar="ID", help="Its price at Stripe.", show_default=False)
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Pay at once; the local simulator only.")] = False,
) -> None:
    """Buy a plan: prints the page to pay on. Without a Stripe key the local daemon simulates it; no money moves.

    The price is the one of STRIPE_PRICE_PRO or STRIPE_PRICE_ENTERPRISE, as for the daemon, unless given.
    """
    if plan not in billing.FOR_SALE:
        raise Usage(f"There is no plan {plan!r} to buy; there are {' and '.join(billing.FOR_SALE)}.")
    page = record(run.client.post("/api/stripe/checkout", {"priceId": billing.price_of(plan, price)}))
    if not complete:
        run.out.record(page, _URL, id_field="url")
        run.out.hint("Pay there. Then: nullspend billing get")
        return
    session = billing.session_of(billing.press(run.client, str(page["url"]), "pay"))
    _sync(run, str(session))


@noun.verb()
def portal(
    run: Run,
    complete: Annotated[
        str | None,
        typer.Option(
            "--complete",
            metavar="|".join(_ACTIONS),
            help="Do this at once; the local simulator only.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Cancel, renew or pay the subscription: prints the page for it."""
    if complete is not None and complete not in _ACTIONS:
        raise Usage(f"{complete!r} cannot be done there; there are {', '.join(_ACTIONS)}.")
    page = record(run.client.post("/api/stripe/portal"))
    if complete is None:
        run.out.record(page, _URL, id_field="url")
        return
    billing.press(run.client, str(page["url"]), complete)
    subscription = run.client.get("/api/stripe/subscription").get("data") or {}
    run.out.result(_standing(subscription), subscription)


@noun.verb()
def sync(
    run: Run,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The checkout session that was paid: cs_...")],
) -> None:
    """Take over what a paid checkout bought, without waiting for Stripe to tell the server."""
    _sync(run, session)


def _sync(run: Run, session: str) -> None:
    subscription = record(run.client.post("/api/stripe/subscription/sync", {"sessionId": session}))
    run.out.result(_standing(subscription), subscription)


def _standing(subscription: Record) -> str:
    tier, status = plain(subscription.get("tier")), plain(subscription.get("status"))
    end = show_time(subscription.get("currentPeriodEnd"))
    until = f" {'ends' if subscription.get('cancelAtPeriodEnd') else 'until'} {end}" if end else ""
    return f"The {tier} plan is {status},{until}." if until else f"The {tier} plan is {status}."


@noun.verb()
def connect(run: Run) -> None:
    """Connect the organization's own Stripe account, whose invoices are its revenue.

    Asks for a restricted key (rk_...) that may read customers and invoices, or reads it from standard input. The
    server keeps it encrypted.
    """
    key = run.out.terminal.secret("restricted Stripe key")
    made = record(run.client.post("/api/stripe/connect", {"stripeKey": key}))
    run.out.result(f"Connected the Stripe account of {made['keyPrefix']}.", made)
    run.out.hint("To read its invoices now: nullspend billing sync-revenue")


@noun.verb()
def disconnect(run: Run, yes: Yes = False) -> None:
    """Forget the organization's Stripe account, with its revenue and the customers' mappings."""
    run.out.confirm("Disconnect Stripe? Its key, all revenue and all mappings of customers are deleted.", yes=yes)
    reply = record(run.client.delete("/api/stripe/disconnect"))
    run.out.result("Disconnected Stripe.", reply, id_field="deleted")


@noun.verb()
def sync_revenue(run: Run) -> None:
    """Read the paid invoices of this month and the three before it from the organization's Stripe account."""
    done = record(run.client.get("/api/stripe/revenue-sync"))
    run.out.record(done, _SYNCED, id_field="orgId")
    if done.get("error"):
        raise Problem(f"The sync stopped: {done['error']}", next="nullspend billing get")
