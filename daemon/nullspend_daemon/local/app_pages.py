"""GET /app/*: where links in messages and return addresses lead. Each page names the command that shows the thing.

No data, no change, no login: the page knows nothing but its own address.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import Field

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.http.caller import PUBLIC
from nullspend_daemon.http.route import Call, Document, Route
from nullspend_daemon.http.wire import Query, Wire
from nullspend_daemon.local.pages import command, page, text

NOTHING = "nullspend help"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONGEST = 300

LISTS = {
    "": "nullspend top",
    "inbox": "nullspend actions list",
    "actions": "nullspend actions list",
    "activity": "nullspend events list",
    "analytics": "nullspend costs summary",
    "attribution": "nullspend costs by api_key",
    "audit": "nullspend audit list",
    "billing": "nullspend billing get",
    "budgets": "nullspend budgets list",
    "customers": "nullspend customers list",
    "events": "nullspend events list",
    "invitations": "nullspend invites list",
    "keys": "nullspend keys list",
    "margins": "nullspend margins list",
    "members": "nullspend members list",
    "orgs": "nullspend orgs list",
    "sessions": "nullspend sessions list",
    "settings": "nullspend orgs get",
    "slack": "nullspend slack get",
    "tools": "nullspend tools list",
    "webhooks": "nullspend webhooks list",
}


class AppQuery(Query):
    """What links carry: the end of a checkout, the entity of a budget to be."""

    success: str = ""
    session_id: Annotated[str, Field(alias="session_id")] = ""
    entity: str = ""


class Page(Wire):
    """An HTML page."""


async def show(call: Call[None, AppQuery]) -> Document:
    """Name the terminal command for a dashboard address."""
    lines = list(commands_for(call.params["path"], call.query))
    return page(
        "NullSpend",
        text("This server has no dashboard. In a terminal:"),
        *(command(line) for line in lines or [NOTHING]),
    )


def commands_for(path: str, query: AppQuery) -> Iterator[str]:
    """The commands for `/app/<path>`, the most likely one first; none for an address nobody links to."""
    noun, _, rest = path.strip("/").partition("/")
    if rest and noun in _ONE:
        yield from _ONE[noun](rest, query)
    elif not rest and noun == "billing" and query.success == "true":
        yield f"nullspend billing sync {_word(query.session_id, 'SESSION')}"
        yield LISTS[noun]
    elif not rest and noun in LISTS:
        yield LISTS[noun]


def _action(rest: str, query: AppQuery) -> Iterator[str]:
    action_id = _id(Kind.ACTION, rest)
    for verb in ("get", "approve", "reject"):
        yield f"nullspend actions {verb} {action_id}"


def _margin(rest: str, query: AppQuery) -> Iterator[str]:
    yield f"nullspend margins get {_word(rest, 'CUSTOMER')}"


def _budget(rest: str, query: AppQuery) -> Iterator[str]:
    """`new?entity=tag:customer=acme`: the link of a margin alert."""
    kind, _, entity = query.entity.partition(":")
    if rest != "new":
        yield f"nullspend budgets get {_id(Kind.BUDGET, rest)}"
    elif kind == "tag":
        yield f"nullspend budgets set --tag {_word(entity, 'KEY=VALUE')} --max AMOUNT"
    else:
        yield "nullspend budgets set --key KEY --max AMOUNT"


def _event(rest: str, query: AppQuery) -> Iterator[str]:
    yield f"nullspend events get {_id(Kind.COST_EVENT, rest)}"


def _session(rest: str, query: AppQuery) -> Iterator[str]:
    yield f"nullspend sessions get {_word(rest, 'SESSION')}"


_ONE: dict[str, Callable[[str, AppQuery], Iterator[str]]] = {
    "actions": _action,
    "activity": _event,
    "budgets": _budget,
    "events": _event,
    "margins": _margin,
    "sessions": _session,
}


def _id(kind: Kind, given: str) -> str:
    """An id that can be pasted, or a placeholder when it is none."""
    try:
        return parse_id(kind, given)
    except InvalidId:
        return "ID"


def _word(given: str, placeholder: str) -> str:
    """One word of a shell command, or the placeholder for what no terminal should be given."""
    if not given or len(given) > _LONGEST or _UNSAFE.search(given):
        return placeholder
    quoted = shlex.quote(given)
    return f"-- {quoted}" if given.startswith("-") else quoted


ROUTES = [
    Route(
        method="GET",
        path="/app{path:(?:/.*)?}",
        auth=PUBLIC,
        params={"path": str},
        query=AppQuery,
        reply=Page,
        runs=show,
        document_type="text/html",
    ),
]
