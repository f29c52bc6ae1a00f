"""Writes docs/api-coverage.md: `python docs/api_coverage.py`, or only checks it with `--check`.

What the contract has comes from tests/contract/endpoints.py, what is served from the daemon's own routes.
"""

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from nullspend_daemon.app import DESCRIBED
from tests.contract.endpoints import Endpoint, endpoints

PAGE = ROOT / "docs" / "api-coverage.md"
_HEAD = """\
# API coverage

Written by `python docs/api_coverage.py` from the contract's list of endpoints and the daemon's routes; a test fails
when it is stale. `served`: the local daemon answers it. The last column is the command that uses it, on any server;
`nullspend api` reaches every endpoint by its path.
"""


def shape(path: str) -> str:
    """A path with its parameters' names left out."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def page() -> str:
    """The whole of docs/api-coverage.md."""
    served = {(route.method, shape(route.path)) for route in DESCRIBED}
    return "".join(_parts(served))


def _parts(served: set[tuple[str, str]]) -> Iterator[str]:
    yield _HEAD
    for section, rows in groupby(endpoints(), key=lambda endpoint: endpoint.section):
        yield f"\n## {section}\n\n| Endpoint | | Command |\n|---|---|---|\n"
        yield from (_row(row, (row.method, shape(row.path)) in served) for row in rows)


def _row(endpoint: Endpoint, served: bool) -> str:
    note = f"; {endpoint.note}" if endpoint.note else ""
    state = "served" if served else "**not served**"
    return f"| `{endpoint.method} {endpoint.path}` | {state} | `nullspend {endpoint.command}`{note} |\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        current = PAGE.is_file() and PAGE.read_text("utf-8") == page()
        sys.exit(0 if current else "stale: docs/api-coverage.md; run python docs/api_coverage.py")
    PAGE.write_text(page(), "utf-8")
