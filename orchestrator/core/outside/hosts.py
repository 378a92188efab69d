"""Which hosts are no region's: those that answer for the machine that asks. PURE.

Loopback is the machine itself; link-local addresses and the names of the metadata server answer on
every machine, and give it its own tokens. They can be written in many ways: as one number, in
octal or hexadecimal, in short, inside an IPv6 address, with a dot at the end.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog"})
_METADATA = frozenset(map(ipaddress.ip_address, ("fd20:ce::254", "fd00:ec2::254")))
"""Unique local addresses of Google's and AWS's metadata servers; the others are link-local."""

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OLD = ipaddress.ip_network("::/96")
_HERE = ipaddress.ip_network("0.0.0.0/8")
_PARTS = 4
_BITS = 8
"""Bits of each of the four numbers of an IPv4 address."""


class Place(StrEnum):
    """What a host is to the machine that asks."""

    OTHER = "another machine"
    LOOPBACK = "the machine that asks"
    LINK_LOCAL = "the metadata server, or a link-local address"


def place_of(host: str) -> Place:
    """What this host is, by its name or as the address that it spells.

    host: of a URL, without port; in brackets or not. A name that resolves to such an address is
    another machine's as far as this can tell: ask again with what it resolves to.
    """
    name = host.lower().strip("[]").rstrip(".")
    if name in _METADATA_NAMES:
        return Place.LINK_LOCAL
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return Place.LOOPBACK
    address = _address(name)
    return Place.OTHER if address is None else _of(address)


def _address(name: str) -> _Ip | None:
    """The address that a host spells, as the system's resolver reads it; None for a name."""
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        number = _number(name)
        return None if number is None else ipaddress.IPv4Address(number)


def _number(name: str) -> int | None:
    """An IPv4 address of one to four numbers, the last of which fills what is left."""
    parts = [_part(text) for text in name.split(".")]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(parts) > _PARTS:
        return None
    *first, last = known
    room = _PARTS - len(first)
    if any(part >> _BITS for part in first) or last >> _BITS * room:
        return None
    front = sum(part << _BITS * (_PARTS - 1 - at) for at, part in enumerate(first))
    return front + last


def _part(text: str) -> int | None:
    """One number, in decimal, octal (from 0) or hexadecimal (from 0x)."""
    if not text.isascii() or not text or len(text) > 40:  # noqa: PLR2004  # no number that fits is longer
        return None
    base = 16 if text.startswith("0x") else 8 if text.startswith("0") else 10
    try:
        return int(text.removeprefix("0x") or "0", base) if "_" not in text else None
    except ValueError:
        return None


def _of(address: _Ip) -> Place:
    inner = _inside(address)
    if inner is not None:
        return _of(inner)
    if address.is_link_local or address in _METADATA or address.is_multicast:
        return Place.LINK_LOCAL
    if address.is_loopback or address.is_unspecified or address in _HERE:
        return Place.LOOPBACK
    return Place.OTHER


def _inside(address: _Ip) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    old = address in _OLD and int(address) > 1
    if address in _NAT64 or old:
        return ipaddress.IPv4Address(int(address) % 2**32)
    return address.ipv4_mapped or address.sixtofour
