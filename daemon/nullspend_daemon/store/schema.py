"""The tables, as numbered migrations, and the one way to open a database file.

Times are INTEGER epoch ms UTC, money INTEGER microdollars, ids TEXT with their prefix, lists and maps JSON text.
"""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nullspend_daemon.errors import StartupError
from nullspend_daemon.store.connection import connect
from nullspend_daemon.store.migrations import MIGRATIONS
from nullspend_daemon.store.transaction import Tx

if TYPE_CHECKING:
    from sqlite_utils import Database as UtilsDatabase

APPLICATION_ID = 0x4E53504C  # "NSPL": tells this file from any other SQLite database
_SET = "nullspend"


def open_current(path: Path) -> sqlite3.Connection:
    """A write connection to a database with the current schema; an older file is copied aside before it is migrated.

    Raises StartupError with a sentence when the file is no database, belongs to another program, is newer than this
    version, or cannot be read or written.
    """
    try:
        return _open(path)
    except sqlite3.Error as error:
        raise StartupError(_sentence(path, error)) from error
    except OSError as error:
        raise StartupError(f"{path} cannot be opened: {error.strerror}. Use another --data-dir.") from error


def _open(path: Path) -> sqlite3.Connection:
    existed = path.exists() and path.stat().st_size > 0
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = connect(path)
    try:
        applied = _applied(connection, path) if existed else []
        if applied != list(MIGRATIONS):
            if applied:
                _copy_aside(connection, path, len(applied))
            _migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        # Fails here, with a sentence, when the file cannot be written, and not at the first request.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _applied(connection: sqlite3.Connection, path: Path) -> list[str]:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found != APPLICATION_ID:
        raise StartupError(f"{path} is a database of another program; point --data-dir at an empty folder.")
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (_SET,))
    applied = [row[0] for row in rows]
    unknown = [name for name in applied if name not in MIGRATIONS]
    if unknown:
        raise StartupError(
            f"{path} was written by a newer NullSpend (it has {unknown[-1]}). "
            "Upgrade this one (pip install -U nullspend-cli) or use another --data-dir."
        )
    return applied


def _copy_aside(connection: sqlite3.Connection, path: Path, version: int) -> None:
    copy = path.with_suffix(f".before-m{version + 1:03d}.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(path, copy)
    copy.chmod(0o600)


def _migrate(connection: sqlite3.Connection) -> None:
    # Imported here: opening a current database, which is nearly every start, does not need it.
    from sqlite_utils import Database as UtilsDatabase
    from sqlite_utils import Migrations

    migrations = Migrations(_SET)
    for name, sql in MIGRATIONS.items():
        migrations(name=name)(_statements(sql))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    factory, connection.row_factory = connection.row_factory, None
    migrations.apply(UtilsDatabase(connection, execute_plugins=False))
    connection.row_factory = factory


def _statements(sql: str) -> Any:
    def run(database: "UtilsDatabase") -> None:
        for statement in _split(sql):
            database.execute(statement)

    return run


def _split(sql: str) -> list[str]:
    """Single statements: `executescript` would commit the migration's transaction."""
    statements, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _sentence(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} is not a database. Move it away, or use another --data-dir."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"{path} cannot be written ({error}). Check the folder's owner and rights, or use another --data-dir."
    if code == sqlite3.SQLITE_FULL:
        return f"The disk is full, so {path} cannot be opened. Free some space, or use another --data-dir."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"Another program holds {path}. Close it and start again."
    return f"{path} cannot be opened: {error}. nullspend daemon restore brings a backup back."


def user_tables(tx: Tx) -> list[str]:
    """Every table that holds data, for starting over; the record of migrations is not among them."""
    rows = tx.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    return [row["name"] for row in rows]
