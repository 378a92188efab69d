"""Objects in memory: the contract in its smallest form."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from orchestrator.adapters.names import must_name_an_object
from orchestrator.core.exceptions import Conflict
from orchestrator.ports import Version

_NEVER = datetime.fromtimestamp(0, UTC)
"""Memory has no clock: its versions differ by their generation alone."""


class MemoryObjects:
    """Implements `orchestrator.ports.Objects` and `Archive` within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._kept: dict[str, dict[int, bytes]] = {}
        self._last = 0

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object's bytes and generation, or None."""
        with self._lock:
            return self._objects.get(name)

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace exactly this generation; raises Conflict when it is another, or Unavailable."""
        must_name_an_object(name)
        with self._lock:
            at = self._objects.get(name, (b"", 0))[1]
            if at != generation:
                raise Conflict(f"{name} is at generation {at}, not {generation}")
            self._last += 1
            self._objects[name] = (data, self._last)
            self._kept.setdefault(name, {})[self._last] = data
            return self._last

    def names(self, prefix: str) -> tuple[str, ...]:
        """Names of the objects that begin with `prefix`, sorted."""
        with self._lock:
            return tuple(sorted(name for name in self._objects if name.startswith(prefix)))

    def versions(self, name: str) -> tuple[Version, ...]:
        """Every version ever put, newest first."""
        with self._lock:
            kept = self._kept.get(name, {})
            return tuple(
                Version(generation, _NEVER, len(data))
                for generation, data in sorted(kept.items(), reverse=True)
            )

    def server_time(self) -> None:
        """There is no server: the clock of this machine is all there is."""

    def missing_permissions(self) -> None:
        """Nobody asks for permissions here."""

    def version(self, name: str, generation: int) -> bytes | None:
        """The bytes of one version, None when it was never put."""
        with self._lock:
            return self._kept.get(name, {}).get(generation)
