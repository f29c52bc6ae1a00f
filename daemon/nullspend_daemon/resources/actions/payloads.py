"""What an agent may attach to an action: a JSON object of bounded size and depth."""

import math
from typing import Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError, to_json

DEEPEST = 20
_LONGEST_INTEGER = 10**4000


def json_object(most_characters: int) -> AfterValidator:
    """A JSON object whose compact text has at most `most_characters` and whose values nest 20 deep at most."""

    def check(value: dict[str, Any]) -> dict[str, Any]:
        problem = _problem(value)
        if problem is None and len(to_json(value).decode()) > most_characters:
            problem = f"Must not be longer than {most_characters:,} characters as JSON"
        if problem is not None:
            raise PydanticCustomError("json_object", "{problem}", {"problem": problem})
        return value

    return AfterValidator(check)


def _problem(root: dict[str, Any]) -> str | None:
    """Why a JSON value cannot be kept: too deep, or a number that no JSON reader gives back as it came."""
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            return f"Must not nest deeper than {DEEPEST} levels"
        if isinstance(value, float) and not math.isfinite(value):
            return "Must not hold a number that is too large"
        if isinstance(value, int) and abs(value) > _LONGEST_INTEGER:
            return "Must not hold a number that is too large"
        below: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend((each, depth + 1) for each in below)
    return None
