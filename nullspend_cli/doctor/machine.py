"""`doctor`, this machine: Python, settings, keyring, data directory, completions."""

import os
import platform
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nullspend_cli import completion_scripts, contexts, credentials, data_lock, project, settings
from nullspend_cli.completion_scripts.words import words_of
from nullspend_cli.doctor import daemon as here
from nullspend_cli.doctor.findings import FAIL, OK, WARN, Check, Finding
from nullspend_cli.render import size
from nullspend_daemon import API_VERSION, __version__

if TYPE_CHECKING:
    from nullspend_cli.run import State

_OLDEST_PYTHON = (3, 11)
_LEAST_BYTES, _FEW_BYTES = 50 * 2**20, 2**30


def _python(state: "State") -> Finding:
    found = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Finding(FAIL, f"{found}; 3.11 or newer is needed", "Install a newer Python, then nullspend-cli.")
    return Finding(OK, found)


def _versions(state: "State") -> Finding:
    daemon = here.running()
    if daemon and daemon.version != __version__:
        return Finding(
            WARN, f"this command is {__version__}, the running daemon {daemon.version}", "nullspend daemon restart"
        )
    return Finding(OK, f"nullspend {__version__}, API {API_VERSION}")


def _config(state: "State") -> Finding:
    config, found = settings.load(), project.nearest()
    for name in settings.SETTINGS:
        settings.value_of({**config, **found.defaults}, name)
    stored = len(contexts.stored_contexts(config))
    here = f"; {found.file} applies here" if found != project.Project() else ""
    return Finding(OK, f"{settings.config_path()}: {stored} {'context' if stored == 1 else 'contexts'}{here}")


def _keyring(state: "State") -> Finding:
    credentials.check_file()
    if credentials.keyring_works():
        return Finding(OK, "keeps a secret and gives it back")
    return Finding(
        WARN,
        f"no keyring keeps secrets here, so they are in {credentials.path()}, which only you can read",
        "Unlock or install a keyring (python -m keyring diagnose), or leave it so.",
    )


def _data(state: "State") -> Finding:
    folder = settings.data_dir()
    if not folder.exists():
        return Finding(OK, f"{folder} is made when the daemon first starts")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Finding(FAIL, f"{folder} cannot be written", f"ls -ld '{folder}'")
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return Finding(FAIL, f"{folder} can be read by other users", f"chmod 700 '{folder}'")
    loose = [file for file in folder.iterdir() if os.name == "posix" and file.is_file() and _is_open(file)]
    if loose:
        return Finding(FAIL, f"{loose[0]} can be read by other users", f"chmod 600 '{loose[0]}'")
    return Finding(OK, f"{folder} is yours alone")


def _is_open(file: Path) -> bool:
    return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)


def _space(state: "State") -> Finding:
    folder = settings.data_dir()
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{size(free)} free at {there}"
    if free < _FEW_BYTES:
        return Finding(FAIL if free < _LEAST_BYTES else WARN, found, f"df -h '{there}'")
    return Finding(OK, found)


def _lock(state: "State") -> Finding:
    folder = settings.data_dir()
    file = data_lock.path_in(folder)
    if not file.exists():
        return Finding(OK, "no daemon has run here yet")
    daemon = here.running()
    if not data_lock.is_held(folder):
        return Finding(OK, "free")
    if daemon:
        return Finding(OK, f"held by the daemon (process {daemon.pid})")
    return Finding(FAIL, f"something holds {file}, but no daemon answers; it may be starting", "nullspend daemon logs")


_INSTALLED = {
    "bash": (
        "~/.local/share/bash-completion/completions/nullspend",
        "/usr/share/bash-completion/completions/nullspend",
        "/etc/bash_completion.d/nullspend",
    ),
    "zsh": (
        "~/.zsh/completions/_nullspend",
        "~/.zfunc/_nullspend",
        "/usr/local/share/zsh/site-functions/_nullspend",
        "/usr/share/zsh/site-functions/_nullspend",
    ),
    "fish": ("~/.config/fish/completions/nullspend.fish", "/usr/share/fish/vendor_completions.d/nullspend.fish"),
}


def _completions(state: "State") -> Finding:
    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in _INSTALLED:
        return Finding(OK, f"there are scripts for {', '.join(completion_scripts.SHELLS)}")
    places = [Path(place).expanduser() for place in _INSTALLED[shell]]
    found = next((place for place in places if place.exists()), None)
    install = f"mkdir -p '{places[0].parent}' && nullspend completion {shell} > '{places[0]}'"
    if found is None:
        return Finding(WARN, f"not found in the usual places of {shell}", install)
    if found.read_text("utf-8", "replace") != _script(shell):
        return Finding(WARN, f"{found} is of another version", f"nullspend completion {shell} > '{found}'")
    return Finding(OK, str(found))


def _script(shell: str) -> str:
    from nullspend_cli.main import tree as whole
    from nullspend_cli.tree import root_of

    return completion_scripts.script(shell, words_of(root_of(whole())))


CHECKS: dict[str, Check] = {
    "python": _python,
    "versions": _versions,
    "config": _config,
    "keyring": _keyring,
    "data directory": _data,
    "space": _space,
    "lock": _lock,
    "completions": _completions,
}
