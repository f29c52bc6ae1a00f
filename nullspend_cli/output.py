"""The one place that prints. Data goes to stdout, everything else to stderr; what is data is never markup."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TextIO

from nullspend_cli import formats, settings, tables
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import Cell, visible
from nullspend_cli.tables import Column, Row
from nullspend_cli.terminal import Terminal


class Empty(NamedTuple):
    """What a list says when it has no rows, and the command that changes that."""

    sentence: str
    next: str = ""


class Output:
    """Prints in one of the modes table, json, jsonl, csv and ids."""

    def __init__(
        self,
        terminal: Terminal,
        *,
        mode: str = "table",
        fields: Sequence[str] | None = None,
        jq: str | None = None,
        pager: str = "off",
    ) -> None:
        self.terminal = terminal
        self.mode = mode
        self.fields = fields
        self._jq = jq
        self._pager = pager

    @classmethod
    def of(cls, options: dict[str, Any], setting: Callable[[str], Any], terminal: Terminal) -> "Output":
        """The output the shared options ask for, else the settings. Raises Usage when they exclude each other."""
        wanted = [
            *(["ids"] if options.get("quiet") else []),
            *(["json"] if options.get("json") or options.get("jq") else []),
            *([options["format"]] if options.get("format") else []),
        ]
        if len(set(wanted)) > 1:
            raise Usage(f"The output cannot be {' and '.join(dict.fromkeys(wanted))} at the same time.")
        mode = wanted[0] if wanted else str(setting("format"))
        if mode not in settings.FORMATS:
            raise Usage(f"There is no format {mode!r}; there are {', '.join(settings.FORMATS)}.")
        fields = [name.strip() for name in options["fields"].split(",")] if options.get("fields") else None
        pager = str(setting("pager"))
        return cls(terminal, mode=mode, fields=fields, jq=options.get("jq"), pager=pager)

    @property
    def is_for_a_person(self) -> bool:
        """Whether nothing but a table was asked for."""
        return self.mode == "table" and self.fields is None

    def table(
        self,
        rows: Iterable[Row],
        columns: Sequence[Column],
        *,
        empty: Empty,
        id_field: str = "id",
        footer: str = "",
        below: Sequence[Row] = (),
    ) -> None:
        """A list: a table of `columns`, or the full records in the other modes. `footer` is a note below a table,
        `below` are rows that only a person reads, such as the sum of the others."""
        if self.mode == "ids":
            self._write(formats.id_lines(rows, id_field))
        elif self.mode == "jsonl":
            self._write(formats.line(row) for row in formats.pick(rows, self.fields))
        elif self.mode == "json":
            self._json(list(formats.pick(rows, self.fields)))
        else:
            self._table(list(rows), columns, empty, footer, below)

    def _table(
        self, rows: list[Row], columns: Sequence[Column], empty: Empty, footer: str, below: Sequence[Row]
    ) -> None:
        columns = self._chosen(rows, columns)
        if self.mode == "csv":
            self._write([formats.csv_text(columns, rows)])
        elif not rows:
            self.note(empty.sentence)
            self.next(empty.next)
        else:
            self._paged(tables.table(columns, [*rows, *below], self.terminal))
            self.note(footer)

    def follow(self, batches: Iterable[Sequence[Row]], columns: Sequence[Column], *, id_field: str = "id") -> None:
        """Rows that come as time goes by, each written at once. An array that never ends is no use, so `--json` prints
        one record a line here, as jsonl does."""
        growing = tables.Growing(columns, self.terminal)
        for number, rows in enumerate(batches):
            if self.mode == "ids":
                self._write(formats.id_lines(rows, id_field))
            elif self.mode in ("json", "jsonl"):
                self._lines(formats.pick(rows, self.fields))
            elif self.mode == "csv":
                chosen = self._chosen(rows, columns)
                self._write([formats.csv_text(chosen, rows, header=number == 0)])
            else:
                growing.columns = self._chosen(rows, columns)
                self._write([growing.lines(rows)])
            self.terminal.stdout.flush()

    def _lines(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._write([formats.line(row) if self._jq is None else formats.through_jq(self._jq, row)])

    def document(
        self, row: Row, draw: Callable[[Terminal], str], *, empty: Empty | None = None, id_field: str = "id"
    ) -> None:
        """One object as a page for a person, drawn by `draw`, or the object itself for a program. A page that can be
        empty says so."""
        if not self.is_for_a_person:
            self.record(row, [tables.column(field) for field in row], id_field=id_field)
            return
        page = draw(self.terminal)
        if page or empty is None:
            self._paged(page)
        else:
            self.note(empty.sentence)
            self.next(empty.next)

    def _chosen(self, rows: Sequence[Row], columns: Sequence[Column]) -> Sequence[Column]:
        """The columns `--fields` names: those of the table, or plain ones for the record's other fields."""
        if self.fields is None:
            return columns
        known = {column.field: column for column in columns}
        formats.check_fields(rows, self.fields, tuple(known))
        return [known.get(field) or tables.column(field) for field in self.fields]

    def stream(self, rows: Iterable[Row], columns: Sequence[Column], *, id_field: str = "id") -> None:
        """Rows without an end, each printed as it comes; a table's columns grow with what they have to hold."""
        widths = [len(column.title) for column in columns]
        for number, row in enumerate(rows):
            if self.mode == "ids":
                self.text(next(iter(formats.id_lines([row], id_field))), at_once=True)
            elif self.mode in ("json", "jsonl"):
                self.text("".join(map(formats.line, formats.pick([row], self.fields))), at_once=True)
            else:
                self.text(self._streamed(row, self._chosen([row], columns), widths, first=not number), at_once=True)

    def _streamed(self, row: Row, columns: Sequence[Column], widths: list[int], *, first: bool) -> str:
        if self.mode == "csv":
            text = formats.csv_text(columns, [row])
            return text if first else text.partition("\n")[2]
        return tables.streamed(columns, row, widths, self.terminal, title=first)

    def record(
        self, row: Row, columns: Sequence[Column], *, id_field: str = "id", below: Sequence[Sequence[Cell]] = ()
    ) -> None:
        """One object: a line a field, and the lines `below` them, or the record itself in the other modes."""
        if self.mode in ("json", "jsonl"):
            (chosen,) = formats.pick([row], self.fields)
            self._json(chosen)
        elif self.mode == "ids":
            self._write(formats.id_lines([row], id_field))
        elif self.mode == "csv":
            self._write([formats.csv_text(self._chosen([row], columns), [row])])
        else:
            self._write([tables.record(self._chosen([row], columns), row, self.terminal)])
            self._write(self._laid_out(below if self.fields is None else (), self.terminal.stdout))

    def result(self, sentence: str, row: Row, *, id_field: str = "id") -> None:
        """What a command has done: a sentence for a person on stderr, the reply itself for a program on stdout."""
        if self.is_for_a_person:
            self.note(sentence)
        elif self.mode == "ids":
            self._write(formats.id_lines([row], id_field))
        else:
            self.record(row, [tables.column(field) for field in row], id_field=id_field)

    def text(self, text: str, *, at_once: bool = False) -> None:
        """Text that is the data itself, such as a script or export lines. It must be safe to print as it is."""
        self._write([text])
        if at_once:
            self.terminal.stdout.flush()

    def page(self, text: str) -> None:
        """Long text for a person."""
        self._paged(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks before something that cannot be undone. Raises Usage for a no, or when nobody can be asked."""
        if yes:
            return
        if not self.terminal.can_ask:
            raise Usage(f"This needs a yes: {question}", next="Add --yes to say it on the command line.")
        if not self.terminal.ask(question):
            raise Usage("Nothing was changed.")

    def confirm_by_name(self, question: str, name: str, *, yes: bool) -> None:
        """As `confirm`, for what takes much with it: the answer is the name of the thing."""
        if yes:
            return
        if not self.terminal.can_ask:
            raise Usage(f"This needs a yes: {question}", next="Add --yes to say it on the command line.")
        if self.terminal.answer(f"{question} Type its name, {name}, to go on:") != name:
            raise Usage("Nothing was changed.")

    def absent(self, empty: Empty) -> None:
        """A single thing that is not there, where that is an answer and no error: null where a program reads."""
        if self.mode in ("json", "jsonl"):
            self._json(None)
        elif self.mode == "table":
            self.note(empty.sentence)
            self.next(empty.next)

    def preview(self, lines: Sequence[Sequence[Cell]]) -> None:
        """What a question is about, on stderr. The cells must be safe to print as they are."""
        self.terminal.stdout.flush()
        for line in self._laid_out(lines, self.terminal.stderr):
            self.terminal.stderr.write(line)

    def _laid_out(self, lines: Sequence[Sequence[Cell]], stream: TextIO) -> Iterable[str]:
        for line in lines:
            yield "".join(self.terminal.styled(cell.text, cell.style, stream) for cell in line).rstrip() + "\n"

    def note(self, sentence: str) -> None:
        """Something beside the data, on stderr."""
        if sentence:
            self._aside(visible(sentence), "")

    def next(self, command: str) -> None:
        """What to run next, on stderr."""
        if command:
            self._aside(f"next: {visible(command)}", "dim")

    def steps(self, commands: Sequence[tuple[str, str]]) -> None:
        """Several commands to run next, each with what it does."""
        widest = max(len(command) for command, _ in commands)
        lines = [visible(f"  {command.ljust(widest)}  {why}") for command, why in commands]
        self._aside("\n".join(["", "next:", *lines]), "")

    def hint(self, sentence: str) -> None:
        """A side remark for a person; left out where a program reads the output."""
        if self.mode == "table":
            self._aside(visible(sentence), "dim")

    def error(self, problem: Problem) -> None:
        """Why a command failed and what to run next; the error envelope where a program reads the output."""
        self.terminal.stdout.flush()
        if self.mode in ("json", "jsonl"):
            self.terminal.stderr.write((formats.pretty if self.mode == "json" else formats.line)(problem.envelope))
            return
        sign = self.terminal.styled("error:", "red", self.terminal.stderr)
        self.terminal.stderr.write(f"{sign} {visible(problem.message)}\n")
        for line in problem.lines:
            self.terminal.stderr.write(f"  {visible(line)}\n")
        self.next(problem.next)

    def _json(self, value: Any) -> None:
        if self._jq is not None:
            self._write([formats.through_jq(self._jq, value)])
        else:
            self._write([(formats.line if self.mode == "jsonl" else formats.pretty)(value)])

    def _paged(self, text: str) -> None:
        if not self.terminal.page(text, self._pager):
            self._write([text])

    def _aside(self, text: str, style: str) -> None:
        stream = self.terminal.stderr
        self.terminal.stdout.flush()  # a person sees both, in the order they were written
        stream.write(self.terminal.styled(text, style, stream) + "\n")
        stream.flush()

    def _write(self, chunks: Iterable[str]) -> None:
        for chunk in chunks:
            self.terminal.stdout.write(chunk)
