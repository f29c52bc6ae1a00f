"""What models cost."""

import os
from typing import Annotated, Any
from urllib.parse import quote

import typer

from nullspend_cli import price_catalogue, settings
from nullspend_cli.client import Auth, Client
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit
from nullspend_cli.output import Empty
from nullspend_cli.problems import Missing, Usage
from nullspend_cli.render import Cell, count, plain
from nullspend_cli.replies import Record, record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = {
    "list": """
nullspend prices list sonnet
nullspend prices list --provider openai --limit 0
nullspend prices list --provider anthropic --format csv --limit 0 > prices.csv
""",
    "get": """
nullspend prices get openai/gpt-4o
nullspend prices get anthropic/claude-sonnet-4-5 --json
""",
    "update": """
nullspend prices update
nullspend prices update --bundled
""",
}
_PATH = "/_local/prices"
_KINDS = {"cached_input": "cached", "cache_write_5m": "write 5m", "cache_write_1h": "write 1h"}
_NONE = Empty("No price is known by that name.", "nullspend prices list --limit 0")
noun = Noun(EXAMPLES)


def _rate(kind: str) -> Any:
    return lambda price: price.get("rates", {}).get(kind)


def _dollars(rate: Any) -> str:
    whole, _, cents = str(rate).partition(".")
    return f"${whole}.{cents.ljust(2, '0')}"


def _tier_lines(tiers: list[Record]) -> list[list[Cell]]:
    """What a call costs whose input passes a threshold, a line a rate."""
    lines: list[list[Cell]] = []
    for tier in tiers:
        lines += [[], [Cell(f"above {count(tier['above'])} input tokens", "bold")]]
        rates = [(_KINDS.get(str(kind), str(kind)), _dollars(rate)) for kind, rate in tier.items() if kind != "above"]
        widest = max(len(kind) for kind, _ in rates)
        lines += [[Cell(kind.ljust(widest) + "  ", "dim"), Cell(rate)] for kind, rate in rates]
    return lines


_RATES = (
    column("input", show=_dollars, value=_rate("input"), right=True),
    column("cached_input", "CACHED", _dollars, value=_rate("cached_input"), right=True),
    column("cache_write_5m", "WRITE 5M", _dollars, value=_rate("cache_write_5m"), right=True, wide=True),
    column("cache_write_1h", "WRITE 1H", _dollars, value=_rate("cache_write_1h"), right=True, wide=True),
    column("output", show=_dollars, value=_rate("output"), right=True),
)
COLUMNS = (
    column("provider"),
    column("model", value=lambda price: f"{price['model']}*" if price.get("match") == "prefix" else price["model"]),
    *_RATES,
    column("tiers", "DEARER ABOVE", lambda tiers: ", ".join(count(tier["above"]) for tier in tiers), right=True),
    column("source"),
)
DETAILS = (
    column("provider"),
    column("model"),
    *_RATES,
    column("tiers", "DEARER ABOVE", lambda tiers: ", ".join(f"{count(tier['above'])} input tokens" for tier in tiers)),
    column("contextWindow", "CONTEXT WINDOW", lambda tokens: f"{count(tokens)} tokens"),
    column("source", show=lambda source: "prices.toml" if source == "override" else plain(source)),
)


@noun.verb()
def list_(
    run: Run,
    name: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="A part of the provider or model.", show_default=False)
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Of one provider.", show_default=False)
    ] = None,
    limit: Limit = None,
) -> None:
    """List what models cost, in dollars per million tokens: your own prices.toml first, then the catalogue."""
    found = rows(run.client.get(_PATH, {"q": name, "provider": provider}, auth=Auth.ADMIN))
    wanted = run.rows_wanted(limit) or len(found)
    more = f"{wanted} of {count(len(found))} prices; --limit 0 shows all." if wanted < len(found) else ""
    run.out.table(found[:wanted], COLUMNS, empty=_NONE, id_field="model", footer=more)


@noun.verb()
def get(
    run: Run,
    model: Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="For example openai/gpt-4o.")],
) -> None:
    """Show what one model costs, as a call of it would be priced now; in dollars per million tokens."""
    provider, name = _named(run.client, model)
    path = f"{_PATH}/{quote(provider, safe='')}/{quote(name, safe='')}"
    price = record(run.client.get(path, auth=Auth.ADMIN))
    run.out.record(price, DETAILS, id_field="model", below=_tier_lines(price.get("tiers") or []))


def _named(client: Client, text: str) -> tuple[str, str]:
    """The provider and the model somebody means. Raises Missing or Usage with the candidates."""
    provider, slash, model = text.partition("/")
    if provider == "fake":
        return provider, text
    if slash and provider and model:
        return provider, model
    found = [each for each in rows(client.get(_PATH, {"q": text}, auth=Auth.ADMIN)) if each["model"] == text]
    if not found:
        raise Missing(f"No price of {text!r} is known.", next="nullspend prices list TEXT")
    if len(found) > 1:
        lines = tuple(f"{each['provider']}/{each['model']}" for each in found)
        raise Usage(f"{len(found)} providers have a model {text!r}; say which one.", lines=lines)
    return found[0]["provider"], text


@noun.verb()
def update(
    run: Run,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Where from; else NULLSPEND_PRICES_URL.", show_default=False),
    ] = None,
    bundled: Annotated[bool, typer.Option("--bundled", help="Go back to the catalogue of the package.")] = False,
) -> None:
    """Download the current price catalogue of genai-prices. Nothing else ever does; prices.toml still comes first."""
    if bundled and url:
        raise Usage("--bundled downloads nothing; leave out --url.")
    if bundled:
        removed = price_catalogue.remove(settings.data_dir())
        sentence = "The catalogue of the package is in use again." if removed else "No catalogue was downloaded."
        run.out.result(sentence, {"removed": removed}, id_field="removed")
        return
    with run.out.terminal.waiting("Downloading prices"):
        done = price_catalogue.download(settings.data_dir(), url or os.environ.get("NULLSPEND_PRICES_URL"))
    run.out.result(
        f"{count(done['models'])} prices of {count(done['providers'])} providers: {count(done['changed'])} changed, "
        f"{count(done['added'])} new, {count(done['removed'])} gone. A running daemon takes them up within seconds.",
        done,
        id_field="path",
    )
