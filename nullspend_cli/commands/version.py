"""`nullspend version`: what is installed, and what the local server runs."""

import platform

from nullspend_cli import local
from nullspend_cli.group import Single
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_daemon import API_VERSION, __version__

COLUMNS = (
    column("version", "NULLSPEND"),
    column("apiVersion", "API"),
    column("python"),
    column("daemon", "DAEMON"),
)
EXAMPLES = """
nullspend version
nullspend version --json
"""


def version(run: Run) -> None:
    """The versions of the command, of the API it speaks, of Python, and of the daemon if one is running.

    `nullspend --version` prints the first alone, and quicker.
    """
    daemon = local.running()
    versions = {
        "version": __version__,
        "apiVersion": API_VERSION,
        "python": platform.python_version(),
        "daemon": daemon.version if daemon else None,
    }
    run.out.record(versions, COLUMNS, id_field="version")


command = Single(EXAMPLES, version)
