"""The command tree as a completion script needs it: words, options, and what kind of value may follow."""

from typing import Any, NamedTuple

from nullspend_cli.completing import OPTIONS, kind_of
from nullspend_cli.tree import children, options_of, takes_words, values_of


class Word(NamedTuple):
    """A word of the command line, what it means, the options that may follow it, and the words below it."""

    name: str
    help: str
    options: tuple["Flag", ...] = ()
    below: tuple["Word", ...] = ()
    live: str = ""
    """The kind of live value that may follow; empty for none."""


class Flag(NamedTuple):
    """An option: its spellings, its meaning, whether a value follows and which values there are."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...] = ()
    live: str = ""


def words_of(root: Any) -> Word:
    """The whole tree below a root context."""
    return Word("nullspend", "", _flags(root), tuple(_word(ctx) for ctx in children(root)))


def _word(ctx: Any) -> Word:
    summary = ctx.command.get_short_help_str(limit=100).removesuffix(".")
    below = tuple(_word(child) for child in children(ctx))
    return Word(ctx.info_name, summary, _flags(ctx), below, _live(ctx) if takes_words(ctx) else "")


def _live(ctx: Any) -> str:
    noun = ctx.parent.info_name if ctx.parent and ctx.parent.parent else ""
    return kind_of(noun, ctx.info_name) if noun else kind_of(ctx.info_name, "")


def _flags(ctx: Any) -> tuple[Flag, ...]:
    return tuple(
        Flag(
            tuple(sorted((*option.opts, *option.secondary_opts), key=len)),  # Typer keeps those of --help in a set
            (option.help or "").removesuffix("."),
            not option.is_flag,
            values_of(option),
            next((OPTIONS[name] for name in option.opts if name in OPTIONS and not option.is_flag), ""),
        )
        for option in options_of(ctx)
    )


def every(root: Word) -> list[tuple[str, Word]]:
    """Every word with the path that leads to it, the root's own path being empty."""
    found = [("", root)]
    for noun in root.below:
        found.append((noun.name, noun))
        found += [(f"{noun.name} {verb.name}", verb) for verb in noun.below]
    return found


def parent(path: str) -> str:
    """The path one word shorter."""
    return path.rpartition(" ")[0]


def completable(word: Word) -> list[str]:
    """What may be typed next: the words below and the options."""
    return [*(below.name for below in word.below), *(name for flag in word.options for name in flag.names)]


SAYS = "Written from the command tree by: nullspend completion"
"""The remark at the top of every script."""
