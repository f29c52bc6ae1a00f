"""`python -m nullspend_daemon`: the server in the foreground. `nullspend daemon run` starts exactly this."""

import argparse
import asyncio
import gc
import json
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from nullspend_daemon import __version__
from nullspend_daemon.errors import NullSpendError, StartupError
from nullspend_daemon.http.masking import MaskingFormatter
from nullspend_daemon.settings import LOOPBACK_HOSTS, Settings

LOG_BYTES = 5 * 1024 * 1024
LOG_FILES = 3
MOST_SECONDS = 86_400


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
    flags.add_argument("--max-body", type=_size, default=None, metavar="SIZE", help="largest body of a proxied call")
    flags.add_argument("--upstream", action="append", default=[], metavar="NAME=URL[,free]", help="another provider")
    flags.add_argument("--upstream-timeout", type=float, default=None, metavar="SECONDS", help="between two reads")
    flags.add_argument("--estimate", choices=("expected", "upper-bound"), default="expected", help="what a call holds")
    flags.add_argument("--loop-max-calls", type=int, default=0, metavar="N", help="deny the N-th same call in 60 s")
    flags.add_argument("--capture-bodies", action="store_true", help="keep the bodies of proxied calls")
    flags.add_argument("--body-retention", type=int, default=7, metavar="DAYS", help="how long bodies are kept")
    flags.add_argument(
        "--delivery-retention", type=int, default=7, metavar="DAYS", help="delete older webhook deliveries"
    )
    flags.add_argument("--json", action="store_true", help="print one JSON object when ready")
    flags.add_argument("--version", action="version", version=__version__)
    return flags


def _size(text: str) -> int:
    """Bytes, also as 512k, 32m or 1g."""
    number, unit = text.strip().lower().removesuffix("ib").removesuffix("b"), 1
    for letter, worth in (("k", 1024), ("m", 1024**2), ("g", 1024**3)):
        if number.endswith(letter):
            number, unit = number.removesuffix(letter), worth
    try:
        return int(number) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1048576, 512k or 32m") from None


def _check_proxy(given: argparse.Namespace) -> None:
    if given.max_body is not None and given.max_body < 1:
        raise StartupError("--max-body lets nothing through; choose 1 byte or more.")
    if given.upstream_timeout is not None and not 0 < given.upstream_timeout < MOST_SECONDS:
        raise StartupError("--upstream-timeout must be more than 0 seconds and less than a day.")
    if given.loop_max_calls < 0:
        raise StartupError("--loop-max-calls must be 0, which is off, or more.")
    if given.body_retention < 1:
        raise StartupError(f"--body-retention {given.body_retention} keeps nothing; choose 1 day or more.")


def settings_of(given: argparse.Namespace) -> Settings:
    """The settings of this run. Raises StartupError for a value out of range."""
    if not 0 <= given.port <= 65535:
        raise StartupError(f"--port {given.port} is no port; choose 0 to 65535.")
    if given.rate_limit is not None and given.rate_limit < 1:
        raise StartupError(f"--rate-limit {given.rate_limit} lets nothing through; choose 1 or more.")
    if given.retention is not None and given.retention < 1:
        raise StartupError(f"--retention {given.retention} keeps nothing; choose 1 day or more.")
    _check_proxy(given)
    if given.delivery_retention < 1:
        raise StartupError(f"--delivery-retention {given.delivery_retention} keeps nothing; choose 1 day or more.")
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
        max_body=given.max_body,
        upstreams=tuple(given.upstream),
        upstream_timeout=given.upstream_timeout,
        upper_bound=given.estimate == "upper-bound",
        loop_max_calls=given.loop_max_calls,
        capture_bodies=given.capture_bodies,
        body_retention_days=given.body_retention,
        delivery_retention_days=given.delivery_retention,
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
    for handler in (to_stderr, to_file):
        handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_stderr, to_file])
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
        gc.freeze()  # what is loaded stays: later collections need not look at it
        gc.enable()
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
    gc.disable()  # collecting while everything is imported finds nothing and takes a tenth of the start
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
