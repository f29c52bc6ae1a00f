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


def takes_words(ctx: Any) -> bool:
    """Whether words of its own may follow the command."""
    return any(param.param_type_name == "argument" for param in ctx.command.get_params(ctx))


def values_of(option: Any) -> tuple[str, ...]:
    """All values an option may have, when its placeholder lists them: `table|json|csv`."""
    values = (option.metavar or "").split("|")
    return tuple(values) if len(values) > 1 else ()


def drawn(ctx: Any) -> str:
    """A command and all below it, each on a line with its summary; aliases in brackets."""
    lines = list(_drawn(ctx, 0))
    widest = max(len(name) for name, _ in lines)
    return "".join(f"{name.ljust(widest)}  {summary}".rstrip() + "\n" for name, summary in lines)


def _drawn(ctx: Any, depth: int) -> Iterator[tuple[str, str]]:
    yield f"{'  ' * depth}{ctx.info_name}{_aliases(ctx)}", _summary(ctx)
    for child in children(ctx):
        yield from _drawn(child, depth + 1)


def _aliases(ctx: Any) -> str:
    """The other names of a command, below a parent that has some for it."""
    parent = ctx.parent.command if ctx.parent else None
    names = [alias for alias, name in getattr(parent, "aliases", {}).items() if name == ctx.info_name]
    return f" [{', '.join(names)}]" if names else ""


def _summary(ctx: Any) -> str:
    text = ctx.command.get_short_help_str(limit=200)
    return str(text) if ctx.parent else ""


def describe(ctx: Any) -> dict[str, Any]:
    """A command and all below it as a record: what a program needs to call it, or to document it."""
    params = [param for param in ctx.command.get_params(ctx) if not getattr(param, "hidden", False)]
    below = [describe(child) for child in children(ctx)]
    return {
        "name": ctx.info_name,
        "summary": _summary(ctx),
        "arguments": [_argument(param, ctx) for param in params if param.param_type_name == "argument"],
        "options": [_option(param) for param in params if param.param_type_name == "option"],
        **({"commands": below} if below else {}),
    }


def _argument(param: Any, ctx: Any) -> dict[str, Any]:
    return {
        "name": param.make_metavar(ctx=ctx).strip("[]"),
        "help": getattr(param, "help", None) or "",
        "required": bool(param.required),
        "many": param.nargs != 1,
    }


def _option(param: Any) -> dict[str, Any]:
    return {
        "names": [*param.opts, *param.secondary_opts],
        "help": param.help or "",
        "takesValue": not param.is_flag,
        "values": list(values_of(param)),
        "repeatable": bool(param.multiple),
        "required": bool(param.required),
    }
