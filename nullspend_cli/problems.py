"""What can go wrong, as a person reads it: a sentence, what to run next, and the exit code.

Problem                 1  it failed
|-- Usage               2  the command line is wrong, or a question was not answered
|-- NotSignedIn         4  no credential, or one the server refuses
|-- Missing             5  there is no such object
|-- Unreachable         7  no server answers
`-- ServerError         by its code: the server's own error envelope
"""

import errno
import os
from typing import Any

EXIT_CODES: dict[int, str] = {
    0: "it worked",
    1: "it failed; the sentence says why",
    2: "the command line is wrong, or a question was not confirmed",
    4: "not signed in, or not allowed",
    5: "there is no such object",
    6: "denied by a budget or a policy",
    7: "no server answers",
    8: "still pending",
    130: "interrupted with Ctrl-C",
}

_DENIALS = frozenset(
    {
        "budget_exceeded",
        "customer_budget_exceeded",
        "tag_budget_exceeded",
        "velocity_exceeded",
        "session_limit_exceeded",
        "mandate_violation",
        "loop_detected",
        "plan_limit_exceeded",
    }
)
_BY_STATUS = {401: 4, 403: 4, 404: 5, 410: 5}


def exit_code_of(code: str, status: int) -> int:
    """What the command ends with when a server answers with this error code and HTTP status."""
    return 6 if code in _DENIALS else _BY_STATUS.get(status, 1)


class Problem(Exception):
    """Something to tell a person. `next` is what to run or do, `lines` are details shown below the sentence."""

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, *, next: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        self.lines = lines

    @property
    def envelope(self) -> dict[str, Any]:
        """The same problem for a program: the shape of the server's errors."""
        details = {"lines": list(self.lines)} if self.lines else None
        return {"error": {"code": self.code, "message": self.message, "details": details}}


class Usage(Problem):
    """The command line asks for something that cannot be."""

    exit_code = 2
    code = "usage"


class NotSignedIn(Problem):
    """There is no credential for what was asked."""

    exit_code = 4
    code = "authentication_required"


class Missing(Problem):
    """A name or id that stands for nothing."""

    exit_code = 5
    code = "not_found"


class Unreachable(Problem):
    """Nobody answers at the server's address. `reply_lost`: the request may have arrived, its reply did not."""

    exit_code = 7
    code = "unreachable"
    reply_lost = False


class ServerError(Problem):
    """The server said no. `reply` is its error envelope, kept as it came; a `message` is shown instead of its own."""

    def __init__(self, status: int, reply: dict[str, Any], *, message: str = "", next: str | None = None) -> None:
        error = reply["error"]
        self.status = status
        self.reply = reply
        self.details: Any = error.get("details")
        from nullspend_daemon.contract.codes import CODES  # here: most commands meet no error

        known = CODES.get(str(error.get("code")))
        super().__init__(
            message or str(error.get("message") or (known.meaning if known else f"The server answered {status}.")),
            next=(known.next if known else "") if next is None else next,
            lines=tuple(_issue_line(issue) for issue in self.issues),
        )
        self.code = str(error.get("code") or f"http_{status}")
        self.exit_code = exit_code_of(self.code, status)

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The `{path, message}` pairs of a validation error; empty for every other error."""
        issues = self.details.get("issues") if isinstance(self.details, dict) else None
        return [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []

    @property
    def envelope(self) -> dict[str, Any]:
        return self.reply


def _issue_line(issue: dict[str, Any]) -> str:
    path = issue.get("path")
    where = ".".join(str(step) for step in path) if isinstance(path, list) else ""
    return f"{where}: {issue.get('message')}" if where else str(issue.get("message"))


def _of_os_error(error: OSError) -> Problem:
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            f"The disk is full; nothing could be written to{where or ' it'}.", next="Free some space, then try again."
        )
    if isinstance(error, PermissionError):
        return Problem(f"No permission for{where or ' a file'}.", next="Check its owner and mode with ls -l.")
    if isinstance(error, FileNotFoundError):
        return Missing(f"There is no file{where}.")
    return Problem(f"{error.strerror or error}{':' + where if where else ''}")


def problem_of(error: BaseException) -> Problem:
    """The problem behind any exception; one that nothing expects becomes a sentence too, never a traceback."""
    if isinstance(error, Problem):
        return error
    if _is_about_an_id(error):
        return Usage(f"That is no whole id: {error}.", next="The list command with -q prints the ids.")
    if _is_about_a_value(error):
        return Usage(str(error))
    if isinstance(error, OSError):
        return _of_os_error(error)
    if isinstance(error, UnicodeError):
        return Usage("The input is not UTF-8 text.", next="Convert it with iconv -t utf-8.")
    return Problem(
        f"Unexpected {type(error).__name__}: {error}",
        next="NULLSPEND_DEBUG=1 shows where; please report it as a bug of the command.",
    )


def _is_about_an_id(error: BaseException) -> bool:
    from nullspend_daemon.contract.ids import InvalidId

    return isinstance(error, InvalidId)


def _is_about_a_value(error: BaseException) -> bool:
    """An amount or time that somebody typed and that is none; its message is the sentence."""
    from nullspend_cli.when import TimeError
    from nullspend_daemon.contract.money import MoneyError

    return isinstance(error, (MoneyError, TimeError))


def wants_traceback() -> bool:
    """Whether NULLSPEND_DEBUG asks for the place of an unexpected error."""
    return bool(os.environ.get("NULLSPEND_DEBUG"))
