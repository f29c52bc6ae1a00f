"""A store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "nullspend.db", SystemClock())
    opened.open()
    yield opened
    opened.close()
