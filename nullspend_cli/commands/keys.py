"""API keys."""

from typing import Annotated, Any

import typer

from nullspend_cli import credentials
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Tags, Yes, tags_of
from nullspend_cli.output import Empty
from nullspend_cli.problems import Usage
from nullspend_cli.render import plain
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import Kind


def _allowed(names: Any) -> str:
    """An allow-list; an empty one denies everything, which an empty cell would hide."""
    return plain(names) or "none"


COLUMNS = (
    column("name"),
    column("keyPrefix", "PREFIX"),
    column("defaultTags", "TAGS", wide=True),
    column("allowedProviders", "PROVIDERS", _allowed, wide=True, absent="any"),
    column("allowedModels", "MODELS", _allowed, wide=True, absent="any"),
    column("lastUsedAt", "LAST USED", show_time, absent="never"),
    column("createdAt", "CREATED", show_time, wide=True),
    column("id", wide=True),
)
_ID_FIRST = (COLUMNS[-1], *COLUMNS[:-1])
_CREATED = (column("rawKey", "KEY"), *_ID_FIRST)
_NONE = Empty("There are no keys yet.", "nullspend keys create NAME")

EXAMPLES = {
    "list": """
nullspend keys list
nullspend keys list --format csv > keys.csv
""",
    "get": """
nullspend keys get default
nullspend keys get default --json
""",
    "create": """
nullspend keys create researcher --save
nullspend keys create ci --tag team=platform --allow-provider openai --allow-model gpt-4o-mini
KEY=$(nullspend keys create job --jq .rawKey)
""",
    "update": """
nullspend keys update researcher --name analyst
nullspend keys update ci --tag team=platform --tag stage=test
nullspend keys update ci --any-model --any-provider
""",
    "delete": """
nullspend keys delete researcher
nullspend keys revoke ns_key_019a0000-0000-7000-8000-000000000000 --yes
""",
}

noun = Noun(EXAMPLES, {"revoke": "delete"})

_Key = Annotated[str, typer.Argument(metavar="KEY", help="Its name or id.")]
_Models = Annotated[
    list[str] | None,
    typer.Option("--allow-model", metavar="MODEL", help="Allow only these models; repeatable.", show_default=False),
]
_Providers = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-provider", metavar="PROVIDER", help="Allow only openai or anthropic; repeatable.", show_default=False
    ),
]


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List the active keys of the organization, newest first."""
    run.out.table(run.client.pages("/api/keys", Kind.KEY, limit=run.rows_wanted(limit)), COLUMNS, empty=_NONE)


@noun.verb()
def get(run: Run, key: _Key) -> None:
    """Show one key. Its value is shown only when it is created."""
    run.out.record(run.names.key(key), _ID_FIRST)


@noun.verb()
def create(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it, 1 to 50 characters.")],
    tag: Tags = None,
    allow_model: _Models = None,
    allow_provider: _Providers = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep its value, for `daemon env --key` and `events report --key`.")
    ] = False,
) -> None:
    """Create a key and print its value, this once.

    Tags given here are put on everything the key is used for.
    """
    body = {"name": name, "defaultTags": tags_of(tag), "allowedModels": allow_model, "allowedProviders": allow_provider}
    created = record(run.client.post("/api/keys", _given(body)), Kind.KEY)
    run.out.record(created, _CREATED)
    if save:
        _save(run, created)
    else:
        run.out.hint("This is the only time the key is shown; --save would have kept it.")


def _save(run: Run, created: Record) -> None:
    kept = credentials.save(run.place.vault, f"key:{created['name']}", str(created["rawKey"]))
    run.out.hint(f"Saved as {created['name']} in {kept}.")
    if kept is credentials.Kept.FILE:
        run.out.hint(f"No keyring keeps secrets here, so it is {credentials.path()}.")


def _given(body: dict[str, Any]) -> Record:
    return {field: value for field, value in body.items() if value not in (None, [])}


@noun.verb()
def update(
    run: Run,
    key: _Key,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its new name.", show_default=False)
    ] = None,
    tag: Tags = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Remove all tags.")] = False,
    allow_model: _Models = None,
    any_model: Annotated[bool, typer.Option("--any-model", help="Allow every model again.")] = False,
    allow_provider: _Providers = None,
    any_provider: Annotated[bool, typer.Option("--any-provider", help="Allow every provider again.")] = False,
) -> None:
    """Change a key. Tags and the two lists are replaced as a whole; what is not given stays."""
    body = _given(
        {"name": name, "defaultTags": tags_of(tag), "allowedModels": allow_model, "allowedProviders": allow_provider}
    )
    body |= {"defaultTags": {}} if no_tags else {}
    body |= {"allowedModels": None} if any_model else {}
    body |= {"allowedProviders": None} if any_provider else {}
    if not body:
        raise Usage("There is nothing to change.", next="nullspend keys update --help")
    changed = record(run.client.patch(f"/api/keys/{run.names.key(key)['id']}", body), Kind.KEY)
    run.out.result(f"Changed the key {changed['name']}.", changed)


@noun.verb()
def delete(run: Run, key: _Key, yes: Yes = False) -> None:
    """Revoke a key. Calls with it fail from the next request on; what it spent stays on record."""
    found = run.names.key(key)
    run.out.confirm(f"Revoke the key {found['name']} ({found['keyPrefix']}...)?", yes=yes)
    deleted = record(run.client.delete(f"/api/keys/{found['id']}"), Kind.KEY)
    credentials.forget(run.place.vault, f"key:{found['name']}")
    run.out.result(f"Revoked the key {found['name']}.", deleted)
