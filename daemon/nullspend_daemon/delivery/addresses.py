"""Where a message may be sent: the URL rules of core 7, and the same rules for the address a name turns out to have.

Pure: no lookups. A URL is judged when it is registered, the addresses of its name each time something is sent.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address

MOST_URL = 2_048
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CARRIERS_OF_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))
"""IPv6 networks whose addresses stand for IPv4 ones, private ones included."""


class Unsafe(ValueError):
    """Where nothing may be sent. The message says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far messages of this daemon may go. `local`: to plain http and to this machine, except to `own_port`."""

    local: bool
    own_port: int


def check_url(url: str, reach: Reach) -> str:
    """The URL without blanks around it. Raises Unsafe; nothing is looked up."""
    url = url.strip()
    parts = _parts(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and reach.local):
        raise Unsafe("Must be an https URL" if not reach.local else "Must be an http or https URL")
    if "@" in parts.netloc:
        raise Unsafe("Must not contain a user name or a password")
    _check_host(parts, reach)
    return url


def check_address(address: Address, port: int, reach: Reach) -> None:
    """Raises Unsafe for an address that is not public; with `reach.local` loopback is fine, but for the own port."""
    if isinstance(address, IPv6Address):
        address = _without_disguise(address)
    if address.is_loopback:
        if not reach.local:
            raise Unsafe(f"{address} is this machine")
        if port == reach.own_port:
            raise Unsafe(f"{address} port {port} is this daemon itself")
    elif not address.is_global or address.is_multicast:
        kind = "a link-local" if address.is_link_local else "a private or reserved"
        raise Unsafe(f"{address} is {kind} address")


def port_of(url: str) -> int:
    """The port a URL leads to."""
    parts = urlsplit(url)
    return parts.port or _PORTS[parts.scheme]


def literal_in(url: str) -> Address | None:
    """The address a URL spells out instead of a name, in any notation. Raises Unsafe for what only looks like one."""
    return _literal(_plain(urlsplit(url).hostname or ""))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        raise Unsafe("Must be a URL such as https://example.com/hooks") from None
    if len(url) > MOST_URL:
        raise Unsafe(f"Must be at most {MOST_URL:,} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise Unsafe("Must not contain blanks, backslashes or control characters")
    return parts


def _check_host(parts: SplitResult, reach: Reach) -> None:
    host, port = _plain(parts.hostname or ""), parts.port or _PORTS[parts.scheme]
    address = _literal(host)
    if address is None:
        _check_name(host.removesuffix("."), port, reach)
    elif isinstance(address, IPv6Address) and not (address.is_loopback and reach.local):
        raise Unsafe("Must not be an IPv6 address")
    else:
        check_address(address, port, reach)


def _check_name(name: str, port: int, reach: Reach) -> None:
    if name == "localhost" or name.endswith(".localhost"):
        check_address(IPv4Address("127.0.0.1"), port, reach)
    elif name == "local" or name.endswith(".local"):
        raise Unsafe("Must not be a .local name")


def _literal(host: str) -> Address | None:
    """Dotted, decimal, octal, hexadecimal, short, or IPv6; None for a name."""
    if ":" in host:
        try:
            return ip_address(host)
        except ValueError:
            raise Unsafe(f"{host} is no IPv6 address") from None
    host = host.removesuffix(".")
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        raise Unsafe(f"{host} is no IPv4 address") from None


def _plain(host: str) -> str:
    """A host as resolvers see it: lower case, international letters encoded, look-alike digits and dots made plain."""
    if ":" in host:
        return host
    try:
        plain = host.encode("idna").decode().lower()
    except UnicodeError:
        raise Unsafe(f"{host} is no host name") from None
    if not _NAME.fullmatch(plain):
        raise Unsafe(f"{host} is no host name")
    return plain


def _without_disguise(address: IPv6Address) -> Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.teredo is not None or any(address in network for network in _CARRIERS_OF_IPV4):
        raise Unsafe(f"{address} stands for an IPv4 address")
    return address
