"""A fresh store for each test of the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.ledger.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path / "nullspend.db")
    yield made
    made.close()
