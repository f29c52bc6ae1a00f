"""A server and how to sign in there. Which one a command talks to is decided in contexts.py."""

import functools
import os

from nullspend_cli import credentials, local
from nullspend_cli.problems import NotSignedIn, Problem
from nullspend_cli.transport import origin_of

LOCAL = "local"
ENVIRONMENT = "environment"
ORG_COOKIE = "ns-active-org"
_WORDS = {"key": "API key", "session": "session"}


class Place:
    """One server and how to sign in there.

    `why` says what chose it, `org` the organization to act in, `ca_file` which certificates to trust besides the
    system's.
    """

    def __init__(
        self,
        name: str,
        why: str,
        origin: str,
        org: str | None = None,
        daemon: local.State | None = None,
        *,
        ca_file: str | None = None,
    ) -> None:
        self.name = name
        self.why = why
        self.origin = origin
        self.org = org
        self.daemon = daemon
        self.ca_file = ca_file
        self._keeps = True

    @property
    def vault(self) -> str:
        """What credentials are kept under. The origin is always part of it, so that a context whose address changes
        sends nothing of its old server to the new one; for the local daemon it is its data, since its port may
        change."""
        if self.daemon:
            return f"local:{self.daemon.data_dir}"
        return vault_of(self.name, self.origin)

    @functools.cached_property
    def key(self) -> str | None:
        """The API key for this origin: that of the environment, the daemon's own, or a stored one."""
        return _from_environment("NULLSPEND_API_KEY", self.origin) or (
            self.daemon.api_key if self.daemon else credentials.load(self.vault, "key")
        )

    @functools.cached_property
    def session(self) -> str | None:
        """The Cookie header value for this origin, from the same three places."""
        return _from_environment("NULLSPEND_SESSION", self.origin) or (
            self.daemon.cookie if self.daemon else credentials.load(self.vault, "session")
        )

    def presenting(self, *, key: str | None = None, session: str | None = None) -> "Place":
        """The same server with exactly these credentials, which are tried and not kept."""
        place = Place(self.name, self.why, self.origin, ca_file=self.ca_file)
        place.key, place.session, place._keeps = key, session, False
        return place

    @property
    def keeps_session(self) -> bool:
        """Whether a session that the server changes is still changed at the next command."""
        return self._keeps and self.daemon is None and _from_environment("NULLSPEND_SESSION", self.origin) is None

    def keep_session(self, cookie: str) -> None:
        """Takes over a session the server has renewed; stores it, unless it came from the daemon or the environment."""
        if self.daemon is None:
            self.session = cookie
        if self.keeps_session:
            credentials.save(self.vault, "session", cookie)

    def saved_key(self, name: str) -> str:
        """The raw value of a key created with `keys create --save`. Raises NotSignedIn when it was not saved."""
        raw = credentials.load(self.vault, f"key:{name}")
        if raw is None:
            raise NotSignedIn(
                f"The key {name!r} of {self.origin} is not saved here; a key's value is shown only when it is created.",
                next=f"nullspend keys create {name} --save",
            )
        return raw

    @property
    def admin_token(self) -> str:
        """The token of `/_local`. Raises Problem for a server that is not this machine's daemon."""
        if self.daemon is None:
            raise Problem(
                f"Only a local daemon can do this; the context {self.name!r} is {self.origin}.",
                next="Add --context local, or see nullspend contexts list.",
            )
        return self.daemon.admin_token


def vault_of(name: str, origin: str) -> str:
    """What the credentials of a context are kept under; those of an address without a name under the address."""
    return origin if name == ENVIRONMENT else f"{name}@{origin}"


def _from_environment(variable: str, origin: str) -> str | None:
    """A credential of the environment, but only for the server the environment names with it."""
    value, url = os.environ.get(variable), os.environ.get("NULLSPEND_BASE_URL")
    return value if value and url and origin_of(url) == origin else None


def no_credential(place: Place, kind: str) -> NotSignedIn:
    """There is no `key` or `session` for an endpoint that takes nothing else; says so when there is the other one."""
    where = f"{place.origin} (context {place.name})"
    other = place.key if kind == "session" else place.session
    if other:
        only = _WORDS["key" if kind == "session" else "session"]
        sentence = f"This needs {_a(kind)}, and for {where} there is only {_article(only)}."
    else:
        sentence = f"There is no {_WORDS[kind]} for {where}."
    return NotSignedIn(sentence, next=how_to_sign_in(place, kind))


def _a(kind: str) -> str:
    return _article(_WORDS[kind])


def _article(words: str) -> str:
    return f"an {words}" if words.startswith("A") else f"a {words}"


def session_expired(place: Place) -> NotSignedIn:
    """The server no longer accepts the session."""
    next = how_to_sign_in(place, "session")
    usual = "nullspend auth login --session"
    return NotSignedIn(
        "session expired: paste a new cookie with nullspend auth login --session", next="" if next == usual else next
    )


def how_to_sign_in(place: Place, kind: str) -> str:
    """The command that gives this place a `key` or `session`."""
    variable = "NULLSPEND_API_KEY" if kind == "key" else "NULLSPEND_SESSION"
    if place.name in (LOCAL, ENVIRONMENT) or _from_environment(variable, place.origin):
        return f"Set {variable} for {place.origin}."
    return f"nullspend auth login --{kind}" + (f" --context {place.name}" if place.why == "--context" else "")
