"""Which server a command talks to, and with which credentials.

The first that is given wins: `--context`, NULLSPEND_CONTEXT or NULLSPEND_BASE_URL, the nearest project file
`.nullspend.toml`, the context chosen with `contexts use`, and last `local`, the daemon of this machine.
"""

import functools
import os
import re
from pathlib import Path
from typing import Any

from nullspend_cli import credentials, local, settings
from nullspend_cli.problems import NotSignedIn, Problem, Usage
from nullspend_cli.transport import origin_of
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id

LOCAL = "local"
ENVIRONMENT = "environment"
PROJECT_FILE = ".nullspend.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PROJECT_KEYS = ("context", "org")


class Place:
    """One server and how to sign in there. `why` says what chose it, `org` the organization to act in."""

    def __init__(
        self, name: str, why: str, origin: str, org: str | None = None, daemon: local.State | None = None
    ) -> None:
        self.name = name
        self.why = why
        self.origin = origin
        self.org = org
        self.daemon = daemon

    @property
    def vault(self) -> str:
        """What credentials are kept under: the origin; for the local daemon its data, since its port may change."""
        return f"local:{self.daemon.data_dir}" if self.daemon else self.origin

    @functools.cached_property
    def key(self) -> str | None:
        """The API key for this origin: that of the environment, the daemon's own, or a stored one."""
        return _from_environment("NULLSPEND_API_KEY", self.origin) or (
            self.daemon.api_key if self.daemon else credentials.load(self.origin, "key")
        )

    @functools.cached_property
    def session(self) -> str | None:
        """The Cookie header value for this origin, from the same three places."""
        return _from_environment("NULLSPEND_SESSION", self.origin) or (
            self.daemon.cookie if self.daemon else credentials.load(self.origin, "session")
        )

    @property
    def keeps_session(self) -> bool:
        """Whether a session that the server changes is still changed at the next command."""
        return self.daemon is None and _from_environment("NULLSPEND_SESSION", self.origin) is None

    def keep_session(self, cookie: str) -> None:
        """Stores a session the server has renewed; not one that came from the daemon or the environment."""
        if self.keeps_session:
            credentials.save(self.origin, "session", cookie)

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


def no_credential(place: Place, kind: str) -> NotSignedIn:
    """There is no `key` or `session` for an endpoint that takes nothing else."""
    what = "API key" if kind == "key" else "session"
    return NotSignedIn(f"There is no {what} for {place.origin} (context {place.name}).", next=_sign_in(place, kind))


def renew_session(place: Place) -> str:
    """How to replace a session that has run out."""
    return _sign_in(place, "session")


def _sign_in(place: Place, kind: str) -> str:
    if place.name in (LOCAL, ENVIRONMENT):
        variable = "NULLSPEND_API_KEY" if kind == "key" else "NULLSPEND_SESSION"
        return f"Set {variable} for {place.origin}."
    return f"nullspend contexts create {place.name} --url {place.origin} --with-{kind} --replace"


def _from_environment(variable: str, origin: str) -> str | None:
    """A credential of the environment, but only for the server the environment names with it."""
    value, url = os.environ.get(variable), os.environ.get("NULLSPEND_BASE_URL")
    return value if value and url and origin_of(url) == origin else None


def choose(flag: str | None, config: dict[str, Any]) -> Place:
    """The place of this command: `flag` is `--context`, `config` the loaded config.toml. Raises Usage for an unknown
    name."""
    project = _project()
    org = _org(os.environ.get("NULLSPEND_ORG") or project.get("org"))
    for name, why in _named(flag, project, config):
        if name:
            return _place(name, why, config, org)
    return _local_place("nothing else was chosen", org)


def _org(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return parse_id(Kind.ORG, text, bare=True)
    except InvalidId:
        raise Usage(
            f"The organization {text!r} (NULLSPEND_ORG or {PROJECT_FILE}) is no id such as ns_org_..."
        ) from None


def _named(flag: str | None, project: dict[str, str], config: dict[str, Any]) -> list[tuple[str | None, str]]:
    """The candidates in their order; the environment's URL stands as a context without a name of its own."""
    url = os.environ.get("NULLSPEND_BASE_URL")
    return [
        (flag, "--context"),
        (os.environ.get("NULLSPEND_CONTEXT"), "NULLSPEND_CONTEXT"),
        (ENVIRONMENT if url else None, "NULLSPEND_BASE_URL"),
        (project.get("context"), project.get("file", PROJECT_FILE)),
        (config.get("context"), "nullspend contexts use"),
    ]


def _place(name: str, why: str, config: dict[str, Any], org: str | None) -> Place:
    if name == LOCAL:
        return _local_place(why, org)
    if name == ENVIRONMENT and os.environ.get("NULLSPEND_BASE_URL"):
        return _environment_place(why, org)
    stored = stored_contexts(config)
    if name not in stored:
        known = ", ".join([LOCAL, *stored])
        raise Usage(f"There is no context {name!r} (from {why}); there are {known}.", next="nullspend contexts list")
    return Place(name, why, stored[name]["url"], org or stored[name].get("org"))


def _local_place(why: str, org: str | None) -> Place:
    daemon = local.required()
    return Place(LOCAL, why, daemon.url, org, daemon)


def _environment_place(why: str, org: str | None) -> Place:
    """NULLSPEND_BASE_URL. When it is the local daemon's own address, the owner's session comes along."""
    origin = origin_of(os.environ["NULLSPEND_BASE_URL"])
    state = local.read_state(settings.data_dir())
    daemon = local.running() if state and state.url == origin else None
    return Place(LOCAL if daemon else ENVIRONMENT, why, origin, org, daemon)


def stored_contexts(config: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The contexts of config.toml by name, each with `url` and perhaps `org`. Raises Problem for a damaged one."""
    table = config.get("contexts", {})
    contexts: dict[str, dict[str, str]] = {}
    for name, content in table.items() if isinstance(table, dict) else ():
        url = content.get("url") if isinstance(content, dict) else None
        if not isinstance(url, str):
            raise Problem(
                f"{settings.config_path()} has a context {name!r} without a url.",
                next="Give it a url there, or remove its table.",
            )
        contexts[name] = {"url": origin_of(url), **({"org": str(content["org"])} if "org" in content else {})}
    return contexts


def check_name(name: str) -> str:
    """`name` if a context may be called so. Raises Usage."""
    if _NAME.fullmatch(name) is None or name in (LOCAL, ENVIRONMENT):
        raise Usage(
            f"A context cannot be called {name!r}: letters, digits, '.', '_' and '-', at most 64, "
            f"and neither {LOCAL} nor {ENVIRONMENT}."
        )
    return name


def _project() -> dict[str, str]:
    """The nearest `.nullspend.toml` upwards. It may choose among your contexts, never bring an address or a secret."""
    here = Path().absolute()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return _read_project(folder / PROJECT_FILE)
    return {}


def _read_project(file: Path) -> dict[str, str]:
    content = settings.read_toml(file, "Correct that line, or remove the file.")
    for name, value in content.items():
        if name not in _PROJECT_KEYS or not isinstance(value, str):
            raise Problem(
                f"{file} has {name!r}; a project file holds only context and org, each a text.",
                next="nullspend help contexts",
            )
    return {**content, "file": str(file)}
