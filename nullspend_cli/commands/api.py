"""Any request to the server."""

from typing import Annotated

import typer

from nullspend_cli import by_hand, formats
from nullspend_cli.group import Single
from nullspend_cli.options import GLOBAL, OUTPUT
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run

EXAMPLES = """
nullspend api keys
nullspend api /api/cost-events --paginate --jq '.data[].costMicrodollars'
nullspend api POST keys -f name=ci -f 'defaultTags[team]=core'
nullspend api PATCH keys/ns_key_019a0000-0000-7000-8000-000000000000 -F 'allowedModels=null'
nullspend api POST cost-events --input event.json -H 'Idempotency-Key: job-17'
"""
_JQ = tuple(option for option in OUTPUT if option.name == "jq")
_AUTH = ("key", "session", "admin", "none")


def api(
    run: Run,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[METHOD] PATH", help="GET unless there is something to send; `keys` is `/api/keys`."),
    ],
    field: Annotated[
        list[str] | None,
        typer.Option("-f", "--raw-field", metavar="K=TEXT", help="A text field; repeatable.", show_default=False),
    ] = None,
    typed: Annotated[
        list[str] | None,
        typer.Option(
            "-F",
            "--field",
            metavar="K=VALUE",
            help="A field whose true, false, null, whole numbers, @FILE and @- are what they mean; repeatable.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option("--input", metavar="FILE", help="Send this file as the body; - is stdin.", show_default=False),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="NAME: VALUE", help="A header; repeatable.", show_default=False),
    ] = None,
    paginate: Annotated[bool, typer.Option("--paginate", help="Fetch all pages, as one reply.")] = False,
    include: Annotated[bool, typer.Option("-i", "--include", help="Show status and headers too.")] = False,
    auth: Annotated[
        str | None,
        typer.Option(
            "--auth", metavar="|".join(_AUTH), help="Which credential, instead of the usual.", show_default=False
        ),
    ] = None,
) -> None:
    """Send one request to the context's server and print the reply.

    The credential is the one the endpoint takes; it goes to this server and to no other.
    """
    if auth and auth not in _AUTH:
        raise Usage(f"There is no credential {auth!r}; there are {', '.join(_AUTH)}.")
    request = by_hand.typed(
        words,
        [*by_hand.text_fields(field or ()), *by_hand.typed_fields(typed or ())],
        None if input is None else by_hand.read_input(input),
        by_hand.header_lines(header or ()),
        run.place.origin,
        auth,
    )
    jq = run.given("jq")
    if paginate:
        if include or request.method != "GET":
            raise Usage("--paginate is for a GET, and not together with --include.")
        whole = by_hand.all_pages(run.client, request)
        run.out.text(formats.through_jq(jq, whole) if jq else formats.pretty(whole))
        return
    answer = by_hand.send(run.client, request)
    if include:
        run.out.text(by_hand.head(answer))
    if answer.status < 300 or include:
        run.out.text(by_hand.body_text(answer, jq if answer.status < 300 else None))
    run.client.check(answer, request.auth)


command = Single(EXAMPLES, api, (*_JQ, *GLOBAL))
