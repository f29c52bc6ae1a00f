"""The servers you use."""

from typing import Annotated

import typer

from nullspend_cli import bookmarks, local, signing_in
from nullspend_cli.contexts import Stored, check_encrypted
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Yes
from nullspend_cli.output import Empty
from nullspend_cli.places import LOCAL
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.transport import origin_of

EXAMPLES = {
    "list": """
nullspend contexts list
""",
    "get": """
nullspend contexts get production
""",
    "create": """
nullspend contexts create production --url https://nullspend.example.com --with-key --use
nullspend contexts create staging --url https://staging.example.com --with-key < key.txt
""",
    "delete": """
nullspend contexts delete staging
""",
    "use": """
nullspend contexts use production
nullspend contexts use local
""",
}
COLUMNS = (
    column("active", "", lambda active: "*" if active else ""),
    column("name"),
    column("url", "SERVER"),
    column("apiKey", "KEY"),
    column("session"),
    column("org", "ORGANIZATION", wide=True),
)
_DETAILS = (
    *COLUMNS[1:],
    column("caFile", "CA FILE"),
    column("insecureHttp", "INSECURE HTTP"),
)

noun = Noun(EXAMPLES, {"add": "create", "remove": "delete"})

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The context's name.")]


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List the servers you can use. The one marked * is used unless something else is said."""
    found = bookmarks.every(run.state.config)[: run.rows_wanted(limit) or None]
    run.out.table(found, COLUMNS, empty=Empty(""), id_field="name")


@noun.verb()
def get(run: Run, name: _Name) -> None:
    """Show one context, and which credentials are kept for it."""
    run.out.record(bookmarks.named(run.state.config, name), _DETAILS, id_field="name")


@noun.verb()
def create(
    run: Run,
    name: _Name,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="The server: https://HOST, without a path.", show_default=False)
    ],
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Ask for an API key, or read it from standard input.")
    ] = False,
    with_session: Annotated[
        bool, typer.Option("--with-session", help="Ask for a session: the whole Cookie header of a signed-in browser.")
    ] = False,
    ca_file: Annotated[
        str | None,
        typer.Option("--ca-file", metavar="FILE", help="Trust these certificates for it too.", show_default=False),
    ] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Accept that an http server gets your credentials unencrypted.")
    ] = False,
    use: Annotated[bool, typer.Option("--use", help="Use it from now on.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change it if it is there already.")] = False,
) -> None:
    """Add a server. Its credentials are tried, kept in the system's keyring, and sent to this server only."""
    bookmarks.check_new(run.state.config, name, replace=replace)
    to = signing_in.Target(name, Stored(origin_of(url))).trusting(ca_file, insecure_http=insecure_http)
    check_encrypted(to.stored.url, accepted=insecure_http)
    notes: list[str] = []
    if with_key or with_session:
        offer = signing_in.collect(run.out.terminal, key=with_key, session=with_session)
        notes = signing_in.where_kept(signing_in.sign_in(to, offer, run.state.client_at, use=use))
    else:
        bookmarks.store(name, to.stored, use=use)
    run.out.result(
        f"Added {name}: {to.stored.url}." + (" It is used from now on." if use else ""),
        {"name": name, "url": to.stored.url},
        id_field="name",
    )
    for note in notes:
        run.out.hint(note)
    if not use:
        run.out.next(f"nullspend contexts use {name}")


@noun.verb()
def delete(run: Run, name: _Name, yes: Yes = False) -> None:
    """Forget a server and the credentials kept for it."""
    context = bookmarks.removable(run.state.config, name)
    run.out.confirm(f"Forget {name} ({context['url']}) and its credentials?", yes=yes)
    bookmarks.forget(run.state.config, name)
    run.out.result(f"Forgot {name}.", {"name": name, "deleted": True}, id_field="name")


@noun.verb()
def use(run: Run, name: _Name) -> None:
    """Use a server from now on, wherever nothing else is said."""
    context = bookmarks.named(run.state.config, name)
    bookmarks.use(name)
    run.out.result(f"Using {name} from now on: {context['url'] or 'no daemon is running'}.", context, id_field="name")
    if name == LOCAL and local.running() is None:
        run.out.next("nullspend daemon start")
