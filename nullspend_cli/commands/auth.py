"""Who you are to the server."""

from typing import Annotated, Any

import typer

from nullspend_cli import bookmarks, identity
from nullspend_cli.group import Noun
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = {
    "login": """
nullspend auth login --server https://nullspend.example.com
nullspend auth login --session < cookie.txt
nullspend auth login --context staging --server https://staging.example.com --key < key.txt
""",
    "logout": """
nullspend auth logout
nullspend auth logout --context staging --session
""",
    "status": """
nullspend auth status
nullspend auth whoami --json
nullspend auth status --check --context production
""",
}
COLUMNS = (
    column("context"),
    column("server"),
    column("chosenBy", "CHOSEN BY"),
    column("email", "USER"),
    column("userId", "USER ID"),
    column("role"),
    column("orgId", "ORGANIZATION"),
    column("keyName", "KEY"),
    column("keyId", "KEY ID"),
    column("session"),
    column("apiKey", "API KEY"),
)

noun = Noun(EXAMPLES, {"whoami": "status"})


def _flag(flag: str, help: str) -> Any:
    return typer.Option(flag, help=help)


@noun.verb()
def login(
    run: Run,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="URL",
            help="The server: https://HOST. Without it the chosen context, else the hosted service.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[bool, _flag("--key", "Only with an API key.")] = False,
    session: Annotated[bool, _flag("--session", "Only with a session.")] = False,
    ca_file: Annotated[
        str | None,
        typer.Option("--ca-file", metavar="FILE", help="Trust these certificates for it too.", show_default=False),
    ] = None,
    insecure_http: Annotated[
        bool, _flag("--insecure-http", "Accept that an http server gets your credentials unencrypted.")
    ] = False,
    use: Annotated[bool, typer.Option("--use/--no-use", help="Use it from now on.")] = True,
) -> None:
    """Sign in to a server, with an API key, a session or both.

    They are typed without showing or read from standard input, tried, and then kept in the system's keyring. A session
    is the whole Cookie header of a signed-in browser: in its developer tools, copy it from any request to the server.
    --context names the context; without it the server's host does.
    """
    from nullspend_cli import signing_in

    to = signing_in.target(run.given("context"), server, run.state.config, run.state.project)
    to = to.trusting(ca_file, insecure_http=insecure_http)
    offer = signing_in.collect(run.out.terminal, key=key, session=session)
    done = signing_in.sign_in(to, offer, run.state.client_at, use=use)
    who = f" as {done['role']} of {done['orgId']}" if "role" in done else ""
    run.out.result(f"Signed in to {done['server']} (context {to.name}){who}.", done, id_field="context")
    for note in signing_in.where_kept(done):
        run.out.hint(note)
    if not use:
        run.out.next(f"nullspend contexts use {to.name}")


@noun.verb()
def logout(
    run: Run,
    key: Annotated[bool, _flag("--key", "Only the API key.")] = False,
    session: Annotated[bool, _flag("--session", "Only the session.")] = False,
) -> None:
    """Forget the API key and the session kept for the context. The context itself stays."""
    to = bookmarks.to_leave(run.state.chosen_name, run.state.config)
    kinds = [kind for kind, wanted in (("key", key), ("session", session)) if wanted or not (key or session)]
    gone = bookmarks.sign_out(to["name"], to["url"], kinds)
    words = " and ".join({"key": "API key", "session": "session"}[kind] for kind in gone)
    run.out.result(
        f"Forgot the {words} of {to['name']}." if gone else f"Nothing was kept for {to['name']}.",
        {"context": to["name"], "forgotten": gone},
        id_field="context",
    )


@noun.verb()
def status(
    run: Run,
    check: Annotated[bool, _flag("--check", "Exit 4 unless everything that is kept is accepted.")] = False,
) -> None:
    """Show which server is used, why that one, and as whom. Exits 4 when not signed in there."""
    found = identity.who(run.client, run.names)
    run.out.record(found, COLUMNS, id_field="userId")
    if check:
        identity.check(run.place, found)
