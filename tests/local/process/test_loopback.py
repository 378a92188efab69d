"""Ports are reserved between processes, and given back when nothing uses them any longer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchestrator.local.process.loopback import free_port, release


def reserve(port: int) -> None:
    """Reserve the port for a moment, as another process would. Raises OSError if it is taken."""
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(f"\0failover-laptop-port-{port}")


def test_a_port_is_reserved_until_it_is_released() -> None:
    port = free_port()
    with pytest.raises(OSError, match="in use"):
        reserve(port)
    release(port)
    reserve(port)


def test_a_released_port_takes_no_descriptor() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        release(free_port())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_port_that_is_not_ours_is_released_without_harm() -> None:
    release(1)
