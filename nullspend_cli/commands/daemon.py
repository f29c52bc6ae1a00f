"""The daemon of this machine."""

from itertools import starmap
from pathlib import Path
from typing import Annotated

import typer

from nullspend_cli import daemon_data, environment, local, processes, service_units
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.logs import Log
from nullspend_cli.options import DATA_DIR, GLOBAL, READY_JSON, SERVER, STANDARD, Yes
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import count, size, visible
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.server_flags import command_flags, data_folder, flags_of_running
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "run": """
nullspend daemon run
nullspend daemon run --port 0 --test-clock --data-dir ./nullspend-data
nullspend daemon run --upstream ollama=http://127.0.0.1:11434,free
""",
    "start": """
nullspend daemon start
nullspend daemon start --port 4800 --hosted
""",
    "stop": """
nullspend daemon stop
""",
    "restart": """
nullspend daemon restart --test-clock
""",
    "status": """
nullspend daemon status
nullspend daemon status --quiet || nullspend daemon start
""",
    "logs": """
nullspend daemon logs -n 100
nullspend daemon logs --follow
""",
    "env": """
eval "$(nullspend daemon env)"
nullspend daemon env --format fish | source
nullspend daemon env --format dotenv >> .env
nullspend daemon env --key researcher
nullspend daemon env --key-in-path
""",
    "backup": """
nullspend daemon backup
nullspend daemon backup ~/nullspend-before-upgrade.db
""",
    "restore": """
nullspend daemon stop
nullspend daemon restore ~/nullspend-before-upgrade.db
""",
    "check": """
nullspend daemon check
nullspend daemon check --repair
""",
    "wipe": """
nullspend daemon wipe
""",
    "install": """
nullspend daemon install
nullspend daemon install --port 4800 --print
""",
    "uninstall": """
nullspend daemon uninstall
""",
}
_STARTING = (*SERVER, DATA_DIR, *STANDARD)
_WITH_FOLDER = (DATA_DIR, *STANDARD)


def _counted(name: str, number: int) -> str:
    words = {"costEvents": "events", "pendingDeliveries": "deliveries to make"}.get(name, name)
    return f"{count(number)} {words if number != 1 else words.replace('ies', 'y').removesuffix('s')}"


STATUS = (
    column("url", "ADDRESS"),
    column("pid", "PROCESS"),
    column("version"),
    column("startedAt", "STARTED", show_time),
    column("now", "ITS TIME", show_time),
    column("hosted", "HOSTED LIMITS"),
    column("testClock", "TEST CLOCK"),
    column("dataDir", "DATA"),
    column("databaseBytes", "DATABASE", size),
    column("counts", "CONTENTS", lambda counts: ", ".join(starmap(_counted, counts.items()))),
)

noun = Noun(EXAMPLES)


@noun.verb("run", shared=(*SERVER, DATA_DIR, READY_JSON, *GLOBAL))
def run_(run: Run) -> None:
    """Run the daemon in the foreground, until Ctrl-C.

    When it is ready it prints one line, `listening on http://HOST:PORT`.
    """
    folder = data_folder(run)
    raise typer.Exit(processes.become_daemon([*command_flags(run, folder), *(["--json"] if run.given("json") else [])]))


@noun.verb(shared=_STARTING)
def start(run: Run) -> None:
    """Start the daemon in the background and wait until it answers. One that runs already is left alone."""
    folder = data_folder(run)
    running = local.answering(folder)
    state = running or local.start(command_flags(run, folder), folder)
    words = "The daemon is running already on" if running else "The daemon listens on"
    run.out.result(f"{words} {state.url} (process {state.pid}).", _state_record(state), id_field="url")
    if running and command_flags(run, folder, only_server=True):
        run.out.next("nullspend daemon restart with the same options, to apply them")


def _state_record(state: local.State) -> Record:
    return {"url": state.url, "pid": state.pid, "version": state.version, "dataDir": state.data_dir}


@noun.verb(shared=_WITH_FOLDER)
def stop(run: Run) -> None:
    """Stop the daemon once its running requests are finished."""
    state = _here(data_folder(run))
    if state is None:
        run.out.result("No daemon is running.", {"stopped": False}, id_field="stopped")
        return
    with run.out.terminal.waiting("Stopping the daemon"):
        local.stop(state)
    run.out.result(f"Stopped the daemon on {state.url}.", {"stopped": True, **_state_record(state)}, id_field="url")


def _here(folder: Path) -> local.State | None:
    """The daemon of a data directory, also one that does not answer."""
    try:
        return local.answering(folder)
    except local.Silent as error:
        return error.state


@noun.verb(shared=_STARTING)
def restart(run: Run) -> None:
    """Stop the daemon and start it again, at the same address and with the same modes unless others are given."""
    folder = data_folder(run)
    before = _here(folder)
    flags = command_flags(run, folder, defaults=flags_of_running(before))
    with run.out.terminal.waiting("Restarting the daemon"):
        if before:
            local.stop(before)
        state = local.start(flags, folder)
    run.out.result(f"The daemon listens on {state.url} (process {state.pid}).", _state_record(state), id_field="url")


@noun.verb(shared=_WITH_FOLDER)
def status(run: Run) -> None:
    """Show the running daemon. Exits 7 when none runs."""
    state = local.required(data_folder(run))
    run.out.record(
        {"url": state.url, **run.client_of(state).get("/_local/info", auth=Auth.ADMIN)}, STATUS, id_field="url"
    )


@noun.verb(shared=(DATA_DIR, *GLOBAL))
def logs(
    run: Run,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=1, help="How many lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Show the end of the daemon's log."""
    folder = data_folder(run)
    log = Log(folder)
    tail = log.tail(lines)
    if not tail and not follow:
        run.out.note(f"Nothing has been logged in {folder} yet.")
    run.out.text("".join(f"{visible(line)}\n" for line in tail), at_once=True)
    for line in log.follow() if follow else ():
        run.out.text(f"{visible(line)}\n", at_once=True)


@noun.verb(shared=(DATA_DIR, *GLOBAL))
def env(
    run: Run,
    format: Annotated[
        str, typer.Option("--format", metavar="|".join(environment.FORMATS), help="For which reader.")
    ] = "export",
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="NAME", help="A saved key, instead of the default one.", show_default=False),
    ] = None,
    key_in_path: Annotated[
        bool, typer.Option("--key-in-path", help="The key in the clients' URLs, for those that cannot send a header.")
    ] = False,
) -> None:
    """Print the environment that sends the NullSpend SDK and the openai and anthropic clients through the daemon.

    Your provider keys stay where they are: the clients send them with each call, and the daemon passes them on.
    """
    if format not in environment.FORMATS:
        raise Usage(f"There is no format {format!r}; there are {', '.join(environment.FORMATS)}.")
    daemon = local.required(data_folder(run))
    run.out.text(environment.lines(environment.variables(daemon, key, key_in_path=key_in_path), format))


@noun.verb(shared=_WITH_FOLDER)
def backup(
    run: Run,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; a new file here unless given.", show_default=False),
    ] = None,
) -> None:
    """Copy the database of the running daemon to a file."""
    state = local.required(data_folder(run))
    target = daemon_data.backup_target(path)
    done = run.client_of(state).post("/_local/backup", {"path": str(target)}, auth=Auth.ADMIN)
    run.out.result(f"Backed up {size(done['bytes'])} to {done['path']}.", done, id_field="path")


@noun.verb(shared=_WITH_FOLDER)
def restore(
    run: Run,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A backup made by `daemon backup`.")],
    yes: Yes = False,
) -> None:
    """Put a backup in place of the data. The daemon must be stopped; what was there is kept beside it."""
    folder = data_folder(run)
    if local.answering(folder):
        raise Problem("The daemon is running.", next="nullspend daemon stop")
    daemon_data.check_backup(path)
    run.out.confirm(f"Replace all data in {folder} with {path}?", yes=yes)
    kept = daemon_data.restore(path, folder)
    run.out.result(
        f"Restored {path}." + (f" What was there is now {kept}." if kept else ""),
        {"restored": str(path), "kept": kept and str(kept)},
        id_field="restored",
    )
    run.out.next("nullspend daemon start")


@noun.verb(shared=_WITH_FOLDER)
def check(
    run: Run,
    repair: Annotated[bool, typer.Option("--repair", help="Set derived figures right from their events.")] = False,
) -> None:
    """Check the database, then every spend against its events. Exits 1 when they differ."""
    state = local.required(data_folder(run))
    found = daemon_data.check(run.client_of(state), repair=repair)
    run.out.result("The database is whole and every figure agrees." if found["ok"] else "", found, id_field="ok")
    if not found["ok"]:
        raise daemon_data.disagreement(found)


@noun.verb(shared=_WITH_FOLDER)
def wipe(run: Run, yes: Yes = False) -> None:
    """Delete all data: keys, budgets, events, everything. A running daemon starts afresh at once."""
    folder = data_folder(run)
    state = local.answering(folder)
    run.out.confirm(f"Delete all data in {folder}? This cannot be undone.", yes=yes)
    if state:
        run.client_of(state).post("/_local/reset", auth=Auth.ADMIN)
        daemon_data.remove_copies(folder)
    removed = [] if state else daemon_data.remove_files(folder)
    gone = state is not None or bool(removed)
    run.out.result(
        "All data is gone." if gone else f"There was no data in {folder}.",
        {"wiped": gone, "dataDir": str(folder)},
        id_field="dataDir",
    )


@noun.verb(shared=_STARTING)
def install(run: Run, print_: Annotated[bool, typer.Option("--print", help="Only print the file.")] = False) -> None:
    """Write the file with which systemd or launchd starts the daemon when you sign in.

    It carries the options given here. Enabling it is the platform's own command, which is shown.
    """
    folder = data_folder(run)
    unit = service_units.unit(command_flags(run, folder), service_units.environment())
    if print_:
        run.out.text(unit.text)
        return
    service_units.check_platform()
    service_units.write(unit)
    run.out.result(f"Wrote {unit.path}.", {"path": str(unit.path)}, id_field="path")
    stop = [("nullspend daemon stop", "make room for it")] if local.running(folder) else []
    run.out.steps([*stop, *unit.enable])


@noun.verb(shared=STANDARD)
def uninstall(run: Run) -> None:
    """Remove the file that `install` wrote. The daemon's data stays."""
    unit = service_units.unit([], {})
    found = service_units.remove(unit)
    run.out.result(
        f"Removed {unit.path}." if found else f"There is no {unit.path}.",
        {"path": str(unit.path), "removed": found},
        id_field="path",
    )
    if found:
        run.out.steps(unit.disable)
