"""What `pip install` puts on a user's machine."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_has_two_imports_and_neither_is_called_daemon_or_nullspend(wheel_names: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"nullspend_cli", "nullspend_daemon"}


def test_the_wheel_carries_the_completions_and_says_that_it_is_typed(wheel_names: list[str]) -> None:
    for shell_file in ("nullspend.bash", "_nullspend", "nullspend.fish", "nullspend.ps1"):
        assert f"nullspend_cli/completions/{shell_file}" in wheel_names
    assert "nullspend_cli/py.typed" in wheel_names
    assert "nullspend_daemon/py.typed" in wheel_names


def test_the_wheel_installs_the_command(wheel_names: list[str]) -> None:
    assert any(name.endswith(".dist-info/entry_points.txt") for name in wheel_names)


def test_the_wheel_carries_no_tests_and_no_caches(wheel_names: list[str]) -> None:
    assert not [name for name in wheel_names if "tests/" in name or "__pycache__" in name]
