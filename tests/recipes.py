"""The recipes of docs/webhooks.md, run as they stand there: in Python and in Node."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes.receiver import Received

PAGE = Path(__file__).parents[1] / "docs" / "webhooks.md"
ANY_AGE = 10**10
HAS_NODE = shutil.which("node") is not None


def _block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return found


def holds_in_python(received: Received, secret: str, tolerance: int = ANY_AGE) -> bool:
    """What the Python recipe says."""
    namespace: dict[str, Any] = {}
    exec(_block("python"), namespace)
    check: Callable[[str, str, bytes, int], bool] = namespace["is_from_nullspend"]
    return check(secret, received.headers["x-nullspend-signature"], received.body, tolerance)


def hold_in_node(pairs: list[tuple[Received, str]], tolerance: int = ANY_AGE) -> list[bool]:
    """What the Node recipe says of each message and secret."""
    given = [
        [secret, received.headers["x-nullspend-signature"], received.body.hex(), tolerance]
        for received, secret in pairs
    ]
    program = (
        _block("javascript")
        + """
const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const said = given.map(([secret, header, body, tolerance]) =>
  isFromNullSpend(secret, header, Buffer.from(body, "hex"), tolerance));
console.log(JSON.stringify(said));
"""
    )
    done = subprocess.run(
        ["node", "-e", program], input=json.dumps(given), capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)
