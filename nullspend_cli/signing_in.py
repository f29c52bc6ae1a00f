"""`auth login` and `contexts create --with-...`: credentials are tried before they are kept."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nullspend_cli import bookmarks, cookies, credentials
from nullspend_cli.client import Auth, Client
from nullspend_cli.contexts import Stored, check_name, stored_contexts, stored_place
from nullspend_cli.places import LOCAL, Place
from nullspend_cli.problems import NotSignedIn, Problem, ServerError, Usage
from nullspend_cli.project import Project
from nullspend_cli.replies import Record, record
from nullspend_cli.terminal import Terminal
from nullspend_cli.transport import origin_of

HOSTED = "https://nullspend.dev"
_KEY, _COOKIE = "API key", "Cookie header"


class Offer(NamedTuple):
    """What a person signs in with."""

    key: str | None = None
    session: str | None = None


class Target(NamedTuple):
    """The context a person signs in to, whether it is there already or not."""

    name: str
    stored: Stored

    def trusting(self, ca_file: str | None, *, insecure_http: bool) -> "Target":
        """The same target with what was given for its connection; what was not given stays."""
        given = {"ca_file": str(Path(ca_file).expanduser().absolute())} if ca_file else {}
        accepted = insecure_http or self.stored.insecure_http
        return self._replace(stored=self.stored._replace(**given, insecure_http=accepted))


def target(flag: str | None, server: str | None, config: dict[str, Any], project: Project) -> Target:
    """The context that `--server` and `--context` mean; without both the chosen one, else the hosted service."""
    stored = stored_contexts(config)
    chosen = flag or os.environ.get("NULLSPEND_CONTEXT")
    server = server or (None if chosen else os.environ.get("NULLSPEND_BASE_URL"))
    if server:
        return _of_server(origin_of(server), flag, stored)
    name = chosen or project.context or config.get("context", LOCAL)
    if name in stored:
        return Target(name, stored[name])
    if name == LOCAL and not chosen:
        return _of_server(HOSTED, None, stored)
    if name == LOCAL:
        raise Usage("The local daemon needs no sign-in.", next="nullspend auth login --server https://HOST")
    raise Usage(
        f"There is no context {name!r}; say where it is.",
        next=f"nullspend auth login --context {name} --server https://HOST",
    )


def _of_server(origin: str, name: str | None, stored: dict[str, Stored]) -> Target:
    same = [known for known, context in stored.items() if context.url == origin]
    if name is None and len(same) > 1:
        raise Usage(f"Several contexts are {origin}: {', '.join(same)}.", next="Say which with --context NAME.")
    name = name or (same[0] if same else _name_for(origin, stored))
    if name not in stored:
        return Target(check_name(name), Stored(origin))
    if stored[name].url != origin:
        raise Problem(
            f"The context {name!r} is another server: {stored[name].url}.", next="Give the new one another --context."
        )
    return Target(name, stored[name])


def _name_for(origin: str, stored: dict[str, Stored]) -> str:
    """The host, with the port where the host alone is taken or says nothing."""
    parts = urlsplit(origin)
    host = (parts.hostname or "").replace(":", ".").strip(".")
    return host if host not in stored and parts.port is None else f"{host}-{parts.port or parts.scheme}"


def collect(terminal: Terminal, *, key: bool, session: bool) -> Offer:
    """What is typed or piped in; with neither asked for, whichever there is. Raises Usage when there is none."""
    if key or session:
        return Offer(
            terminal.secret(_KEY) if key else None, cookies.pasted(terminal.secret(_COOKIE)) if session else None
        )
    if terminal.can_ask:
        offer = Offer(terminal.secret(_KEY, optional=True) or None, _optional_cookie(terminal))
    else:
        offer = _told_apart(sys.stdin.read().splitlines())
    if not any(offer):
        raise Usage(
            "There is neither an API key nor a Cookie header to sign in with.",
            next="nullspend auth login --key < key.txt",
        )
    return offer


def _optional_cookie(terminal: Terminal) -> str | None:
    return cookies.pasted(terminal.secret(f"{_COOKIE} of a signed-in browser", optional=True)) or None


def _told_apart(lines: list[str]) -> Offer:
    """A key and a Cookie header, each a line of its own, in any order."""
    offer = Offer()
    for line in filter(None, (line.strip() for line in lines)):
        if line.startswith("ns_live_"):
            offer = offer._replace(key=line)
        elif cookies.parse(cookies.pasted(line)):
            offer = offer._replace(session=cookies.pasted(line))
        else:
            raise Usage("Standard input holds a line that is neither an API key nor a Cookie header.")
    return offer


def sign_in(to: Target, offer: Offer, client_at: Callable[[Place], Client], *, use: bool) -> Record:
    """Tries what was offered, keeps it with its context, and says where. Raises NotSignedIn for what is refused."""
    place = stored_place(to.name, "auth login", to.stored).presenting(key=offer.key, session=offer.session)
    client = client_at(place)
    known: Record = {}
    if offer.key:
        known |= _try(client, "/api/auth/introspect", Auth.KEY, _KEY)
    if offer.session:
        known |= _try(client, "/api/auth/session", Auth.SESSION, _COOKIE)
    bookmarks.store(to.name, to.stored, use=use)
    kept = {
        kind: credentials.save(place.vault, kind, secret)
        for kind, secret in (("key", place.key), ("session", place.session))
        if secret
    }
    return {"context": to.name, "server": to.stored.url, **known, "kept": kept}


def _try(client: Client, path: str, auth: Auth, what: str) -> Record:
    try:
        return record(client.get(path, auth=auth))
    except ServerError as error:
        if error.status not in (401, 403):
            raise
        said = error.reply["error"].get("message")
        raise NotSignedIn(
            f"{client.place.origin} does not accept this {what}: {str(said).rstrip('.')}. Nothing was kept.",
            next=_HOW[auth],
        ) from None


_HOW = {
    Auth.KEY: "Copy the whole key, or make a new one in the server's dashboard.",
    Auth.SESSION: "Sign in with a browser, then copy the whole Cookie header of one of its requests.",
}


def where_kept(result: Record) -> list[str]:
    """A sentence for each credential that was kept."""
    words = {"key": _KEY, "session": _COOKIE}
    notes = [f"The {words[kind]} is kept in {where}." for kind, where in result["kept"].items()]
    if credentials.Kept.FILE in result["kept"].values():
        notes.append(f"No keyring keeps it here, so it is {credentials.path()}.")
    return notes
