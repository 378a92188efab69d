"""Connect to a host whose addresses share the time, after RFC 8305 ("happy eyeballs").

A connection to the first address begins at once, and one to the next whenever the one before it has
failed or has been silent for its part of the time. All go on side by side; the first that stands
wins. So one silent address does not make a host silent, and no address waits for the timeout of
another.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, zip_longest

STAGGER = 0.25
"""Seconds that an address has for itself at most, before the next is tried too (RFC 8305)."""

MOST = 8
"""Addresses of a host that are looked at."""

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a host. family: `AF_INET` or `AF_INET6`. place: what `connect` takes."""

    family: int
    place: tuple[str | int | bytes, ...]


Resolve = Callable[[str, int], Sequence[Address]]
"""Gives the addresses of a host name and a port. Raises OSError, and may hang."""


def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host by the system's resolver, in its order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(Address(family, place) for family, _, _, _, place in found))


def by_turns(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """The addresses with the families by turns, the first one's first, and not too many.

    Where one family leads nowhere, all of its addresses are silent.
    """
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    mixed = chain.from_iterable(zip_longest(*families.values()))
    return tuple(address for address in mixed if address is not None)[:MOST]


Option = tuple[int, int, int | bytes]
"""What `socket.setsockopt` takes."""


def connect(
    addresses: Sequence[Address], until: float, options: Sequence[Option] = ()
) -> tuple[socket.socket, Address]:
    """A connected socket, blocking again, and the address that it leads to.

    until: by `time.monotonic`. options: set before it connects. Raises TimeoutError when some
    address was silent until then, else the error of the last one that failed.
    """
    if len(addresses) == 1:
        return _connect_one(addresses[0], until, options), addresses[0]
    race = _Race(options)
    with race.selector:
        try:
            return race.run(addresses, until)
        finally:
            race.end()


def _connect_one(address: Address, until: float, options: Sequence[Option]) -> socket.socket:
    """Where there is nothing to share, nothing is waited for but the one connection."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    made = _made(address, options)
    try:
        made.settimeout(left)
        made.connect(address.place)
        made.settimeout(None)
    except BaseException:
        made.close()
        raise
    return made


def _made(address: Address, options: Sequence[Option]) -> socket.socket:
    made = socket.socket(address.family, socket.SOCK_STREAM)
    for option in options:
        made.setsockopt(*option)
    return made


class _Race:
    """Connections under way. The winner is taken out of it; `end` closes the others."""

    def __init__(self, options: Sequence[Option]) -> None:
        self._options = options
        self.selector = selectors.DefaultSelector()
        self._failure: OSError = TimeoutError("no address")

    def run(self, addresses: Sequence[Address], until: float) -> tuple[socket.socket, Address]:
        left = list(addresses)
        turn = min(STAGGER, max(0.0, until - time.monotonic()) / (len(left) + 1))
        following = time.monotonic()
        while left or self.selector.get_map():
            now = time.monotonic()
            if now >= until:
                raise TimeoutError("timed out")
            if left and (now >= following or not self.selector.get_map()):
                self._begin(left.pop(0))
                following = now + turn
                continue
            won = self._won(max(0.0, min(following if left else until, until) - now))
            if won is not None:
                return won
        raise self._failure

    def _begin(self, address: Address) -> None:
        try:
            made = _made(address, self._options)
        except OSError as error:  # a family that this machine does not have
            self._failure = error
            return
        made.setblocking(False)
        code = made.connect_ex(address.place)
        if code and code not in _UNDER_WAY:
            self._failure = _error(code)
            made.close()
            return
        self.selector.register(made, selectors.EVENT_WRITE, address)

    def _won(self, wait: float) -> tuple[socket.socket, Address] | None:
        """The first connection that stands within this time. One that failed is taken out."""
        for key, _ in self.selector.select(wait):
            made = key.fileobj
            assert isinstance(made, socket.socket)
            self.selector.unregister(made)
            code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                made.setblocking(True)
                return made, key.data
            self._failure = _error(code)
            made.close()
        return None

    def end(self) -> None:
        """Close what is still under way."""
        for key in list(self.selector.get_map().values()):
            with suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]  # sockets, all of them


def _error(code: int) -> OSError:
    """The error of this number, of its own class: OSError finds it."""
    return OSError(code, os.strerror(code))
