"""`doctor`, the servers: the local daemon, the chosen context, its certificate and credentials, clocks, prices."""

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from nullspend_cli import identity, local, price_catalogue, settings, transport
from nullspend_cli.client import Auth
from nullspend_cli.doctor import daemon as here
from nullspend_cli.doctor.findings import FAIL, OK, WARN, Check, Finding
from nullspend_cli.places import LOCAL, Place, how_to_sign_in
from nullspend_cli.when import show_duration
from nullspend_daemon.contract.clock import from_iso

if TYPE_CHECKING:
    from nullspend_cli.run import State

_SKEW_MS, _WRONG_MS = 30_000, 300_000
_CERTIFICATE_DAYS = 14
_PRICES_DAYS = 30
_DAY = 86_400


def _daemon(state: "State") -> Finding:
    daemon = here.found()
    if isinstance(daemon, local.Silent):
        return Finding(FAIL, daemon.message.rstrip("."), daemon.next)
    if daemon:
        return Finding(OK, f"{daemon.url} (process {daemon.pid})")
    if local.read_state(settings.data_dir()):
        return Finding(WARN, "daemon.json is there, but the daemon it names does not answer", "nullspend daemon start")
    return Finding(WARN if state.chosen_name == LOCAL else OK, "none is running", "nullspend daemon start")


def _place(state: "State") -> Place | None:
    """The chosen context; None for the local one without a daemon, which has been said already."""
    return None if state.chosen_name == LOCAL and not here.running() else state.place


_NO_SERVER = Finding(OK, "no server to ask")


def _context(state: "State") -> Finding:
    place = _place(state)
    if place is None:
        return _NO_SERVER
    client = state.client_at(place, silent=True)
    client.check(client.request("GET", "/api/health", None, Auth.NONE, repeatable=True), Auth.NONE)
    return Finding(OK, f"{place.name}, chosen by {place.why}: {place.origin} answers")


def _tls(state: "State") -> Finding:
    place = _place(state)
    if place is None:
        return _NO_SERVER
    if not place.origin.startswith("https://"):
        if transport.is_loopback(place.origin):
            return Finding(OK, "not needed on this machine")
        return Finding(WARN, f"{place.origin} is plain http; everything crosses the network unencrypted", "Use https.")
    ends = transport.certificate_ends(place.origin, place.ca_file)
    days = int((ends - time.time()) // _DAY)
    found = f"the certificate of {place.origin} is trusted for {days} more {'day' if days == 1 else 'days'}"
    if days < _CERTIFICATE_DAYS:
        return Finding(WARN, found, "Have the server's certificate renewed.")
    return Finding(OK, found)


def _credentials(state: "State") -> Finding:
    place = _place(state)
    if place is None:
        return _NO_SERVER
    if not place.key and not place.session:
        return Finding(WARN, f"none are kept for {place.origin}", how_to_sign_in(place, "session"))
    found = identity.who(state.client, state.names)
    for field, kind in (("session", "session"), ("apiKey", "key")):
        if found[field] == "refused":
            return Finding(FAIL, f"{place.origin} refuses the {kind}", how_to_sign_in(place, kind))
    valid = [words for field, words in (("session", "session"), ("apiKey", "API key")) if found[field] == "valid"]
    return Finding(OK, f"{' and '.join(valid)} accepted by {place.origin}")


def _clock(state: "State") -> Finding:
    place = _place(state)
    if place is None:
        return _NO_SERVER
    ahead = _server_ms(state, place) - time.time_ns() // 1_000_000
    if place.daemon and place.daemon.test_clock:
        return Finding(OK, f"the test clock is {show_duration(abs(ahead))} from this machine's")
    if abs(ahead) < _SKEW_MS:
        return Finding(OK, f"within {_SKEW_MS // 1000} s of {place.origin}")
    found = f"{show_duration(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} {place.origin}"
    return Finding(FAIL if abs(ahead) > _WRONG_MS else WARN, found, "timedatectl set-ntp true")


def _server_ms(state: "State", place: Place) -> int:
    """A server's time: the daemon says it to the millisecond, others in the Date header."""
    client = state.client_at(place, silent=True)
    if place.daemon:
        return from_iso(str(client.get("/_local/info", auth=Auth.NONE)["now"]))
    answer = client.request("GET", "/api/health", None, Auth.NONE, repeatable=True)
    return int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp() * 1000)


def _prices(state: "State") -> Finding:
    from importlib.metadata import distribution
    from pathlib import Path

    downloaded = settings.data_dir() / price_catalogue.NAME
    package = distribution("genai-prices")
    file = downloaded if downloaded.exists() else package.locate_file("genai_prices/__init__.py")
    days = int((time.time() - Path(str(file)).stat().st_mtime) // _DAY)
    what = "downloaded" if downloaded.exists() else f"installed with genai-prices {package.version}"
    found = f"{what} {days} {'day' if days == 1 else 'days'} ago"
    return Finding(WARN, found, "nullspend prices update") if days > _PRICES_DAYS else Finding(OK, found)


CHECKS: dict[str, Check] = {
    "daemon": _daemon,
    "context": _context,
    "tls": _tls,
    "credentials": _credentials,
    "clock": _clock,
    "prices": _prices,
}
