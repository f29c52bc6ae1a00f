"""Opening SQLite the way this store needs it, and telling its failures apart."""

import sqlite3
from pathlib import Path

BUSY_TIMEOUT_MS = 2_000
_STORAGE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode with the pragmas of this store; `read_only` refuses every write."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16384")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def is_storage_failure(error: BaseException) -> bool:
    """Whether `error` is the disk's or the lock's fault, not that of the one statement that met it."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and (code & 0xFF) in _STORAGE_CODES


def storage_sentence(error: BaseException) -> str:
    """What a client is told about a storage failure."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "The disk is full: nothing was stored. Reads go on; writes work again once there is space."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program holds the database: nothing was stored. Try again."
    if code == sqlite3.SQLITE_READONLY:
        return "The database cannot be written: nothing was stored."
    return "The store cannot be used right now: nothing was stored."
