"""The command tree read as data: for help, for the reference in docs/cli.md, for completion scripts."""

from collections.abc import Iterator
from typing import Any

from nullspend_cli.problems import Usage


def root_of(group: Any) -> Any:
    """A context of the root, from which the others are reached."""
    return group.context_class(group, info_name="nullspend", **group.context_settings)


def children(ctx: Any) -> Iterator[Any]:
    """A context for each word that may follow, in the order of the help."""
    command = ctx.command
    for name in command.list_commands(ctx) if hasattr(command, "list_commands") else ():
        below = command.get_command(ctx, name)
        yield below.context_class(below, info_name=name, parent=ctx)


def find(root: Any, words: list[str]) -> Any:
    """The context these words lead to, aliases included. Raises Usage for words that lead nowhere."""
    ctx = root
    for word in words:
        command = ctx.command.get_command(ctx, word) if hasattr(ctx.command, "list_commands") else None
        if command is None:
            raise Usage(f"{ctx.command_path} has no command {word!r}.", next=f"{ctx.command_path} --help")
        ctx = command.context_class(command, info_name=command.name, parent=ctx)
    return ctx


def exists(command_line: str, root: Any) -> bool:
    """Whether a line that starts with `nullspend` names a command there is; its options are not judged."""
    words = command_line.split()[1:]
    ctx = root
    for word in words:
        if word.startswith("-") or not hasattr(ctx.command, "list_commands"):
            break
        command = ctx.command.get_command(ctx, word)
        if command is None:
            return False
        ctx = command.context_class(command, info_name=command.name, parent=ctx)
    return True


def options_of(ctx: Any) -> list[Any]:
    """The options a person may give here."""
    return [param for param in ctx.command.get_params(ctx) if param.param_type_name == "option" and not param.hidden]


def values_of(option: Any) -> tuple[str, ...]:
    """All values an option may have, when its placeholder lists them: `table|json|csv`."""
    values = (option.metavar or "").split("|")
    return tuple(values) if len(values) > 1 else ()
