"""Options that many verbs have, each described once.

`Shared` options are attached by group.py to every verb of a kind and are read from the run; the annotated types below
are for verbs' own parameters.
"""

from typing import Annotated, NamedTuple

import typer

from nullspend_cli.settings import FORMATS


class Shared(NamedTuple):
    """An option verbs share. Without `metavar` it is a flag; `choices` are all the values it may have."""

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    multiple: bool = False
    section: str = "Options"


_OUTPUT, _GLOBAL = "Output", "Everywhere"

OUTPUT = (
    Shared("json", ("--json",), "The full records as JSON.", section=_OUTPUT),
    Shared("fields", ("--fields",), "Only these fields, in this order.", "A,B", section=_OUTPUT),
    Shared("jq", ("--jq",), "Filter the JSON with a jq program.", "PROGRAM", section=_OUTPUT),
    Shared("format", ("--format",), "How to print.", "|".join(FORMATS), FORMATS, section=_OUTPUT),
    Shared("quiet", ("--quiet", "-q"), "Only ids, one a line.", section=_OUTPUT),
)
_SOURCES = ("proxy", "api", "mcp", "sdk")
_SAID = ("skipped", "approved", "denied")
_COLORS = ("auto", "always", "never")
GLOBAL = (
    Shared("context", ("--context", "-c"), "The server to talk to.", "NAME", section=_GLOBAL),
    Shared("person", ("--as",), "Act as another user of the local daemon.", "EMAIL", section=_GLOBAL),
    Shared("color", ("--color",), "When to use colour.", "|".join(_COLORS), _COLORS, section=_GLOBAL),
    Shared("verbose", ("--verbose", "-v"), "Show each request on stderr.", section=_GLOBAL),
)
STANDARD = (*OUTPUT, *GLOBAL)

_PROXY = "The proxy"
_ESTIMATES = ("expected", "upper-bound")
SERVER = (
    Shared("host", ("--host",), "Address to listen on; 127.0.0.1 unless given.", "HOST"),
    Shared("port", ("--port",), "Port to listen on, 0 picks a free one; 4747 unless given.", "PORT"),
    Shared("hosted", ("--hosted",), "With the hosted service's limits: rates, plans, URL safety, body size."),
    Shared("test_clock", ("--test-clock",), "With a clock that `nullspend clock advance` can move forward."),
    Shared("rate_limit", ("--rate-limit",), "API requests a key may make in 60 s.", "N"),
    Shared(
        "allow_host", ("--allow-host",), "Another name the server may be called by; repeatable.", "NAME", multiple=True
    ),
    Shared("trust_proxy", ("--trust-proxy",), "Believe X-Forwarded-* headers."),
    Shared("retention", ("--retention",), "Delete cost events that are older; never unless given.", "DAYS"),
    Shared(
        "delivery_retention",
        ("--delivery-retention",),
        "How long webhook deliveries are kept; 7 unless given.",
        "DAYS",
    ),
    Shared(
        "upstream",
        ("--upstream",),
        "Another provider, or where openai or anthropic calls go; `fake` needs no network. Repeatable.",
        "NAME=URL[,free]",
        multiple=True,
        section=_PROXY,
    ),
    Shared(
        "upstream_timeout",
        ("--upstream-timeout",),
        "How long a provider may pause; 600 unless given.",
        "SECONDS",
        section=_PROXY,
    ),
    Shared("max_body", ("--max-body",), "The largest request; 32m unless given.", "SIZE", section=_PROXY),
    Shared(
        "estimate",
        ("--estimate",),
        "What a call holds: what it will probably cost, or at most.",
        "|".join(_ESTIMATES),
        _ESTIMATES,
        section=_PROXY,
    ),
    Shared(
        "loop_max_calls",
        ("--loop-max-calls",),
        "Deny a call that comes the N-th time within 60 s.",
        "N",
        section=_PROXY,
    ),
    Shared("capture_bodies", ("--capture-bodies",), "Keep requests and replies, secrets removed.", section=_PROXY),
    Shared("body_retention", ("--body-retention",), "How long they are kept; 7 unless given.", "DAYS", section=_PROXY),
)
DATA_DIR = Shared(
    "data_dir", ("--data-dir",), "Where the data is; NULLSPEND_DATA_DIR, else the platform's place.", "DIR"
)
READY_JSON = Shared("json", ("--json",), "Print the ready line as JSON: url, pid, dataDir, version.", section=_OUTPUT)

_FILTERS = "Filters"
FILTERS = (
    Shared("key", ("--key",), "Of one key, by name or id.", "KEY", section=_FILTERS),
    Shared("provider", ("--provider",), "Of one provider.", "TEXT", section=_FILTERS),
    Shared("model", ("--model",), "Of one model.", "TEXT", section=_FILTERS),
    Shared("customer", ("--customer",), "For one customer.", "ID", section=_FILTERS),
    Shared("tag", ("--tag",), "With a tag; repeatable.", "K=V", multiple=True, section=_FILTERS),
    Shared("session", ("--session",), "Of one session.", "ID", section=_FILTERS),
    Shared("trace", ("--trace",), "Of one trace.", "ID", section=_FILTERS),
    Shared("source", ("--source",), "Where it was recorded.", "|".join(_SOURCES), _SOURCES, section=_FILTERS),
    Shared("budget_status", ("--budget-status",), "What the budgets said.", "|".join(_SAID), _SAID, section=_FILTERS),
    Shared("since", ("--since",), "Not older than this: 2h, 7d, 2026-04-01.", "TIME", section=_FILTERS),
    Shared("until", ("--until",), "Older than this.", "TIME", section=_FILTERS),
)
"""Which events: what every list of events, sessions or costs can be narrowed by."""
PERIODS = ("7d", "30d", "90d")
PERIOD = Shared(
    "period", ("--period",), "How many days back, today included; 30d unless given.", "|".join(PERIODS), PERIODS
)
COSTS = (
    PERIOD,
    Shared("exclude_estimated", ("--exclude-estimated",), "Without events whose cost is an estimate."),
    *FILTERS,
)


def _money(text: str) -> int:
    from nullspend_daemon.contract.money import MoneyError, parse_money  # here: most commands read no amount

    try:
        return parse_money(text)
    except MoneyError as error:
        raise typer.BadParameter(str(error)) from None


def _money_or_none(text: str) -> int:
    """As `_money`; `none` is -1, which no amount can be."""
    return NONE if text.strip().lower() == "none" else _money(text)


def _duration(text: str) -> int:
    from nullspend_cli.when import TimeError, parse_duration

    try:
        return parse_duration(text)
    except TimeError as error:
        raise typer.BadParameter(str(error)) from None


def _duration_or_none(text: str) -> int:
    """As `_duration`; `none` is -1, which no duration can be."""
    return NONE if text.strip().lower() == "none" else _duration(text)


NONE = -1
"""What a removable money option is when it was given as `none`."""

_MONEY = "'$5'|5usd|250c|5000000u"

Money = Annotated[int | None, typer.Option(parser=_money, metavar=_MONEY, show_default=False)]


def money_option(flag: str, help: str, *, removable: bool = False) -> typer.models.OptionInfo:
    """An option that takes an amount of money; a removable one takes `none` too."""
    parser = _money_or_none if removable else _money
    return typer.Option(flag, parser=parser, metavar="MONEY", help=help, show_default=False)


def duration_option(flag: str, help: str, *, removable: bool = False) -> typer.models.OptionInfo:
    """An option that takes a duration, in ms; a removable one takes `none` too."""
    parser = _duration_or_none if removable else _duration
    return typer.Option(flag, parser=parser, metavar="DURATION", help=help, show_default=False)


Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=0, show_default=False, help="Rows to show; 50 unless set, 0 shows all."),
]
Org = Annotated[
    str | None,
    typer.Option(
        "--org", metavar="ORG", show_default=False, help="Another organization than the active one: slug, name or id."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", show_default=False, help="A tag; repeatable.")]
Duration = Annotated[
    int, typer.Argument(parser=_duration, metavar="DURATION", help="For example 90s, 15m, 2h, 31d, 1d12h.")
]


def tags_of(texts: list[str] | None) -> dict[str, str] | None:
    """The tags of repeated `--tag K=V`; None when there were none. Raises BadParameter for one without `=`."""
    if not texts:
        return None
    pairs = [text.partition("=") for text in texts]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise typer.BadParameter(f"{key + equals + value!r} is not a tag; write key=value")
    return {key: value for key, _, value in pairs}
