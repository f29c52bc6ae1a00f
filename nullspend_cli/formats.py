"""Records for programs: json, jsonl, csv and ids. What a person reads is in tables.py."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import json_safe, visible
from nullspend_cli.tables import Column, Row

_FORMULA_STARTS = ("=", "+", "-", "@")


def pick(rows: Iterable[Row], fields: Sequence[str] | None) -> Iterable[Row]:
    """The rows with only `fields`, in that order; all of them for None. Raises Usage for a field no row has."""
    if fields is None:
        yield from rows
        return
    kept = list(rows)
    check_fields(kept, fields, ())
    for row in kept:
        yield {field: row.get(field) for field in fields}


def check_fields(rows: Sequence[Row], fields: Sequence[str], also: Sequence[str]) -> None:
    """Raises Usage when one of `fields` is in no row and not among `also`. No rows, no objection."""
    known = {name: None for row in rows for name in row} | dict.fromkeys(also)
    unknown = [field for field in fields if field not in known]
    if rows and unknown:
        raise Usage(f"There is no field {unknown[0]!r}; there are {', '.join(known)}.")


def pretty(value: Any) -> str:
    """JSON for a person or a program, in a form no terminal interprets."""
    return json_safe(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def line(value: Any) -> str:
    """JSON on one line."""
    return json_safe(json.dumps(value, ensure_ascii=False)) + "\n"


def through_jq(program: str, value: Any) -> str:
    """What a jq program makes of `value`: texts as they are, anything else as JSON, one result a line."""
    try:
        import jq
    except ImportError:
        raise Usage("--jq needs the jq package.", next="pip install 'nullspend-cli[jq]'") from None
    try:
        results = jq.compile(program).input_value(value).all()
    except ValueError as error:
        raise Usage(f"The jq program failed: {str(error).strip().splitlines()[0]}") from None
    return "".join(visible(result) + "\n" if isinstance(result, str) else line(result) for result in results)


def csv_text(columns: Sequence[Column], rows: Iterable[Row], *, header: bool = True) -> str:
    """A header of field names and one line a row: raw values, nested ones as JSON, formulas defused."""
    columns = [column for column in columns if not column.drawn]
    return csv_lines(
        [
            *([[column.field for column in columns]] if header else []),
            *([csv_cell(column.raw(row)) for column in columns] for row in rows),
        ]
    )


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of cells, each a line."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def csv_cell(value: Any) -> Any:
    """A value as csv holds it: nothing that a spreadsheet would run or a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json_safe(json.dumps(value, ensure_ascii=False))
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def id_lines(rows: Iterable[Row], id_field: str) -> Iterable[str]:
    """One id a line. Raises Problem for a record that has none."""
    for row in rows:
        if row.get(id_field) is None:
            raise Problem(
                f"These records have no {id_field!r} to print.", next="Use --fields to choose what is printed."
            )
        yield visible(str(row[id_field])) + "\n"
