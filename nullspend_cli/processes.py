"""What the command asks of the operating system about processes; the one place where systems differ."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
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


def kill(pid: int) -> None:
    """Ends the process without asking it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL if _POSIX else signal.SIGTERM)


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


def start_caretaker() -> "subprocess.Popen[bytes]":
    """The process that tidies up after a capped command; it stays out of reach of the command's terminal."""
    command = [sys.executable, "-P", "-m", "nullspend_cli.capped.caretaker"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=_POSIX
    )


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a command with this terminal until it ends, and passes on to it the signals that reach this process.

    Returns its exit code, 128 + n when signal n ended it. Raises OSError when it cannot be started.
    """
    with _passing_on() as heard:
        child = subprocess.Popen(command, env=dict(environment))
        heard(child)
        code = child.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_on() -> Generator[Callable[["subprocess.Popen[bytes]"], None]]:
    """Signals wait for the child that is named, then go to it. What the terminal sends reaches the child by itself."""
    waiting: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def receive(number: int, _frame: object) -> None:
        if not children:
            waiting.append(number)
        elif not _comes_from_terminal(number):
            children[0].send_signal(number)

    def heard(child: "subprocess.Popen[bytes]") -> None:
        children.append(child)
        for number in waiting:
            child.send_signal(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2") if _POSIX else ("SIGINT",)
    before = {number: signal.signal(number, receive) for number in (getattr(signal, name) for name in names)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _comes_from_terminal(number: int) -> bool:
    """Whether a signal is one a key of the terminal sends, and this process is in the terminal's foreground."""
    if not _POSIX:
        return True
    if number not in (signal.SIGINT, signal.SIGQUIT):
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def become_daemon(flags: Sequence[str]) -> int:
    """Runs a daemon in the foreground in place of this command. Returns only where a process cannot be replaced."""
    command = daemon_command(flags)
    if not _POSIX:
        return subprocess.call(command)
    sys.stdout.flush()
    sys.stderr.flush()
    return os.execv(command[0], command)
