"""The lock a daemon holds on its data as long as it lives, whether it answers or not."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_NAME = "daemon.lock"


class Held(Exception):
    """Somebody else has the lock."""


def path_in(folder: Path) -> Path:
    """Where the lock of a data directory stands."""
    return folder / _NAME


@contextmanager
def taken(folder: Path) -> Generator[None]:
    """Keeps every daemon off the data while the block runs. Raises Held when one is there."""
    from filelock import FileLock, Timeout

    lock = FileLock(path_in(folder), mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Held from None
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a daemon lives on the data now; a folder where none has ever run is left as it is."""
    if not path_in(folder).exists():
        return False
    try:
        with taken(folder):
            return False
    except Held:
        return True
