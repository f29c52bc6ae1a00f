"""All checks made, one after the other, and the verdict on what they found."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nullspend_cli.doctor.findings import FAIL, Check, Finding
from nullspend_cli.problems import Problem, problem_of
from nullspend_cli.replies import Record

if TYPE_CHECKING:
    from nullspend_cli.run import State


def look(state: "State") -> Iterator[Record]:
    """All findings in the order a person would look, each as a record. A check that cannot be made has failed."""
    from nullspend_cli.doctor import machine, server

    for name, check in {**machine.CHECKS, **server.CHECKS}.items():
        found = _made(check, state)
        yield {"check": name, "status": found.status, "finding": found.sentence, "next": found.next or None}


def _made(check: Check, state: "State") -> Finding:
    try:
        return check(state)
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other checks are still worth making
        problem = problem_of(error)
        return Finding(FAIL, problem.message, problem.next)


def verdict(found: list[Record]) -> Problem | None:
    """The problem to end with when something has failed, with the whole sentences a narrow table may have cut."""
    failed = [finding for finding in found if finding["status"] == FAIL]
    if not failed:
        return None
    count = len(failed)
    return Problem(
        f"{count} {'check has' if count == 1 else 'checks have'} failed.",
        lines=tuple(f"{finding['check']}: {finding['finding']}" for finding in failed),
    )
