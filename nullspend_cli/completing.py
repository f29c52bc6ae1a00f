"""Live values for the completion scripts: `nullspend --complete KIND WORD` prints `value<TAB>description` lines.

A shell waits for this at each press of the key, so it has 300 ms; what is not there by then is not offered. It imports
neither Typer nor rich, asks for one page of one list, and prints nothing at all when anything goes wrong.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nullspend_cli.replies import Record

FLAG = "--complete"
BUDGET_SECONDS = 0.28
_MOST = 100

Pair = tuple[str, str]

POSITIONALS = {
    "actions": "action",
    "budgets": "budget",
    "config": "setting",
    "contexts": "context",
    "customers": "customer",
    "events": "event",
    "help": "topic",
    "invites": "invite",
    "keys": "key",
    "margins": "customer",
    "members": "member",
    "orgs": "org",
    "policy": "key",
    "sessions": "session",
    "tools": "tool",
    "webhooks": "webhook",
}
"""What the words after a noun's verb name, by noun."""
EXCEPTIONS = {
    "webhooks trigger": "type",
    "webhooks resend": "delivery",
    "actions approve": "pending",
    "actions reject": "pending",
    "orgs transfer": "member",
    "prices get": "model",
}
NOTHING = frozenset({"create", "report", "accept", "verify", "listen", "list", "discover", "by"})
"""Verbs whose words are new, or are none of these."""
OPTIONS = {
    "--key": "key",
    "--context": "context",
    "-c": "context",
    "--to": "context",
    "--as": "user",
    "--model": "model",
    "--customer": "customer",
    "--session": "session",
    "--events": "type",
    "--org": "org",
}
"""What the values of options name."""


def kind_of(noun: str, verb: str) -> str:
    """The kind of a verb's positional words; empty when there is none that could be looked up."""
    special = EXCEPTIONS.get(f"{noun} {verb}".strip())
    return special or ("" if verb in NOTHING else POSITIONALS.get(noun, ""))


class _List(NamedTuple):
    """A list of the server: where it is, and what a row offers."""

    path: str
    offers: Callable[[Record], Iterable[Pair]]
    params: Mapping[str, str] = MappingProxyType({})
    auth: str = "session"
    inside: tuple[str, ...] = ("data",)


def _named(row: Record) -> Iterator[Pair]:
    yield str(row.get("name", "")), str(row.get("keyPrefix", ""))
    yield str(row.get("id", "")), str(row.get("name", ""))


def _budget(row: Record) -> Iterator[Pair]:
    spent = f"{row.get('entityType')} {row.get('entityId')}, {_dollars(row.get('maxBudgetMicrodollars'))}"
    yield str(row.get("id", "")), spent
    if row.get("entityType") in ("tag", "customer"):
        yield str(row.get("entityId", "")), str(row.get("entityType"))


def _event(row: Record) -> Iterator[Pair]:
    cost = _dollars(row.get("costMicrodollars"))
    yield str(row.get("id", "")), f"{row.get('provider')}/{row.get('model')} {cost} {row.get('createdAt')}"


def _action(row: Record) -> Iterator[Pair]:
    yield str(row.get("id", "")), f"{row.get('status')} {row.get('actionType')} of {row.get('agentId')}"


def _one(field: str, *about: str) -> Callable[[Record], Iterator[Pair]]:
    def offers(row: Record) -> Iterator[Pair]:
        yield str(row.get(field) or ""), " ".join(str(row[name]) for name in about if row.get(name) is not None)

    return offers


_SUMMARY = "/api/cost-events/summary"
_LISTS: dict[str, _List] = {
    "key": _List("/api/keys", _named, {"limit": str(_MOST)}),
    "budget": _List("/api/budgets", _budget, auth="either"),
    "event": _List("/api/cost-events", _event, {"limit": "25"}, "either"),
    "session": _List("/api/cost-events/sessions", _one("sessionId", "eventCount", "lastEventAt")),
    "action": _List("/api/actions", _action, {"limit": "50"}),
    "pending": _List("/api/actions", _action, {"limit": "50", "status": "pending"}),
    "webhook": _List("/api/webhooks", _one("id", "url")),
    "org": _List("/api/orgs", _one("slug", "name", "role")),
    "customer": _List(
        "/api/cost-events/attribution", _one("key"), {"groupBy": "customer", "limit": "50"}, inside=("data", "groups")
    ),
    "model": _List(_SUMMARY, _one("model", "provider"), auth="either", inside=("data", "models")),
    "tool": _List("/api/tool-costs", _one("toolName", "serverName"), auth="either"),
    "user": _List("/_local/users", _one("email", "name"), auth="admin"),
    "delivery": _List("", _one("id", "eventType", "status")),
    "member": _List("members", _one("email", "role")),
    "invite": _List("invitations", _one("id", "email", "role")),
}


def _dollars(amount: Any) -> str:
    from nullspend_daemon.contract.money import format_money

    return format_money(amount) if isinstance(amount, int) else ""


def _static(kind: str) -> Iterable[Pair] | None:
    """Values that no server has to be asked for."""
    if kind == "type":
        from nullspend_daemon.contract.events import CATALOGUE

        return [(name, "") for name in CATALOGUE]
    if kind == "topic":
        from nullspend_cli.topics import TOPICS

        return [(name, "") for name in TOPICS]
    if kind == "setting":
        from nullspend_cli.settings import SETTINGS

        return [(name, setting.help) for name, setting in SETTINGS.items()]
    if kind == "context":
        from nullspend_cli import settings
        from nullspend_cli.contexts import LOCAL, stored_contexts

        stored = stored_contexts(settings.load())
        return [(LOCAL, "this machine"), *((name, found.url) for name, found in stored.items())]
    return None


def _asked(kind: str) -> Iterable[Pair]:
    from nullspend_cli import project, settings
    from nullspend_cli.client import Auth, Client
    from nullspend_cli.contexts import choose
    from nullspend_cli.trace import Trace

    wanted = _LISTS[kind]
    client = Client(choose(None, settings.load(), project.nearest()), Trace(lambda _: None, verbose=False))
    if kind in ("member", "invite"):
        org = str(client.get("/api/auth/session").get("orgId"))
        wanted = wanted._replace(path=f"/api/orgs/{org}/{wanted.path}")
    if kind == "delivery":
        hooks = client.get("/api/webhooks").get("data", [])[:3]
        paths = [f"/api/webhooks/{hook['id']}/deliveries" for hook in hooks]
        rows = [row for path in paths for row in client.get(path).get("data", [])]
    else:
        found: Any = client.get(wanted.path, wanted.params, auth=Auth(wanted.auth))
        for name in wanted.inside:
            found = found.get(name, [])
        rows = found
    return [pair for row in rows for pair in wanted.offers(row)]


def offers(kind: str, word: str) -> list[Pair]:
    """What may stand in place of `word`: each value once, those that start with it. Raises what looking raises."""
    static = _static(kind)
    pairs = static if static is not None else _asked(kind) if kind in _LISTS else ()
    fitting = {value: about for value, about in pairs if value and value.startswith(word) and value.isprintable()}
    return list(fitting.items())[:_MOST]


def complete(arguments: list[str]) -> None:
    """Prints the offers and ends the process, in time and without a word about what went wrong."""
    timer = threading.Timer(BUDGET_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    from nullspend_cli.render import visible

    try:
        kind, word = arguments
        lines = [f"{value}\t{visible(about)}\n" for value, about in offers(kind, word)]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - a completion that fails must not write into the line somebody is typing
        pass
    os._exit(0)
