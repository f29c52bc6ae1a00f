"""Which server a command talks to.

The first that is given wins: `--context`, NULLSPEND_CONTEXT or NULLSPEND_BASE_URL, the nearest project file
`.nullspend.toml`, the context chosen with `contexts use`, and last `local`, the daemon of this machine.
"""

import os
import re
from typing import Any, NamedTuple

from nullspend_cli import local, settings
from nullspend_cli.places import ENVIRONMENT, LOCAL, Place
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.project import FILE, Project
from nullspend_cli.transport import is_loopback, origin_of
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Stored(NamedTuple):
    """A context as config.toml keeps it. `ca_file` holds certificates to trust besides the system's; with
    `insecure_http` its owner has accepted that everything is sent in the clear."""

    url: str
    org: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False


def choose(flag: str | None, config: dict[str, Any], project: Project) -> Place:
    """The place of this command: `flag` is `--context`, `config` the loaded config.toml. Raises Usage for an unknown
    name, and for one that would send credentials in the clear."""
    org = _org(os.environ.get("NULLSPEND_ORG") or project.org)
    return _place(*chosen(flag, config, project), config, org)


def chosen(flag: str | None, config: dict[str, Any], project: Project) -> tuple[str, str]:
    """The name of the chosen context, and what chose it."""
    named = ((name, why) for name, why in _named(flag, project, config) if name)
    return next(named, (LOCAL, "default"))


def _org(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return parse_id(Kind.ORG, text, bare=True)
    except InvalidId:
        raise Usage(f"The organization {text!r} (NULLSPEND_ORG or {FILE}) is no id such as ns_org_...") from None


def _named(flag: str | None, project: Project, config: dict[str, Any]) -> list[tuple[str | None, str]]:
    """The candidates in their order; the environment's URL stands as a context without a name of its own."""
    url = os.environ.get("NULLSPEND_BASE_URL")
    return [
        (flag, "--context"),
        (os.environ.get("NULLSPEND_CONTEXT"), "NULLSPEND_CONTEXT"),
        (ENVIRONMENT if url else None, "NULLSPEND_BASE_URL"),
        (project.context, project.file),
        (config.get("context"), "nullspend contexts use"),
    ]


def _place(name: str, why: str, config: dict[str, Any], org: str | None) -> Place:
    if name == LOCAL:
        return _local_place(why, org)
    if name == ENVIRONMENT and os.environ.get("NULLSPEND_BASE_URL"):
        return _environment_place(why, config, org)
    stored = stored_contexts(config)
    if name not in stored:
        known = ", ".join([LOCAL, *stored])
        raise Usage(f"There is no context {name!r} (from {why}); there are {known}.", next="nullspend contexts list")
    return stored_place(name, why, stored[name], org)


def stored_place(name: str, why: str, stored: Stored, org: str | None = None) -> Place:
    """The place of a stored context. Raises Usage when it would send credentials in the clear."""
    check_encrypted(stored.url, accepted=stored.insecure_http)
    return Place(name, why, stored.url, org or stored.org, ca_file=stored.ca_file or environment_ca_file())


def _local_place(why: str, org: str | None) -> Place:
    daemon = local.required()
    return Place(LOCAL, why, daemon.url, org, daemon)


def _environment_place(why: str, config: dict[str, Any], org: str | None) -> Place:
    """NULLSPEND_BASE_URL. When it is the local daemon's own address, the owner's session comes along; when it is that
    of one stored context, what is kept for that."""
    origin = origin_of(os.environ["NULLSPEND_BASE_URL"])
    state = local.read_state(settings.data_dir())
    daemon = local.running() if state and state.url == origin else None
    if daemon:
        return Place(LOCAL, why, origin, org, daemon)
    named = [(name, stored) for name, stored in stored_contexts(config).items() if stored.url == origin]
    name, stored = named[0] if len(named) == 1 else (ENVIRONMENT, Stored(origin))
    return stored_place(name, why, stored, org)


def environment_ca_file() -> str | None:
    """NULLSPEND_CA_FILE. (SSL_CERT_FILE, which replaces the system's certificates, is read by Python itself.)"""
    return os.environ.get("NULLSPEND_CA_FILE") or None


def check_encrypted(origin: str, *, accepted: bool) -> None:
    """Raises Usage for plain http to another machine, unless that was accepted for it or for this environment."""
    if origin.startswith("https://") or is_loopback(origin) or accepted or os.environ.get("NULLSPEND_INSECURE_HTTP"):
        return
    raise Usage(
        f"{origin} is plain http: your credentials would cross the network unencrypted, for anyone to read.",
        next="Use https, or accept it with --insecure-http (auth login, contexts create) or NULLSPEND_INSECURE_HTTP=1.",
    )


def stored_contexts(config: dict[str, Any]) -> dict[str, Stored]:
    """The contexts of config.toml by name. Raises Problem for a damaged one."""
    table = config.get("contexts", {})
    return {name: _stored(name, content) for name, content in table.items()} if isinstance(table, dict) else {}


def _stored(name: str, content: Any) -> Stored:
    url = content.get("url") if isinstance(content, dict) else None
    if not isinstance(url, str):
        raise Problem(
            f"{settings.config_path()} has a context {name!r} without a url.",
            next="Give it a url there, or remove its table.",
        )
    texts = {field: str(content[field]) for field in ("org", "ca_file") if field in content}
    return Stored(origin_of(url), **texts, insecure_http=content.get("insecure_http") is True)


def check_name(name: str) -> str:
    """`name` if a context may be called so. Raises Usage."""
    if _NAME.fullmatch(name) is None or name in (LOCAL, ENVIRONMENT):
        raise Usage(
            f"A context cannot be called {name!r}: letters, digits, '.', '_' and '-', at most 64, "
            f"and neither {LOCAL} nor {ENVIRONMENT}."
        )
    return name
