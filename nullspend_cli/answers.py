"""An answer of a server read: its JSON object, its error envelope, how long it asks to wait."""

import json
from typing import Any

from nullspend_cli.problems import Problem
from nullspend_cli.transport import Answer

_BUSY = frozenset({502, 503, 504})
_TOO_FAST = frozenset({"rate_limit_exceeded", "rate_limited"})


def json_object(answer: Answer, origin: str) -> dict[str, Any]:
    """The JSON object of a good answer; one without a body is empty. Raises Problem for anything else."""
    if not answer.body:
        return {}
    content = _json(answer)
    if not isinstance(content, dict):
        raise Problem(
            f"{origin} answered {_type(answer)} where a JSON object belongs; is it a NullSpend server?",
            next="nullspend contexts list",
        )
    return content


def envelope(answer: Answer, origin: str) -> dict[str, Any]:
    """The error envelope as it came, or one made of whatever else a failing server or a gateway sends."""
    content = _json(answer)
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        return {**content, "error": {"code": f"http_{answer.status}", "message": None, "details": None, **error}}
    said = f": {error}" if isinstance(error, str) else ""
    message = f"{origin} answered {answer.status} with {_type(answer)}{said}."
    return {"error": {"code": f"http_{answer.status}", "message": message, "details": None}}


def is_gateways(answer: Answer) -> bool:
    """Whether a proxy in front of the server answers in its place, because it gets no answer itself."""
    content = _json(answer)
    return answer.status in _BUSY and not (isinstance(content, dict) and "error" in content)


def wait_seconds(answer: Answer, attempt: int, *, repeatable: bool, longest: float) -> float | None:
    """How long to wait before trying again; None when that is no use, could do harm, or takes too long."""
    if answer.status == 429:
        if not any(code.encode() in answer.body for code in _TOO_FAST):
            return None
    elif answer.status not in _BUSY or not repeatable:
        return None
    wait = _retry_after(answer)
    if wait is None:
        return 0.2 * 2**attempt
    return wait if wait <= longest else None


def patience(answer: Answer) -> str:
    """What to do about an error that time cures."""
    wait = _retry_after(answer)
    return f"Try again in {wait:.0f} s." if wait and answer.status in (429, 503) else ""


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _type(answer: Answer) -> str:
    return answer.headers.get("content-type", "no content type").split(";")[0]


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
