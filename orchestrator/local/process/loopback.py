"""Ports of the loopback interface that nobody else on this machine will take.

A port that the kernel picks (bind to 0) is not ours for long: it lies in the range from which every
outgoing connection takes its own port, so while a killed server is down a client's connection can
sit on it, or even connect to itself. So ports are taken from below that range. Each is reserved by
binding an abstract Unix socket named after it, which is atomic between processes and vanishes with
the process: two worlds at once, in one process or in several, never share a port.

This module must not listen on a port itself: that is left to the child that gets it.
"""

import os
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"

_LOWEST = 15000
_HIGHEST = 65535
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ATTEMPTS = 1000

_held: dict[int, int] = {}
"""The descriptors by which this process has reserved its ports."""


def free_port() -> int:
    """Reserve a port for the life of this process, or until `release`, and return it.

    Raises OSError if none is free.
    """
    choice = random.Random(os.urandom(8))
    for _ in range(_ATTEMPTS):
        port = choice.randrange(_LOWEST, _end())
        if _reserve(port) and _bindable(port):
            return port
    raise OSError(f"no free port from {_LOWEST} to {_end() - 1} in {_ATTEMPTS} attempts")


def release(port: int) -> None:
    """Give a port back that nothing will use again: each reservation takes a descriptor."""
    holder = _held.pop(port, None)
    if holder is not None:
        os.close(holder)


def url_of(port: int) -> str:
    """The base URL of a server on `port`, without a slash at its end."""
    return f"http://{HOST}:{port}"


def _end() -> int:
    """The first port that is not ours: where the kernel's range for outgoing connections begins."""
    first = int(_RANGE_FILE.read_text().split()[0]) if _RANGE_FILE.exists() else _HIGHEST
    return first if first > _LOWEST + _ATTEMPTS else _HIGHEST


def _reserve(port: int) -> bool:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0failover-laptop-port-{port}")
    except OSError:
        holder.close()
        return False
    _held[port] = holder.detach()  # open, without an owner, until the process ends
    return True


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
