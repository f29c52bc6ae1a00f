"""What an upgrade URL may be: a public https page. People are sent there, nothing is fetched from here."""

import re
import socket
import unicodedata
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from nullspend_daemon.store.upgrade_urls import PLACEHOLDER

MOST_CHARACTERS = 2048
LONGEST_CUSTOMER_ID = 256
_PRIVATE = [
    IPv4Network(block)
    for block in ("127.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "169.254.0.0/16")
]
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_NUMBERS = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


def check_upgrade_url(url: str) -> str:
    """`url` itself. Raises PydanticCustomError naming the rule of orgs 2.11 that it breaks."""
    problem = _problem(url)
    if problem is not None:
        raise PydanticCustomError("upgrade_url", "{problem}", {"problem": problem})
    return url


def _problem(url: str) -> str | None:
    if len(url.replace(PLACEHOLDER, "x" * LONGEST_CUSTOMER_ID)) > MOST_CHARACTERS:
        return f"Must stay within {MOST_CHARACTERS} characters for the longest customer id"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "Must be a URL"
    if _UNPRINTABLE.search(url) or not host:
        return "Must be a URL"
    if parts.scheme != "https":
        return "Must start with https://"
    if "@" in parts.netloc:
        return "Must not hold a user name or password"
    if parts.netloc.startswith("["):
        return "Must not use an IPv6 address"
    return "Must be a public address" if _is_private(host) else None


def _is_private(host: str) -> bool:
    """Names and addresses of this machine and of private networks, in any spelling a browser understands."""
    name = unicodedata.normalize("NFKC", host).lower().rstrip(".")
    if name == "localhost" or name.endswith((".local", ".localhost")) or name.startswith("127."):
        return True
    if _NUMBERS.fullmatch(name) is None:
        return False
    try:
        address = IPv4Address(socket.inet_aton(name))  # takes 2130706433, 0x7f.1 and 127.1 too
    except OSError:
        return False
    return any(address in block for block in _PRIVATE)


UpgradeUrl = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=MOST_CHARACTERS), AfterValidator(check_upgrade_url)
]
"""A page to buy more on; `{customer_id}` in it is replaced when it is shown."""
