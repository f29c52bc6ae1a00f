"""The nearest `.nullspend.toml`: which of this machine's contexts a project uses, and its defaults.

It comes with other people's code, so it may only choose: it names no address, no header, no secret and no program.
"""

from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from nullspend_cli import settings
from nullspend_cli.problems import Problem

FILE = ".nullspend.toml"
_KEYS = ("context", "org", "defaults")
DEFAULTS = ("color", "format", "limit")
"""The settings a project may have a default for. Not the pager: that is a program to run."""


class Project(NamedTuple):
    """What the file says; all of it empty where there is none."""

    file: str = FILE
    context: str | None = None
    org: str | None = None
    defaults: dict[str, Any] = {}  # noqa: RUF012 - never changed


def nearest() -> Project:
    """The file of this folder or of the nearest one above it. Raises Problem for one that says more than it may."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the folder is gone; nothing is above it either
        return Project()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return _read(folder / FILE)
    return Project()


def _read(file: Path) -> Project:
    content = settings.read_toml(file, "Correct that line, or remove the file.")
    for name, value in content.items():
        if name not in _KEYS or not isinstance(value, dict if name == "defaults" else str):
            _refuse(file, name, "a project file holds only context, org and [defaults]")
    defaults = content.get("defaults", {})
    for name in defaults:
        if name not in DEFAULTS:
            _refuse(file, name, f"its defaults can be {', '.join(DEFAULTS)}")
    checked = {name: _checked(file, name, value) for name, value in defaults.items()}
    return Project(str(file), content.get("context"), content.get("org"), checked)


def _refuse(file: Path, name: str, rule: str) -> NoReturn:
    raise Problem(
        f"{file} has {name!r}; {rule}, never an address, a header or a secret.", next="nullspend help contexts"
    )


def _checked(file: Path, name: str, value: Any) -> str | int:
    try:
        return settings.SETTINGS[name].read(str(value))
    except ValueError as error:
        raise Problem(
            f"{file} sets {name} to {value!r}, but it is {error}.", next="Correct that line, or remove it."
        ) from None
