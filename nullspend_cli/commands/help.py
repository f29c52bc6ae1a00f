"""Help on commands and topics."""

from typing import Annotated

import typer

from nullspend_cli import formats, tree
from nullspend_cli.group import Single
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run
from nullspend_cli.topics import TOPICS

EXAMPLES = """
nullspend help exit-codes
nullspend help budgets set
nullspend help --tree
"""


def help(
    run: Run,
    topic: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC]", help=f"{', '.join(TOPICS)}, or a command.", show_default=False),
    ] = None,
    all_: Annotated[bool, typer.Option("--tree", help="Every command there is, a line each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Every command with its options, for a program.")] = False,
) -> None:
    """Help on a command, or on a topic. What it prints is the same as `--help` prints for a command."""
    words = topic or []
    root = run.find_root()
    if as_json:
        run.out.text(formats.pretty(tree.describe(tree.find(root, words))))
    elif all_:
        run.out.page(tree.drawn(tree.find(root, words)))
    elif words and words[0] in TOPICS:
        run.out.page(TOPICS[words[0]])
    elif words and not tree.exists(f"nullspend {' '.join(words)}", root):
        raise Usage(f"There is no help on {' '.join(words)!r}; topics are {', '.join(TOPICS)}.", next="nullspend help")
    else:
        run.out.page(tree.find(root, words).get_help() + "\n")


command = Single(EXAMPLES, help, ())
