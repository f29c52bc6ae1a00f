"""What a key may do."""

from typing import Annotated, Any

import typer

from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.render import Cell, money, plain, visible
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "get": """
nullspend policy get
nullspend policy get --key researcher
nullspend policy get --jq .budget.remaining_microdollars
""",
}


def _of_budget(field: str) -> Any:
    return lambda policy: (policy.get("budget") or {}).get(field)


def _price(choice: Any) -> str:
    return f"{choice['model']} (${choice['input_per_mtok']} in, ${choice['output_per_mtok']} out, a million tokens)"


def _cheapest(choices: Record) -> list[list[Cell]]:
    """The cheapest model of each provider, a line a provider."""
    lines = [[Cell(visible(f"  {provider}: {_price(choice)}"))] for provider, choice in choices.items()]
    return [[Cell("cheapest of each", "dim")], *lines] if lines else []


COLUMNS = (
    column("remaining", "MAY SPEND", money, value=_of_budget("remaining_microdollars")),
    column("limit", show=money, value=_of_budget("max_microdollars")),
    column("spent", show=money, value=_of_budget("spend_microdollars")),
    column("resetsAt", "RESETS", show_time, value=_of_budget("period_end")),
    column("entity", "LIMITED BY", value=_of_budget("entity_id")),
    column("session_limit_microdollars", "SESSION MAX", money),
    column("allowed_providers", "PROVIDERS", lambda names: plain(names) or "none", absent="any"),
    column("allowed_models", "MODELS", lambda names: plain(names) or "none", absent="any"),
    column("cheapest_overall", "CHEAPEST", _price),
)

noun = Noun(EXAMPLES)


@noun.verb()
def get(
    run: Run,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="NAME", help="A saved key, instead of the context's own.", show_default=False),
    ] = None,
) -> None:
    """Show what a key may do right now: the tightest budget that denies, its allow-lists, the cheapest models."""
    policy = run.client_with(key).get("/api/policy", auth=Auth.KEY)
    run.out.record(policy, COLUMNS, id_field="entity", below=_cheapest(policy.get("cheapest_per_provider") or {}))
    if policy.get("budget") is None:
        run.out.hint("No budget limits this key.")
