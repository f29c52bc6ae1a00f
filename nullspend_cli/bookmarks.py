"""The contexts a person keeps: their table in config.toml and their credentials. Choosing one is contexts.py."""

from collections.abc import Sequence
from typing import Any, cast

from nullspend_cli import credentials, local, settings
from nullspend_cli.contexts import Stored, check_name, stored_contexts
from nullspend_cli.places import ENVIRONMENT, LOCAL, vault_of
from nullspend_cli.problems import Missing, Problem, Usage
from nullspend_cli.replies import Record

KINDS = ("key", "session")


def every(config: dict[str, Any]) -> list[Record]:
    """All contexts, the local one first."""
    stored = stored_contexts(config)
    return [_local(config), *(_stored(config, name, stored[name]) for name in sorted(stored))]


def named(config: dict[str, Any], name: str) -> Record:
    """One context. Raises Missing."""
    if name == LOCAL:
        return _local(config)
    stored = stored_contexts(config)
    if name not in stored:
        raise Missing(
            f"There is no context {name!r}; there are {', '.join([LOCAL, *stored])}.", next="nullspend contexts list"
        )
    return _stored(config, name, stored[name])


def _local(config: dict[str, Any]) -> Record:
    daemon = local.running()
    kept = "the daemon's own" if daemon else None
    url = daemon.url if daemon else None
    return {"name": LOCAL, "url": url, "active": config.get("context", LOCAL) == LOCAL, "apiKey": kept, "session": kept}


def _stored(config: dict[str, Any], name: str, stored: Stored) -> Record:
    key, session = ("kept" if credentials.load(vault_of(name, stored.url), kind) else None for kind in KINDS)
    active = config.get("context", LOCAL) == name
    return {
        "name": name,
        "url": stored.url,
        "active": active,
        "apiKey": key,
        "session": session,
        "org": stored.org,
        "caFile": stored.ca_file,
        "insecureHttp": stored.insecure_http,
    }


def check_new(config: dict[str, Any], name: str, *, replace: bool) -> None:
    """Raises when a context cannot be called `name`, or one is and may not be replaced."""
    check_name(name)
    if name in stored_contexts(config) and not replace:
        raise Problem(f"There is a context {name!r} already.", next="Add --replace to change it.")


def store(name: str, stored: Stored, *, use: bool) -> None:
    """Writes a context to config.toml; with `use` it is the active one."""
    fields = {field: value for field, value in stored._asdict().items() if value}

    def edit(document: dict[str, Any]) -> None:
        if use:
            document["context"] = name
        contexts = cast("dict[str, Any]", document.setdefault("contexts", {}))
        kept = {field: value for field, value in contexts.get(name, {}).items() if field not in Stored._fields}
        contexts[name] = {**kept, **fields}

    settings.change(edit)


def use(name: str) -> None:
    """Makes a context the active one."""
    settings.change(lambda document: document.update({"context": name}))


def removable(config: dict[str, Any], name: str) -> Record:
    """As `named`; raises Usage for the local context, which is always there."""
    if name == LOCAL:
        raise Usage(
            "The local context cannot be removed: it is whatever daemon runs here.", next="nullspend daemon stop"
        )
    return named(config, name)


def to_leave(name: str, config: dict[str, Any]) -> Record:
    """As `named`; raises Usage where there is nothing to sign out of."""
    if name == LOCAL:
        raise Usage("The local daemon needs no sign-in, so there is nothing to sign out of.")
    if name == ENVIRONMENT:
        raise Usage("These credentials come from the environment; unset NULLSPEND_API_KEY and NULLSPEND_SESSION.")
    return named(config, name)


def forget(config: dict[str, Any], name: str) -> None:
    """Removes a context and its credentials."""
    sign_out(name, stored_contexts(config)[name].url)

    def edit(document: dict[str, Any]) -> None:
        del document["contexts"][name]
        if document.get("context") == name:
            del document["context"]

    settings.change(edit)


def sign_out(name: str, origin: str, kinds: Sequence[str] = KINDS) -> list[str]:
    """Removes what is kept of a context's key and session; returns which there were."""
    vault = vault_of(name, origin)
    kept = [kind for kind in kinds if credentials.load(vault, kind)]
    for kind in kept:
        credentials.forget(vault, kind)
    return kept
