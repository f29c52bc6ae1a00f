"""What is written from the code says what the code says."""

import subprocess
import sys
from pathlib import Path

import pytest

from nullspend_daemon.contract.events import CATALOGUE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [["-m", "nullspend_cli.reference"], ["docs/api_coverage.py"]], ids=" ".join)
def test_generated_files_are_current(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'daemon'}", "PATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_webhooks_page_names_every_event() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    assert [event for event in CATALOGUE if f"`{event}`" not in page] == []
