"""Completion scripts."""

from typing import Annotated

import typer

from nullspend_cli import completion_scripts
from nullspend_cli.completion_scripts.words import words_of
from nullspend_cli.group import Single
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run

EXAMPLES = """
nullspend completion bash > ~/.local/share/bash-completion/completions/nullspend
nullspend completion zsh > "${fpath[1]}/_nullspend"
nullspend completion fish > ~/.config/fish/completions/nullspend.fish
nullspend completion powershell >> $PROFILE
"""


def completion(
    run: Run,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
) -> None:
    """Print a script that completes nouns, verbs, options and their values.

    It never starts the command, so it is quick.
    """
    if shell not in completion_scripts.SHELLS:
        raise Usage(f"There is no script for {shell!r}; there are {', '.join(completion_scripts.SHELLS)}.")
    run.out.text(completion_scripts.script(shell, words_of(run.find_root())))


command = Single(EXAMPLES, completion, ())
