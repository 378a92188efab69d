"""Hosts that are no region's, in every spelling that a resolver takes."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.core.outside.hosts import Place, place_of

METADATA = (
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "0251.254.0xa9.254",
    "169.254.43518",
    "169.16689662",
    "169.254.169.254.",
    "::ffff:169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[::FFFF:A9FE:A9FE]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fd20:ce::254",
    "fd00:ec2::254",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "METADATA.Google.Internal.",
    "169.254.0.1",
)
LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",  # noqa: S104  # compared, never bound
    "0x0",
    "::1",
    "[::1]",
    "::",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "localhost",
    "LOCALHOST.",
    "checkout.localhost",
    "localhost.localdomain",
    "ip6-loopback",
)
OTHER = (
    "use4.checkout.example.com",
    "10.0.0.1",
    "203.0.113.7",
    "2001:db8::1",
    "metadata.example.com",
    "localhost.example.com",
    "169.254.example.com",
    "127.0.0.1.nip.example",
    "1.2.3.4.5",
    "256.1.1.1",
    "4294967296",
    "0x",
    "12345678901234567890123456789012345678901234567890",
    "127.0.0.1x",
    "",
)


@pytest.mark.parametrize("host", METADATA)
def test_the_metadata_server_and_link_local_addresses_are_known(host: str) -> None:
    assert place_of(host) is Place.LINK_LOCAL


@pytest.mark.parametrize("host", LOOPBACK)
def test_the_machine_itself_is_known(host: str) -> None:
    assert place_of(host) is Place.LOOPBACK


@pytest.mark.parametrize("host", OTHER)
def test_every_other_host_may_be_a_region(host: str) -> None:
    assert place_of(host) is (Place.LOOPBACK if host == "0x" else Place.OTHER)


NUMBERS = some.integers(0, 2**32 - 1)
WRITTEN = (str, hex, lambda n: f"0{n:o}")


@given(
    parts=some.lists(some.integers(0, 255), min_size=4, max_size=4),
    ways=some.lists(some.sampled_from(WRITTEN), min_size=4, max_size=4),
    kept=some.integers(0, 3),
)
def test_what_the_systems_resolver_reads_as_an_address_is_read_alike(
    parts: list[int], ways: list[object], kept: int
) -> None:
    """The same place as the address that `inet_aton` makes of it."""
    last = int.from_bytes(bytes(parts[kept:]), "big")
    spelt = ".".join(
        way(n)  # type: ignore[operator]  # one of WRITTEN
        for way, n in zip(ways, [*parts[:kept], last], strict=False)
    )
    meant = socket.inet_ntoa(socket.inet_aton(spelt))
    assert meant == ".".join(map(str, parts))
    assert place_of(spelt) is place_of(meant)


@given(some.text(max_size=60))
def test_no_text_is_too_odd(host: str) -> None:
    assert place_of(host) in Place
