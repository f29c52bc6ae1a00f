"""Where the command keeps its files, and config.toml: what each setting may be, how it is read and written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from nullspend_cli.problems import Problem, Usage

FORMATS = ("table", "json", "jsonl", "csv", "ids")
"""How records can be printed."""


def config_dir() -> Path:
    """NULLSPEND_CONFIG_DIR, else the platform's place for settings."""
    given = os.environ.get("NULLSPEND_CONFIG_DIR")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("nullspend", appauthor=False))


def data_dir() -> Path:
    """NULLSPEND_DATA_DIR, else the platform's place for data. The daemon looks in the same place."""
    given = os.environ.get("NULLSPEND_DATA_DIR")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("nullspend", appauthor=False))


class Setting(NamedTuple):
    """One key of config.toml. `read` turns typed text into the value, or raises ValueError saying what it may be."""

    name: str
    default: str | int
    help: str
    read: Callable[[str], str | int]


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return read


def _rows(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("a whole number of rows, 0 for all")
    return int(text)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("color", "auto", "When to use colour: auto, always or never.", _one_of("auto", "always", "never")),
        Setting(
            "format",
            "table",
            "How to print: table, json, jsonl, csv or ids.",
            _one_of(*FORMATS),
        ),
        Setting("limit", 50, "How many rows a list shows; 0 shows all.", _rows),
        Setting("pager", "auto", "Pager for long output: a command, auto or off.", str),
    )
}


def config_path() -> Path:
    """The file all of this is read from."""
    return config_dir() / "config.toml"


def load() -> dict[str, Any]:
    """The whole config file as a dictionary; a file that is not there is empty. Raises Problem when it is damaged."""
    path = config_path()
    return read_toml(path, f"Correct that line, or start afresh: mv '{path}' '{path}.broken'")


def read_toml(path: Path, next: str) -> dict[str, Any]:
    """A TOML file as a dictionary, empty when it is not there. Raises Problem with `next` when it is damaged."""
    if not path.exists():
        return {}
    import tomllib  # here, because most commands find no such file and its patterns take a while to compile

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Problem(f"{path} is damaged: {error}", next=next) from None


def value_of(config: dict[str, Any], name: str) -> str | int:
    """The value of a setting in a loaded file, else its default. Raises Problem when the file holds nonsense for it."""
    setting = SETTINGS[name]
    if name not in config:
        return setting.default
    try:
        return setting.read(str(config[name]))
    except ValueError as error:
        raise Problem(
            f"{config_path()} sets {name} to {config[name]!r}, but it is {error}.",
            next=f"nullspend config unset {name}",
        ) from None


def setting_named(name: str) -> Setting:
    """The setting called `name`. Raises Usage naming all there are."""
    if name not in SETTINGS:
        raise Usage(f"There is no setting {name!r}; there are {', '.join(SETTINGS)}.", next="nullspend config list")
    return SETTINGS[name]


def change(edit: Callable[[dict[str, Any]], None]) -> None:
    """Rewrites config.toml with `edit` applied; comments, order and tables the command does not know stay."""
    import tomlkit

    path = config_path()
    load()  # a damaged file is reported before anything is written
    text = path.read_text("utf-8") if path.exists() else ""
    document = tomlkit.parse(text)
    edit(cast("dict[str, Any]", document))
    write_private(path, tomlkit.dumps(document))


def write_private(path: Path, text: str) -> None:
    """Writes a file only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
