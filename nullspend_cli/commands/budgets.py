"""Budgets."""

from typing import Annotated, Any

import typer

from nullspend_cli.budgeting import Entity, changed_body, columns, details, shown_policy, status_columns, with_held
from nullspend_cli.charts import spend_columns, sums
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import PERIOD, STANDARD, Limit, Yes, money_option
from nullspend_cli.output import Empty
from nullspend_cli.render import money
from nullspend_cli.replies import record, rows
from nullspend_cli.run import Run
from nullspend_cli.velocities import velocity_columns, velocity_rows
from nullspend_daemon.contract.ids import Kind

EXAMPLES = {
    "list": """
nullspend budgets list
nullspend budgets list --json --fields entityId,spendMicrodollars
""",
    "get": """
nullspend budgets get researcher
nullspend budgets get team=platform
""",
    "set": """
nullspend budgets set --key researcher --max '$5'
nullspend budgets set --tag team=platform --max '$500' --every monthly --thresholds 50,80,95
nullspend budgets set --customer acme --max '$20' --velocity '$1' --window 60 --cooldown 300
nullspend budgets set --user --max '$50' --session-max '$2' --policy warn
nullspend budgets set --key researcher --velocity none
""",
    "delete": """
nullspend budgets delete researcher
nullspend budgets rm ns_bgt_019a0000-0000-7000-8000-000000000000 --yes
""",
    "reset": """
nullspend budgets reset researcher
""",
    "sources": """
nullspend budgets sources researcher --period 7d
""",
    "status": """
nullspend budgets status
nullspend budgets status --key researcher
""",
    "velocity": """
nullspend budgets velocity
nullspend budgets velocity --json
""",
}

_NONE = Empty("There are no budgets yet.", "nullspend budgets set --key default --max '$5'")
_NO_VELOCITY = Empty("No budget has a velocity limit.", "nullspend budgets set --key default --velocity '$1'")
_NOTHING_APPLIES = Empty("No budget limits this key or its user.", "nullspend budgets set --key default --max '$5'")
_NO_SPEND = Empty("Nothing of this budget was spent then.", "nullspend budgets list")

noun = Noun(EXAMPLES)

_Budget = Annotated[str, typer.Argument(metavar="BUDGET", help="Its id, or the key, email, tag or customer it is for.")]
_Policies = {"strict": "strict_block", "soft": "soft_block", "warn": "warn"}


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List the budgets of the organization: what may be spent, what is, what is left.

    A limit turns yellow at the first of its thresholds, red at one of 90 or more, or when it is used up.
    """
    found = run.names.budgets[: run.rows_wanted(limit) or None]
    run.out.table(found, columns(run.names, run.out.terminal.glyphs), empty=_NONE)


@noun.verb()
def get(run: Run, budget: _Budget) -> None:
    """Show one budget with all its settings."""
    run.out.record(run.names.budget(budget), details(run.names, run.out.terminal.glyphs))


@noun.verb("set")
def set_(
    run: Run,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="For a key, by name or id.", show_default=False)
    ] = None,
    user: Annotated[bool, typer.Option("--user", help="For yourself, whatever key you use.")] = False,
    tag: Annotated[str | None, typer.Option("--tag", metavar="K=V", help="For a tag.", show_default=False)] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="For a customer.", show_default=False)
    ] = None,
    max_: Annotated[int | None, money_option("--max", "What may be spent; a new budget needs it.")] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="daily|weekly|monthly|yearly|none", help="Start again every ...", show_default=False
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="strict|soft|warn",
            help="Deny, allow and log, or only track. [new: strict]",
            show_default=False,
        ),
    ] = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            "--thresholds", metavar="N,N|none", help="Percentages to warn at. [new: 50,80,90,95]", show_default=False
        ),
    ] = None,
    velocity: Annotated[
        int | None, money_option("--velocity", "Most that may be spent in a window, or none.", removable=True)
    ] = None,
    window: Annotated[
        int | None,
        typer.Option("--window", metavar="SECONDS", help="The velocity window, 10 to 3600.", show_default=False),
    ] = None,
    cooldown: Annotated[
        int | None,
        typer.Option("--cooldown", metavar="SECONDS", help="The pause after too fast, 10 to 3600.", show_default=False),
    ] = None,
    session_max: Annotated[
        int | None, money_option("--session-max", "Most for one session, or none.", removable=True)
    ] = None,
    reserve: Annotated[int | None, money_option("--reserve", "Kept back for final calls.")] = None,
) -> None:
    """Set a budget for a key, yourself, a tag or a customer.

    An existing one is changed only in what is given.
    """
    entity = Entity.of(run.names, key=key, user=user, tag=tag, customer=customer)
    given = {
        "maxBudgetMicrodollars": max_,
        "resetInterval": every,
        "policy": _Policies.get(policy or "", policy),
        "thresholdPercentages": thresholds,
        "velocityLimitMicrodollars": velocity,
        "velocityWindowSeconds": window,
        "velocityCooldownSeconds": cooldown,
        "sessionLimitMicrodollars": session_max,
        "finalizationReserveMicrodollars": reserve,
    }
    before = entity.stored(run.names)
    after = record(run.client.post("/api/budgets", changed_body(entity, before, given)), Kind.BUDGET)
    run.out.result(f"{'Changed' if before else 'Set'} the budget of {entity.name}: {_summary(after)}.", after)
    if before and before.get("resetInterval") and after.get("resetInterval"):
        run.out.hint("Its period starts anew with every change; what is spent stays.")


def _summary(budget: dict[str, Any]) -> str:
    every = budget.get("resetInterval")
    return (
        money(budget["maxBudgetMicrodollars"]) + (f" {every}" if every else "") + f", {shown_policy(budget['policy'])}"
    )


@noun.verb()
def delete(run: Run, budget: _Budget, yes: Yes = False) -> None:
    """Delete a budget. Nothing limits its key, user, tag or customer any more."""
    found = run.names.budget(budget)
    name = run.names.entity(found["entityType"], found["entityId"])
    run.out.confirm(f"Delete the budget of {name} ({_summary(found)})?", yes=yes)
    run.client.delete(f"/api/budgets/{found['id']}")
    run.out.result(f"Deleted the budget of {name}.", {"id": found["id"], "deleted": True})


@noun.verb()
def reset(run: Run, budget: _Budget, yes: Yes = False) -> None:
    """Set what is spent to zero and start a new period now."""
    found = run.names.budget(budget)
    name = run.names.entity(found["entityType"], found["entityId"])
    run.out.confirm(f"Reset the budget of {name}, {money(found['spendMicrodollars'])} spent, to zero?", yes=yes)
    after = record(run.client.post(f"/api/budgets/{found['id']}"), Kind.BUDGET)
    run.out.result(f"Reset the budget of {name}: {money(after['maxBudgetMicrodollars'])} to spend.", after)


@noun.verb(shared=(PERIOD, *STANDARD))
def sources(run: Run, budget: _Budget) -> None:
    """Show through which sources a budget's money was spent: the proxy, an SDK, the API, MCP tools."""
    found = rows(
        run.client.get(f"/api/budgets/{run.names.budget(budget)['id']}/sources", {"period": run.given("period")})
    )
    shown = spend_columns("source", "SOURCE", lambda row: row["source"], found, run.out.terminal)
    total = {"source": "TOTAL", "isTotal": True, **sums(found)}
    run.out.table(found, shown, empty=_NO_SPEND, id_field="source", below=[total])


@noun.verb()
def status(
    run: Run,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="NAME", help="A saved key, instead of the context's own.", show_default=False),
    ] = None,
) -> None:
    """Show the budgets that limit one key, its own and its user's: what is spent, held by calls in flight, and free.

    What is held is known of a local daemon only.
    """
    found = rows(run.client_with(key).get("/api/budgets/status", auth=Auth.KEY), under="entities")
    if run.place.daemon:
        found = with_held(found, rows(run.client.get("/_local/holds", auth=Auth.ADMIN)))
    shown = status_columns(run.names, run.out.terminal.glyphs, held=run.place.daemon is not None)
    run.out.table(found, shown, empty=_NOTHING_APPLIES, id_field="entityId")


@noun.verb()
def velocity(run: Run, limit: Limit = None) -> None:
    """Show how fast each budget with a velocity limit is spent, and whether its breaker is open.

    An open breaker denies every call until its cooldown is over.
    """
    reply = run.client.get("/api/budgets/velocity-status")
    found = velocity_rows(rows(reply, under="velocityState"), run.names.budgets)
    found = found[: run.rows_wanted(limit) or None]
    run.out.table(found, velocity_columns(run.names), empty=_NO_VELOCITY, id_field="entity_key")
