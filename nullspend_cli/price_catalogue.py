"""The downloaded price catalogue in the data directory."""

import json
import subprocess
import sys
from pathlib import Path

from nullspend_cli.problems import Problem
from nullspend_cli.replies import Record

NAME = "catalogue.json"


def download(folder: Path, url: str | None) -> Record:
    """Replaces the catalogue by the one at `url`, else by the published one; says what changed. Raises Problem.

    Reading it is the daemon's business, so its own program does it: what is kept is what the daemon can use.
    """
    command = [sys.executable, "-P", "-m", "nullspend_daemon.pricing.update", str(folder / NAME)]
    done = subprocess.run([*command, "--url", url] if url else command, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"The download ended with code {done.returncode}."]
        raise Problem(f"{said[-1]} The prices stay as they are.")
    return json.loads(done.stdout)


def remove(folder: Path) -> bool:
    """Deletes the downloaded catalogue; False when there is none."""
    path = folder / NAME
    if not path.exists():
        return False
    path.unlink()
    return True
