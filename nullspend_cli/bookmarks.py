"""The contexts a person keeps: their table in config.toml and their credentials. Choosing one is contexts.py."""

from typing import Any, cast

from nullspend_cli import credentials, local, settings
from nullspend_cli.contexts import LOCAL, check_name, stored_contexts
from nullspend_cli.problems import Missing, Problem, Usage
from nullspend_cli.replies import Record

_KINDS = ("key", "session")


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


def _stored(config: dict[str, Any], name: str, content: dict[str, str]) -> Record:
    key, session = ("kept" if credentials.load(content["url"], kind) else None for kind in _KINDS)
    active = config.get("context", LOCAL) == name
    return {
        "name": name,
        "url": content["url"],
        "active": active,
        "apiKey": key,
        "session": session,
        "org": content.get("org"),
    }


def check_new(config: dict[str, Any], name: str, *, replace: bool) -> None:
    """Raises when a context cannot be called `name`, or one is and may not be replaced."""
    check_name(name)
    if name in stored_contexts(config) and not replace:
        raise Problem(f"There is a context {name!r} already.", next="Add --replace to change it.")


def store(name: str, origin: str, *, use: bool) -> None:
    """Writes a context to config.toml; with `use` it is the active one."""

    def edit(document: dict[str, Any]) -> None:
        if use:
            document["context"] = name
        contexts = cast("dict[str, Any]", document.setdefault("contexts", {}))
        contexts[name] = {**contexts.get(name, {}), "url": origin}

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


def forget(config: dict[str, Any], name: str) -> None:
    """Removes a context, and its credentials unless another context is the same server."""
    stored = stored_contexts(config)
    origin = stored[name]["url"]
    if sum(other["url"] == origin for other in stored.values()) == 1:
        for kind in _KINDS:
            credentials.forget(origin, kind)

    def edit(document: dict[str, Any]) -> None:
        del document["contexts"][name]
        if document.get("context") == name:
            del document["context"]

    settings.change(edit)
