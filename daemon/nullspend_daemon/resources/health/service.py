"""Is the daemon well, and which one is it."""

import hmac
import sqlite3
from typing import Any

from nullspend_daemon.store.migrations import MIGRATIONS
from nullspend_daemon.store.transaction import Tx

SECRET_HEADER = "x-ops-health-secret"


def check_components(tx: Tx) -> dict[str, dict[str, Any]]:
    """The state of each part that can fail on its own."""
    components: dict[str, dict[str, Any]] = {"cookie_secret": {"status": "ok"}}
    try:
        tx.value("SELECT count(*) FROM meta")
        components["database"] = {"status": "ok"}
        applied = tx.value("SELECT count(*) FROM _sqlite_migrations")
        current = applied == len(MIGRATIONS)
        components["schema"] = {"status": "ok"} if current else {"status": "error", "error": "migrations are missing"}
    except sqlite3.Error as error:
        components["database"] = {"status": "error", "error": str(error)}
    return components


def may_see_components(verbose: str, secret: str | None, given: str | None) -> bool:
    """Whether a health reply names its components: when asked, and with the secret if one is set."""
    if verbose != "1":
        return False
    return not secret or hmac.compare_digest(secret.encode(), (given or "").encode())
