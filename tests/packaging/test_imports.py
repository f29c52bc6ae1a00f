"""Who may import whom, and what a quick start must not load."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "nullspend_cli"
DAEMON = ROOT / "daemon" / "nullspend_daemon"


def imports_of(path: Path) -> set[str]:
    """The modules a file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def breaking(folder: Path, forbidden: tuple[str, ...], except_in: tuple[str, ...] = ()) -> list[str]:
    """Files of `folder` that import one of `forbidden` or something below it."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(folder.rglob("*.py"))
        if path.name not in except_in
        for name in sorted(imports_of(path))
        if any(name == each or name.startswith(f"{each}.") for each in forbidden)
    ]


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'daemon'}", "PATH": ""},
    )
    assert done.returncode == 0, done.stdout


def test_click_is_imported_nowhere_and_typer_core_only_by_the_group() -> None:
    assert breaking(COMMAND, ("click",)) == []
    assert breaking(COMMAND, ("typer.core",), except_in=("group.py",)) == []


def test_services_ledger_and_store_know_nothing_of_http_and_of_coroutines() -> None:
    forbidden = ("aiohttp", "asyncio")
    assert breaking(DAEMON / "store", forbidden) == []
    assert breaking(DAEMON / "ledger", forbidden) == []
    assert breaking(DAEMON / "pricing", forbidden) == []
    assert breaking(DAEMON / "contract", (*forbidden, "pydantic", "sqlite3")) == []
    services = [line for line in breaking(DAEMON / "resources", forbidden) if "/service.py" in line]
    assert services == []


def test_one_resource_does_not_import_the_service_of_another() -> None:
    wrong = []
    for path in sorted((DAEMON / "resources").glob("*/*.py")):
        for name in imports_of(path):
            parts = name.split(".")
            if parts[:2] == ["nullspend_daemon", "resources"] and len(parts) > 3:
                if parts[2] != path.parent.name and parts[3] == "service":
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_only_the_database_begins_and_ends_transactions() -> None:
    allowed = {"database.py", "schema.py"}
    words = ('"BEGIN', '"COMMIT', '"ROLLBACK', '"SAVEPOINT', "'BEGIN", "'COMMIT")
    wrong = [
        str(path.relative_to(ROOT))
        for path in sorted(DAEMON.rglob("*.py"))
        if path.name not in allowed and any(word in path.read_text() for word in words)
    ]
    assert wrong == []


def test_the_time_comes_from_a_clock_that_is_passed_in() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sorted(DAEMON.rglob("*.py"))
        if path.name != "clock.py" and any(call in path.read_text() for call in ("datetime.now(", "time.time("))
    ]
    assert wrong == []
