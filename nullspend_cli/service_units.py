"""`daemon install`: the file with which systemd or launchd starts the daemon when its owner signs in.

Only the file is written. Enabling it is the platform's own command, which is named.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nullspend_cli import processes
from nullspend_cli.problems import Problem

_UNIT, _LABEL = "nullspend.service", "dev.nullspend.daemon"
_KEPT = (
    "NULLSPEND_CONFIG_DIR",
    "NULLSPEND_PUBLIC_URL",
    "NULLSPEND_CA_FILE",
    "SSL_CERT_FILE",
)
"""The environment the daemon is started with later; secrets among it would end up in a readable file."""


class Unit(NamedTuple):
    """A file for one platform, and the commands that make it count or take it away."""

    path: Path
    text: str
    enable: tuple[tuple[str, str], ...]
    disable: tuple[tuple[str, str], ...]


def environment() -> dict[str, str]:
    """What of this command's environment the daemon needs."""
    return {name: os.environ[name] for name in _KEPT if os.environ.get(name)}


def unit(flags: Sequence[str], variables: Mapping[str, str], platform: str = sys.platform) -> Unit:
    """The file for this platform."""
    command = processes.daemon_command(flags)
    return _launchd(command, variables) if platform == "darwin" else _systemd(command, variables)


def check_platform() -> None:
    """Raises Problem, with what to do instead, on a machine that neither systemd nor launchd looks after."""
    if sys.platform == "darwin" or Path("/run/systemd/system").is_dir():
        return
    raise Problem(
        "Neither systemd nor launchd runs here, so there is nothing to install into.",
        lines=(
            "in a container: make `nullspend daemon run` its command",
            "with cron: @reboot nullspend daemon start",
            "for another machine: nullspend daemon install --print",
        ),
        next="nullspend daemon start",
    )


def _systemd(command: Sequence[str], variables: Mapping[str, str]) -> Unit:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    lines = [
        "[Unit]",
        "Description=NullSpend local daemon",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(_systemd_word, command))}",
        *(f"Environment={_systemd_word(f'{name}={value}', variable=True)}" for name, value in variables.items()),
        "Restart=on-failure",
        "RestartSec=2",
        "TimeoutStopSec=30",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return Unit(
        folder / _UNIT,
        "\n".join(lines) + "\n",
        (
            ("systemctl --user daemon-reload", "read the new file"),
            (f"systemctl --user enable --now {_UNIT}", "start it now and at each sign-in"),
            ("loginctl enable-linger", "also without anyone signed in"),
        ),
        (
            (f"systemctl --user disable --now {_UNIT}", "stop it"),
            ("systemctl --user daemon-reload", "forget the file"),
        ),
    )


def _systemd_word(text: str, *, variable: bool = False) -> str:
    """One word of a unit file: its own quoting, and the characters it would expand."""
    if any(not char.isprintable() for char in text):
        raise Problem(f"{text!r} cannot stand in a unit file.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if not variable:
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"' if not escaped or any(char in escaped for char in " \\\"';") else escaped


def _launchd(command: Sequence[str], variables: Mapping[str, str]) -> Unit:
    import plistlib  # here: it loads an XML parser, and `daemon status` needs none

    path = Path.home() / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    content = {
        "Label": _LABEL,
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(variables),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
    }
    target = f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui/UID"
    return Unit(
        path,
        plistlib.dumps(content).decode(),
        ((f"launchctl bootstrap {target} '{path}'", "start it now and at each sign-in"),),
        ((f"launchctl bootout {target}/{_LABEL}", "stop it"),),
    )


def write(unit: Unit) -> None:
    """Puts the file in its place."""
    unit.path.parent.mkdir(parents=True, exist_ok=True)
    unit.path.write_text(unit.text, "utf-8")
    unit.path.chmod(0o644)


def remove(unit: Unit) -> bool:
    """Takes the file away; False when there was none."""
    found = unit.path.exists()
    unit.path.unlink(missing_ok=True)
    return found
