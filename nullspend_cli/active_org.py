"""Which organization a person acts in on this machine's daemon: what `orgs switch` chose.

A hosted server keeps it in the session's own cookie. The daemon's sessions are new at each start, so it is kept in
config.toml, by the daemon's data and, for `--as`, by the person.
"""

from typing import Any, cast

from nullspend_cli import settings

TABLE = "active_orgs"


def kept(vault: str, person: str | None) -> str | None:
    """The id of the organization that was chosen; None is the personal one."""
    table = settings.load().get(TABLE, {})
    chosen = table.get(_name(vault, person)) if isinstance(table, dict) else None
    return chosen if isinstance(chosen, str) else None


def keep(vault: str, person: str | None, org_id: str | None) -> None:
    """Remembers the choice; None forgets it."""
    if org_id == kept(vault, person):
        return

    def edit(document: dict[str, Any]) -> None:
        table = cast("dict[str, Any]", document.setdefault(TABLE, {}))
        table.pop(_name(vault, person), None)
        if org_id is not None:
            table[_name(vault, person)] = org_id

    settings.change(edit)


def _name(vault: str, person: str | None) -> str:
    return vault if person is None else f"{vault} {person.strip().lower()}"
