"""The completion scripts, written from the command tree.

They are static: completing a noun, a verb, an option or one of an option's fixed values starts no Python. Only what
lives on a server - ids, names - is asked for, by `nullspend --complete KIND WORD`.
"""

from collections.abc import Callable

from nullspend_cli.completion_scripts import bash, fish, powershell, zsh
from nullspend_cli.completion_scripts.words import Word

_WRITERS: dict[str, Callable[[Word], str]] = {
    "bash": bash.script,
    "zsh": zsh.script,
    "fish": fish.script,
    "powershell": powershell.script,
}
SHELLS = tuple(_WRITERS)
FILES = {"bash": "nullspend.bash", "zsh": "_nullspend", "fish": "nullspend.fish", "powershell": "nullspend.ps1"}
"""What the shipped script of each shell is called."""


def script(shell: str, root: Word) -> str:
    """The completion script of one of SHELLS."""
    return _WRITERS[shell](root)
