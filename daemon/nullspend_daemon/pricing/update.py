"""Downloading a newer price catalogue: `python -m nullspend_daemon.pricing.update`, run by `nullspend prices update`.

A process of its own, since the catalogue is read before it is kept: what cannot be used replaces nothing.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from nullspend_daemon import __version__
from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.pricing import genai
from nullspend_daemon.pricing.rates import Price

if TYPE_CHECKING:
    from genai_prices.types import Provider

MAX_BYTES = 64 * 1024 * 1024
TIMEOUT_SECONDS = 30
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Prices = dict[tuple[str, str], Price]


class CannotUpdate(Exception):
    """The catalogue could not be replaced. The message is the sentence to show."""


def update(url: str | None, target: Path) -> dict[str, Any]:
    """Replace the catalogue at `target` by the one at `url`, or by what genai-prices publishes; says what changed.

    Raises CannotUpdate; `target` is as it was then.
    """
    address = url or _published()
    raw = _download(address)
    try:
        new = _prices(genai.parse(raw))
    except genai.UnreadableCatalogue as error:
        raise CannotUpdate(f"What {address} answered cannot be used: {error}") from None
    old = _prices(_in_use(target))
    try:
        _store(raw, target)
    except OSError as error:
        raise CannotUpdate(f"{target} cannot be written: {error.strerror}.") from None
    return {
        "url": address,
        "path": str(target),
        "providers": len({provider for provider, _ in new}),
        "models": len(new),
        "added": len(new.keys() - old.keys()),
        "changed": sum(1 for key in new.keys() & old.keys() if _rates(new[key]) != _rates(old[key])),
        "removed": len(old.keys() - new.keys()),
    }


def _published() -> str:
    from genai_prices.update_prices import DEFAULT_UPDATE_URL

    return DEFAULT_UPDATE_URL


def _download(url: str) -> bytes:
    _refuse_open_ways(url)
    request = Request(url, headers={"User-Agent": f"nullspend/{__version__}", "Accept": "application/json"})
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            _refuse_open_ways(answer.geturl())  # redirects are followed, but not out of https
            raw = answer.read(MAX_BYTES + 1)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise CannotUpdate(f"{url} could not be downloaded: {reason}.") from None
    if len(raw) > MAX_BYTES:
        raise CannotUpdate(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MB; that is no price catalogue.")
    return raw


def _refuse_open_ways(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise CannotUpdate(f"{url} is no https address: prices decide about money and must not be altered on the way.")


def _in_use(target: Path) -> "list[Provider]":
    try:
        return genai.downloaded(target)
    except genai.UnreadableCatalogue:
        return genai.bundled()


def _prices(providers: "list[Provider]") -> Prices:
    return {(price.provider, price.model): price for price in genai.every(providers, None, SystemClock().now_ms())}


def _rates(price: Price) -> Any:
    return price.base, price.tiers


def _store(raw: bytes, target: Path) -> None:
    """Write beside the target and rename: a daemon that reads meanwhile sees the old file or the new one."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def main() -> None:
    """Update and print what changed as JSON; exit 1 with a sentence on stderr."""
    flags = argparse.ArgumentParser(prog="nullspend prices update")
    flags.add_argument("target", type=Path)
    flags.add_argument("--url", default=None)
    given = flags.parse_args()
    try:
        sys.stdout.write(f"{json.dumps(update(given.url, given.target))}\n")
    except CannotUpdate as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
