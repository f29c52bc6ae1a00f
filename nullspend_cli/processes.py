"""What the command asks of the operating system about processes; the one place where systems differ."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_POSIX = os.name == "posix"


def alive(pid: int) -> bool:
    """Whether a process with this id may exist. Where asking is not harmless (Windows) the answer is yes."""
    if not _POSIX:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Ended, but not yet collected by its parent: in a container without an init that state can last."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def end(pid: int) -> None:
    """Asks the process to end, as Ctrl-C in its terminal would; one that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def daemon_command(flags: Sequence[str]) -> list[str]:
    """The command line of a daemon. `-P` keeps a folder of the same name in the working directory from being run."""
    return [sys.executable, "-P", "-m", "nullspend_daemon", *flags]


def start_detached(flags: Sequence[str], stdout: IO[bytes], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    """A daemon that outlives this command and its terminal."""
    if _POSIX:
        return subprocess.Popen(
            daemon_command(flags), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
    detached = 0x00000008 | 0x00000200  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP, named only on Windows
    return subprocess.Popen(
        daemon_command(flags), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, creationflags=detached
    )


def become_daemon(flags: Sequence[str]) -> int:
    """Runs a daemon in the foreground in place of this command. Returns only where a process cannot be replaced."""
    command = daemon_command(flags)
    if not _POSIX:
        return subprocess.call(command)
    sys.stdout.flush()
    sys.stderr.flush()
    return os.execv(command[0], command)
