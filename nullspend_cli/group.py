"""Nouns and verbs on top of Typer: loaded when used, found by alias, helped when misspelt. Only here: typer.core.

To add a noun: one file in commands/ with a `noun`, and one line in the table of main.py.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from nullspend_cli.options import GLOBAL, STANDARD, Shared
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run, State
from nullspend_cli.terminal import Terminal

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for a command line it cannot read; it exports only this subclass."""

ALIASES = {"ls": "list", "rm": "delete"}
_Function = TypeVar("_Function", bound=Callable[..., None])


class _Formatter(typer.Context.formatter_class):
    """Help with bold headings where a person reads it."""

    def write_heading(self, heading: str) -> None:
        super().write_heading(Terminal().styled(heading, "bold") if heading else heading)


Run.formatter_class = _Formatter


def _remember(ctx: typer.Context, param: Any, value: Any) -> Any:
    """Keeps a shared option that was given; the innermost place it was given at wins."""
    if value:
        ctx.find_root().obj.options[param.name] = list(value) if isinstance(value, tuple) else value
    return value


def _checked(choices: Sequence[str]) -> Callable[[typer.Context, Any, Any], Any]:
    def check(ctx: typer.Context, param: Any, value: Any) -> Any:
        if value and value not in choices:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(choices)}", ctx=ctx, param=param)
        return _remember(ctx, param, value)

    return check


@functools.cache
def _click_option(shared: Shared) -> TyperOption:
    return TyperOption(
        param_decls=[shared.name, *shared.flags],
        is_flag=True if not shared.metavar else None,
        default=False if not shared.metavar else None,
        multiple=shared.multiple,
        metavar=shared.metavar or None,
        help=shared.help,
        expose_value=False,
        callback=_checked(shared.choices) if shared.choices else _remember,
        rich_help_panel=shared.section,
    )


class Verb(TyperCommand):
    """One command, with the options it shares with others, and examples below its help."""

    context_class = Run
    shared: ClassVar[tuple[Shared, ...]] = STANDARD

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *(_click_option(shared) for shared in self.shared)]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What must be given stands bare, as in every manual: Typer would put it in braces."""
        return [piece[1:-1] if piece.startswith("{") else piece for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_sections(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


@functools.cache
def _verb_with(shared: tuple[Shared, ...]) -> type[Verb]:
    return type("Verb", (Verb,), {"shared": shared})


class _Group(TyperGroup):
    """What nouns and the root have in common."""

    context_class = Run
    aliases: Mapping[str, str] = ALIASES

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, self.aliases.get(cmd_name, ""))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        command = self.get_command(ctx, args[0])
        if command is None:
            if args[0].startswith("-"):
                self.make_parser(ctx).parse_args(list(args))  # says which option there is not
            self._refuse(ctx, args[0])
        return command.name, command, args[1:]

    def _refuse(self, ctx: Any, word: str) -> NoReturn:
        near = get_close_matches(word, [*self.list_commands(ctx), *self.aliases], n=2)
        names = ", ".join(dict.fromkeys(self.aliases.get(name, name) for name in near))
        there_are = f"did you mean {names}?" if near else f"there are {', '.join(self.list_commands(ctx))}."
        raise Usage(f"{ctx.command_path} has no command {word!r}; {there_are}", next=f"{ctx.command_path} --help")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_sections(self, ctx, formatter)


def _write_sections(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments and options under the headings they name, in the order the headings first appear."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        entry = param.get_help_record(ctx)
        if entry:
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            title = "Everywhere" if param.name == "help" else getattr(param, "rich_help_panel", None) or default
            sections.setdefault(title, []).append(entry)
    for title, entries in sections.items():
        with formatter.section(title):
            formatter.write_dl(entries)


def _write_examples(examples: str | None, formatter: Any) -> None:
    if examples:
        formatter.write_paragraph()
        formatter.write_heading("Examples")
        formatter.write("".join(f"  {line}\n" for line in examples.strip().splitlines()))


class Noun:
    """A noun and its verbs. `examples` holds the lines shown below each verb's help, by the verb's name."""

    def __init__(self, examples: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> None:
        self.examples = examples
        self.aliases = {**ALIASES, **(aliases or {})}
        self._app = _app()

    def verb(self, name: str = "", *, shared: tuple[Shared, ...] = STANDARD) -> Callable[[_Function], _Function]:
        """Makes a function a verb; it is called like the function unless named."""

        def register(function: _Function) -> _Function:
            verb = name or function.__name__.rstrip("_").replace("_", "-")
            self._app.command(verb, cls=_verb_with(shared), epilog=self.examples[verb])(function)
            return function

        return register

    def build(self, entry: "Entry") -> Any:
        """The group Typer makes of the verbs."""
        group: Any = typer.main.get_group(self._app)
        group.name, group.help, group.aliases = entry.name, entry.summary, self.aliases
        return group


class Single:
    """A command without verbs."""

    def __init__(
        self,
        examples: str,
        function: Callable[..., None],
        shared: tuple[Shared, ...] = STANDARD,
        *,
        passes_on: bool = False,
    ) -> None:
        """`passes_on`: from its first argument on, the words are another command's, options included."""
        self._app = _app()
        settings = {"allow_interspersed_args": False} if passes_on else None
        self._app.command(cls=_verb_with(shared), epilog=examples, context_settings=settings)(function)

    def build(self, entry: "Entry") -> Any:
        """The command Typer makes of the function."""
        command: Any = typer.main.get_command(self._app)
        command.name = entry.name
        return command


def _app() -> typer.Typer:
    return typer.Typer(cls=_Group, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class Entry(NamedTuple):
    """One line of the root's table: the module in commands/ has the same name."""

    name: str
    section: str
    summary: str
    aliases: tuple[str, ...] = ()


class Root(_Group):
    """The root: its nouns are imported when they are used, its help needs none of them."""

    entries: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *(_click_option(shared) for shared in GLOBAL)]
        self.aliases = {alias: entry.name for entry in self.entries.values() for alias in entry.aliases}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = self.aliases.get(cmd_name, cmd_name)
        return _load(self.entries[name]) if name in self.entries else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        widest = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            entries = [entry for entry in self.entries.values() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl([(entry.name.ljust(widest), entry.summary) for entry in entries])


@functools.cache
def _load(entry: Entry) -> Any:
    module = importlib.import_module(f"nullspend_cli.commands.{entry.name}")
    return (module.noun if hasattr(module, "noun") else module.command).build(entry)


def invoke(root: Any, arguments: list[str], state: State) -> None:
    """Runs one command line. Raises what the command raises."""
    with root.make_context("nullspend", arguments, obj=state) as ctx:
        root.invoke(ctx)


def usage_of(error: Any) -> Usage:
    """The problem behind Typer's own complaint about a command line."""
    ctx = error.ctx
    return Usage(str(error.format_message()), next=f"{ctx.command_path} --help" if ctx else "nullspend --help")
