"""The flags of `daemon run`, `start` and `restart`, as the daemon's own command line takes them."""

from pathlib import Path
from urllib.parse import urlsplit

from nullspend_cli import local, settings
from nullspend_cli.options import SERVER
from nullspend_cli.run import Run


def data_folder(run: Run) -> Path:
    """`--data-dir`, else where data is kept; absolute, because the daemon has another working directory."""
    given = run.given("data_dir")
    return (Path(given).expanduser() if given else settings.data_dir()).absolute()


def command_flags(
    run: Run, folder: Path, *, defaults: dict[str, str] | None = None, only_server: bool = False
) -> list[str]:
    """What was given, else `defaults`, as flags; with `only_server` without the data directory."""
    flags: list[str] = [] if only_server else ["--data-dir", str(folder)]
    for option in SERVER:
        value = run.given(option.name, (defaults or {}).get(option.name))
        if isinstance(value, list):
            flags += [part for item in value for part in (option.flags[0], item)]
        elif value:
            flags += [option.flags[0]] if not option.metavar else [option.flags[0], str(value)]
    return flags


def flags_of_running(state: local.State | None) -> dict[str, str]:
    """The address and modes of a running daemon, for its successor."""
    if state is None:
        return {}
    parts = urlsplit(state.url)
    modes = {"hosted": "yes" if state.hosted else "", "test_clock": "yes" if state.test_clock else ""}
    return {"host": parts.hostname or "", "port": str(parts.port or ""), **modes}
