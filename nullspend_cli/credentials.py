"""Keys and sessions between commands: the system's keyring, and a private file where there is none.

A credential is kept under the server it belongs to and is handed out for that server only. Keyrings fail in many ways,
some of them silently, so what was written is read back before it counts as kept.
"""

import json
import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import Any

from nullspend_cli.problems import Problem
from nullspend_cli.settings import config_dir, write_private

SERVICE = "nullspend"
_KEYRING_LIMIT = 1200
"""Characters. Windows keeps at most 2560 bytes a secret, two for each character."""


_LOCK_SECONDS = 10


class Kept(StrEnum):
    """Where a credential went."""

    KEYRING = "the system keyring"
    FILE = "a file only you can read"


def slot(server: str, kind: str) -> str:
    """The name a credential is kept under: `kind` is `key`, `session`, or `key:NAME` for one saved by name."""
    return f"{server}#{kind}"


def path() -> Path:
    """The file that stands in for the keyring."""
    return config_dir() / "credentials.json"


def save(server: str, kind: str, secret: str) -> Kept:
    """Keeps `secret` for `server`, and says where: in a file when no keyring keeps it, or it is too long for one."""
    name = slot(server, kind)
    if len(secret) <= _KEYRING_LIMIT and _keyring_keeps(name, secret):
        _change_file(name, None)
        return Kept.KEYRING
    _change_file(name, secret)
    return Kept.FILE


def load(server: str, kind: str) -> str | None:
    """The secret kept for `server`, or None. The file is asked first: it is the quicker one."""
    name = slot(server, kind)
    return _read_file().get(name) or _from_keyring(name)


def check_file() -> None:
    """Raises Problem when the file is there and is damaged or can be read by others."""
    _read_file()


def keyring_works() -> bool:
    """Whether a keyring keeps a secret and gives it back; nothing stays in it."""
    probe = slot("doctor", "probe")
    try:
        return _keyring_keeps(probe, os.urandom(8).hex())
    finally:
        _drop_from_keyring(probe)


def forget(server: str, kind: str) -> None:
    """Removes the secret wherever it is."""
    name = slot(server, kind)
    _change_file(name, None)
    _drop_from_keyring(name)


def _read_file() -> dict[str, str]:
    file = path()
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return {}
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise Problem(f"{file} can be read by other users.", next=f"chmod 600 '{file}'")
    try:
        content: Any = json.loads(file.read_text("utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise Problem(f"{file} is damaged.", next=f"Start afresh, then sign in again: mv '{file}' '{file}.broken'")
    return content


def _change_file(name: str, secret: str | None) -> None:
    if _read_file().get(name) == secret:
        return
    from filelock import FileLock  # here: most commands change nothing

    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path().with_name(".credentials.lock"), mode=0o600, timeout=_LOCK_SECONDS):
        content = _read_file()  # again: commands that run side by side must not undo each other
        content.pop(name, None)
        if secret is not None:
            content[name] = secret
        write_private(path(), json.dumps(content, indent=2) + "\n")


def _keyring_keeps(name: str, secret: str) -> bool:
    """Whether the keyring still has `secret` when asked for it again."""
    try:
        import keyring

        keyring.set_password(SERVICE, name, secret)
        return keyring.get_password(SERVICE, name) == secret
    except Exception:  # noqa: BLE001 - backends raise whatever their platform raises; every failure means the same
        return False


def _from_keyring(name: str) -> str | None:
    try:
        import keyring

        return keyring.get_password(SERVICE, name)
    except Exception:  # noqa: BLE001 - as above
        return None


def _drop_from_keyring(name: str) -> None:
    try:
        import keyring

        keyring.delete_password(SERVICE, name)
    except Exception:  # noqa: BLE001 - as above
        return
