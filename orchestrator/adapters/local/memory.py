"""Objects in memory: the contract in its smallest form."""

from __future__ import annotations

import threading

from orchestrator.core.errors import Conflict


class MemoryObjects:
    """Implements `orchestrator.ports.Objects` within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._last = 0

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object's bytes and generation, or None."""
        with self._lock:
            return self._objects.get(name)

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace exactly this generation; raises Conflict when it is another."""
        with self._lock:
            at = self._objects.get(name, (b"", 0))[1]
            if at != generation:
                raise Conflict(f"{name} is at generation {at}, not {generation}")
            self._last += 1
            self._objects[name] = (data, self._last)
            return self._last
