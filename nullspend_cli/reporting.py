"""`events report`: JSON lines in, batches out, and every refused line named."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem, ServerError
from nullspend_cli.replies import Record

BATCH = 100
_TOO_MANY_TO_NAME = 20


class Line(NamedTuple):
    """One event and the number of the line it came from, counted from 1."""

    number: int
    event: Record


@dataclass
class Totals:
    """What became of the lines. All up to `done_to` are settled, one way or the other."""

    stored: int = 0
    duplicates: int = 0
    done_to: int = 0
    refused: dict[int, str] = field(default_factory=dict[int, str])
    ids: list[str] = field(default_factory=list[str])

    @property
    def record(self) -> Record:
        """The totals for a program."""
        refused = [{"line": number, "reason": reason} for number, reason in sorted(self.refused.items())]
        return {"stored": self.stored, "duplicates": self.duplicates, "refused": refused}

    @property
    def sentence(self) -> str:
        """The totals for a person."""
        parts = [f"{self.stored:,} {'event' if self.stored == 1 else 'events'} stored"]
        parts += [f"{self.duplicates:,} known already"] if self.duplicates else []
        parts += [f"{len(self.refused):,} refused"] if self.refused else []
        return ", ".join(parts) + "."


def report_lines(client: Client, lines: Iterable[str], progress: Callable[[str], None]) -> Totals:
    """Sends every line that is a good event. Raises Problem, saying how far it got, when the server stops answering."""
    totals = Totals()
    events = _parsed(lines, totals)
    while batch := list(itertools.islice(events, BATCH)):
        try:
            send(client, batch, totals)
        except Problem as problem:
            problem.lines = (
                *problem.lines,
                f"{totals.sentence} Lines up to {totals.done_to} are done; the rest is not.",
            )
            raise
        progress(totals.sentence)
    return totals


def _parsed(lines: Iterable[str], totals: Totals) -> Iterator[Line]:
    """The lines that are JSON objects; the others are refused here. Blank lines are nothing."""
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            event = json.loads(text, parse_constant=_no_number)
            text.encode()
            json.dumps(event, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            totals.refused[number] = f"not JSON: {error}"
            continue
        if isinstance(event, dict):
            yield Line(number, event)
        else:
            totals.refused[number] = "not a JSON object"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def send(client: Client, batch: Sequence[Line], totals: Totals) -> None:
    """One batch, again without the lines the server names, until it is taken or nothing is left of it."""
    while batch:
        try:
            reply = client.post(
                "/api/cost-events/batch", {"events": [line.event for line in batch]}, auth=Auth.KEY, once=True
            )
        except ServerError as error:
            if error.status not in (400, 413):
                raise
            batch = _without_refused(client, batch, error, totals)
        else:
            stored = int(reply.get("inserted", 0))
            totals.stored += stored
            totals.duplicates += len(batch) - stored
            totals.done_to = batch[-1].number
            totals.ids += [str(event_id) for event_id in reply.get("ids", [])]
            return


def _without_refused(client: Client, batch: Sequence[Line], error: ServerError, totals: Totals) -> Sequence[Line]:
    """The lines of a refused batch that may still be good. When the server names none, halves find the culprit."""
    reasons = _reasons(error)
    if reasons:
        totals.refused |= {batch[index].number: reason for index, reason in reasons.items() if index < len(batch)}
        return [line for index, line in enumerate(batch) if index not in reasons]
    if len(batch) == 1:
        totals.refused[batch[0].number] = error.message
        return []
    middle = len(batch) // 2
    send(client, batch[:middle], totals)
    return batch[middle:]


def _reasons(error: ServerError) -> dict[int, str]:
    """What is wrong with which item of the batch, from the paths `["events", i, field]` of a validation error."""
    reasons: dict[int, str] = {}
    for issue in error.issues:
        path: Any = issue.get("path")
        if isinstance(path, list) and len(path) > 1 and path[0] == "events" and isinstance(path[1], int):
            where = ".".join(str(step) for step in path[2:])
            text = f"{where}: {issue.get('message')}" if where else str(issue.get("message"))
            reasons[path[1]] = f"{reasons[path[1]]}; {text}" if path[1] in reasons else text
    return reasons


def refusal(totals: Totals) -> Problem:
    """The problem to end with when lines were refused: each is named, the first ones only when there are many."""
    named = [f"line {number}: {reason}" for number, reason in sorted(totals.refused.items())]
    more = len(named) - _TOO_MANY_TO_NAME
    lines = [*named[:_TOO_MANY_TO_NAME], f"and {more:,} more; --json lists them all"] if more > 0 else named
    count = len(named)
    return Problem(f"{count:,} {'line was' if count == 1 else 'lines were'} refused.", lines=tuple(lines))
