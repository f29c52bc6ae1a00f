"""`python -m nullspend_daemon`: the server in the foreground. `nullspend daemon run` starts exactly this."""

import argparse
import asyncio
import json
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from nullspend_daemon import __version__
from nullspend_daemon.errors import NullSpendError, StartupError
from nullspend_daemon.settings import LOOPBACK_HOSTS, Settings

LOG_BYTES = 5 * 1024 * 1024
LOG_FILES = 3


def parser() -> argparse.ArgumentParser:
    """The flags of `daemon run`."""
    flags = argparse.ArgumentParser(prog="nullspend-daemon", description="The NullSpend API on this machine.")
    flags.add_argument("--host", default="127.0.0.1", help="address to listen on")
    flags.add_argument("--port", type=int, default=4747, help="port to listen on; 0 picks a free one")
    flags.add_argument("--data-dir", type=Path, default=None, help="where the database lives")
    flags.add_argument("--hosted", action="store_true", help="apply the limits of the hosted service")
    flags.add_argument("--test-clock", action="store_true", help="let `nullspend clock` move time forward")
    flags.add_argument("--rate-limit", type=int, default=None, metavar="N", help="requests a key may make in 60 s")
    flags.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="another Host to answer to")
    flags.add_argument("--trust-proxy", action="store_true", help="believe X-Forwarded-* of a reverse proxy")
    flags.add_argument("--retention", type=int, default=None, metavar="DAYS", help="delete older events; default never")
    flags.add_argument("--json", action="store_true", help="print one JSON object when ready")
    flags.add_argument("--version", action="version", version=__version__)
    return flags


def settings_of(given: argparse.Namespace) -> Settings:
    """The settings of this run. Raises StartupError for a value out of range."""
    if not 0 <= given.port <= 65535:
        raise StartupError(f"--port {given.port} is no port; choose 0 to 65535.")
    if given.rate_limit is not None and given.rate_limit < 1:
        raise StartupError(f"--rate-limit {given.rate_limit} lets nothing through; choose 1 or more.")
    if given.retention is not None and given.retention < 1:
        raise StartupError(f"--retention {given.retention} keeps nothing; choose 1 day or more.")
    return Settings(
        data_dir=(given.data_dir or _default_data_dir()).expanduser().absolute(),
        config_dir=_default_config_dir(),
        host=given.host,
        port=given.port,
        hosted=given.hosted,
        test_clock=given.test_clock,
        allow_hosts=tuple(given.allow_host),
        trust_proxy=given.trust_proxy,
        rate_limit=given.rate_limit,
        retention_days=given.retention,
        environment=dict(os.environ),
    )


def _default_data_dir() -> Path:
    from platformdirs import user_data_path

    return Path(os.environ.get("NULLSPEND_DATA_DIR") or user_data_path("nullspend", appauthor=False))


def _default_config_dir() -> Path:
    from platformdirs import user_config_path

    return Path(os.environ.get("NULLSPEND_CONFIG_DIR") or user_config_path("nullspend", appauthor=False))


def _log_to(settings: Settings) -> None:
    """Warnings and errors go to stderr and to the data directory's log, 5 MB three times over."""
    os.umask(0o077)
    to_stderr = logging.StreamHandler()
    to_file = logging.handlers.RotatingFileHandler(
        settings.data_dir / "daemon.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1, delay=True
    )
    logging.basicConfig(
        level=logging.INFO, handlers=[to_stderr, to_file], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _warn_of_exposure(settings: Settings) -> None:
    if settings.host not in LOOPBACK_HOSTS and not settings.loopback_only:
        print(
            f"nullspend: listening on {settings.host} exposes the API, and with it every key and budget, to other "
            "machines. /_local stays with this machine. Name the hosts that may ask with --allow-host.",
            file=sys.stderr,
        )


def _fail(sentence: str) -> NoReturn:
    print(f"nullspend: {sentence}", file=sys.stderr)
    raise SystemExit(1)


def _run(settings: Settings, *, as_json: bool) -> None:
    from nullspend_daemon.app import Daemon
    from nullspend_daemon.local import datadir

    def announce(ready: dict[str, Any]) -> None:
        print(json.dumps(ready) if as_json else f"listening on {ready['url']}", flush=True)

    datadir.prepare(settings.data_dir)
    _log_to(settings)
    _warn_of_exposure(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(Daemon, settings, announce))


async def _serve(daemon: Any, settings: Settings, announce: Any) -> None:
    await daemon(settings, announce).run()


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def main() -> None:
    """Run the daemon; exit 1 with a sentence on stderr when it cannot start."""
    given = parser().parse_args()
    try:
        _run(settings_of(given), as_json=given.json)
    except StartupError as error:
        logging.getLogger(__name__).error("%s", error)
        _fail(str(error))
    except NullSpendError as error:
        _fail(error.message)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
