"""The data directory: private, locked by one daemon at a time, its files written whole or not at all."""

import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nullspend_daemon.errors import StartupError
from nullspend_daemon.settings import Settings

SECRET_BYTES = 32


def prepare(path: Path) -> None:
    """Make the data directory, or check that nobody else can read it. Raises StartupError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise StartupError(
            f"The data directory {path} cannot be used: {error.strerror}. Choose another one with --data-dir."
        ) from error
    if sys.platform != "win32" and mode & 0o077:
        raise StartupError(
            f"The data directory {path} can be read by others (mode {mode:04o}), and it holds keys. "
            f"Run: chmod 700 {path}"
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartupError(f"The data directory {path} cannot be written. Choose another one with --data-dir.")


def lock(settings: Settings) -> FileLock:
    """The lock that one daemon holds on its data. Raises StartupError naming the daemon that has it."""
    held = FileLock(settings.lock_path, mode=0o600)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise StartupError(_already_running(settings)) from None
    except OSError as error:
        raise StartupError(f"{settings.lock_path} cannot be locked: {error.strerror or error}.") from error
    return held


def _already_running(settings: Settings) -> str:
    state = read_state(settings.state_path)
    who = f" at {state['url']} (pid {state['pid']})" if state else ""
    return (
        f"A daemon{who} is already using {settings.data_dir}. "
        "Stop it with nullspend daemon stop, or use another --data-dir."
    )


def read_state(path: Path) -> dict[str, Any] | None:
    """The state file's content, or None when it is missing or unreadable."""
    try:
        state = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and {"url", "pid"} <= state.keys() else None


def write_private(path: Path, content: bytes) -> None:
    """Replace a file whole, mode 0600. A new file beside it is renamed over it, so that no symlink is followed."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Publish where the daemon is and how to talk to it."""
    write_private(path, json.dumps(state, indent=2).encode() + b"\n")


def load_secret(path: Path) -> bytes:
    """The 32 bytes that sign cookies; made at the first start. Raises StartupError when the file is damaged."""
    if not path.exists():
        write_private(path, secrets.token_bytes(SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise StartupError(f"{path} is damaged ({len(secret)} bytes, not 32). Delete it to get a new one.")
    return secret
