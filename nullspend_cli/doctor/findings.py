"""What a check is: one function that says ok, warn or fail, and how to mend what is not ok."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nullspend_cli.run import State

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """What one check found. `next` is the command that mends it."""

    status: str
    sentence: str
    next: str = ""


Check = Callable[["State"], Finding]
