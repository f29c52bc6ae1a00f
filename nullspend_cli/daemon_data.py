"""The daemon's data as the command handles it: what it says about itself, its log, backups, its files."""

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Missing, Problem, ServerError
from nullspend_cli.replies import Record

DATABASE = "nullspend.db"
_WITH_DATABASE = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
_ALL = (*_WITH_DATABASE, "daemon.json", "secret.key", "default-key")
_FOLLOW_SECONDS = 0.2


def check(client: Client, *, repair: bool) -> Record:
    """What `/_local/check` finds. Raises Problem for a daemon that has no such endpoint."""
    try:
        return client.post("/_local/check", {"repair": repair}, auth=Auth.ADMIN)
    except ServerError as error:
        if error.status != 404:
            raise
        raise Problem(
            f"The daemon at {client.place.origin} is of a version that cannot check itself.",
            next="nullspend daemon restart, after an upgrade",
        ) from None


def new_log_lines(folder: Path) -> Iterator[str]:
    """Lines as they are added to the log, also across its rotation; never ends."""
    log = folder / "daemon.log"
    (position, inode), rest = _size_and_inode(log), ""
    while True:
        size, now_inode = _size_and_inode(log)
        if now_inode != inode or size < position:
            position, inode = 0, now_inode
        if size > position:
            with log.open("rb") as file:
                file.seek(position)
                rest += file.read().decode("utf-8", "replace")
                position = file.tell()
            *whole, rest = rest.split("\n")
            yield from whole
        time.sleep(_FOLLOW_SECONDS)


def _size_and_inode(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_ino


def backup_target(given: Path | None) -> Path:
    """Where a backup goes: the file given, a new name in the folder given, or a new name here. Absolute."""
    name = f"nullspend-{datetime.now(UTC):%Y%m%d-%H%M%S}.db"
    target = (given or Path(name)).expanduser().absolute()
    target = target / name if target.is_dir() else target
    if not target.parent.is_dir():
        raise Missing(f"There is no folder {target.parent}.", next=f"mkdir -p '{target.parent}'")
    return target


def check_backup(path: Path) -> None:
    """Raises Missing or Problem when a file is not a whole SQLite database, before anything is replaced by it."""
    if not path.is_file():
        raise Missing(f"There is no file {path}.")
    import sqlite3
    from urllib.request import pathname2url

    uri = f"file:{pathname2url(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True)
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise Problem(f"{path} is not a whole database: {found}.", next="nullspend daemon backup, to make one")


def restore(source: Path, folder: Path) -> Path | None:
    """Puts a copy of `source` in place of the database; returns where the old one went, None when there was none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        fresh = folder / f".{DATABASE}.restoring"
        shutil.copyfile(source, fresh)
        fresh.chmod(0o600)
        kept = _set_aside(folder)
        fresh.replace(folder / DATABASE)
    return kept


def _set_aside(folder: Path) -> Path | None:
    """Renames the database together with its log, which belongs to it and to no other."""
    if not (folder / DATABASE).exists():
        return None
    kept = folder / f"nullspend.before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.db"
    for name in _WITH_DATABASE:
        if (folder / name).exists():
            (folder / name).rename(folder / name.replace(DATABASE, kept.name))
    return kept


def remove_files(folder: Path) -> list[str]:
    """Deletes the daemon's own files and nothing else; returns their names."""
    if not folder.is_dir():
        return []
    with _locked(folder):
        logs = [path.name for path in folder.glob("daemon.log*")]
        names = [name for name in (*_ALL, *logs) if (folder / name).exists()]
        for name in names:
            (folder / name).unlink()
    return names


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """The lock a daemon holds on its data; Problem when one does, even if it does not answer."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "daemon.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Problem(f"A daemon is using {folder}.", next="nullspend daemon stop") from None
    try:
        yield
    finally:
        lock.release()
