"""Stores for random spending."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.property.spending import Ground


@pytest.fixture
def new_ground(tmp_path: Path) -> Iterator[Any]:
    grounds: list[Ground] = []

    def make() -> Ground:
        while grounds:
            grounds.pop().database.close()
        ground = Ground(tmp_path / f"{len(list(tmp_path.iterdir()))}.db")
        grounds.append(ground)
        return ground

    yield make
    for ground in grounds:
        ground.database.close()
