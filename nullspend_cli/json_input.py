"""JSON objects given on the command line: as text, from a file, or from standard input."""

import json
import sys
from pathlib import Path
from typing import Any

from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record


def json_object(flag: str, text: str) -> Record:
    """The object in `text`, in the file of `@FILE`, or on standard input for `-`. Raises Usage when it is none."""
    if text == "-":
        content = sys.stdin.read()
    else:
        content = Path(text[1:]).read_text() if text.startswith("@") else text
    try:
        value: Any = json.loads(content)
    except ValueError as error:
        raise Usage(
            f"{flag} is not JSON: {error}.", next=f"""{flag} '{{"key": "value"}}', {flag} @FILE or {flag} -"""
        ) from None
    if not isinstance(value, dict):
        raise Usage(f"{flag} must be a JSON object, such as {{}}.")
    return value
