"""The daemon's data as the command handles it: what it says about itself, its log, backups, its files."""

import shutil
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nullspend_cli import data_lock
from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Missing, Problem, ServerError
from nullspend_cli.render import plain
from nullspend_cli.replies import Record

DATABASE = "nullspend.db"
APPLICATION_ID = int.from_bytes(b"NSPL")
"""What the daemon stamps its database files with."""
_WITH_DATABASE = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
_PUSHED = "pushed.json"
_ALL = (*_WITH_DATABASE, "daemon.json", "secret.key", "default-key", "catalogue.json", _PUSHED)
_NAMED = 20


def check(client: Client, *, repair: bool) -> Record:
    """What `/_local/check` finds. Raises Problem for a daemon that has no such endpoint."""
    try:
        return client.post("/_local/check", {"repair": repair}, auth=Auth.ADMIN)
    except ServerError as error:
        if error.status != 404:
            raise
        raise Problem(
            f"The daemon at {client.place.origin} is of a version that cannot check itself.",
            next="nullspend daemon restart",
        ) from None


def disagreement(found: Record) -> Problem:
    """What to end with when figures differ from their events: each is named, or the first ones of many."""
    differences = [plain(difference) for difference in found.get("differences", [])]
    more = len(differences) - _NAMED
    lines = [*differences[:_NAMED], f"and {more:,} more; --json lists them all"] if more > 0 else differences
    return Problem(
        "The figures and their events do not agree.", lines=tuple(lines), next="nullspend daemon check --repair"
    )


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
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            stamp = connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found, stamp = str(error), 0
    if found == "ok" and stamp != APPLICATION_ID:
        found = "it is not one of NullSpend"
    if found != "ok":
        raise Problem(f"{path} is no backup of a database: {found}.", next="nullspend daemon backup")


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
        return remove_copies(folder) + _unlink(folder / name for name in _ALL) + _unlink(folder.glob("daemon.log*"))


def remove_copies(folder: Path) -> list[str]:
    """Deletes what is about the data that is gone: databases set aside before a restore or an upgrade, and the record
    of what was pushed."""
    return _unlink([*folder.glob("nullspend.before-*"), folder / _PUSHED])


def _unlink(paths: Iterable[Path]) -> list[str]:
    found = [path for path in paths if path.exists()]
    for path in found:
        path.unlink()
    return [path.name for path in found]


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """No daemon may use the data meanwhile. Raises Problem when one does, even if it does not answer."""
    try:
        with data_lock.taken(folder):
            yield
    except data_lock.Held:
        raise Problem(f"A daemon is using {folder}.", next="nullspend daemon stop") from None
