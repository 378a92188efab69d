"""The document in memory: what the orchestrator keeps in its bucket, written by a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.client.document import Fetched
from orchestrator.client.errors import SourceUnavailable
from orchestrator.core.outside.endpoints import default_endpoint


class MemorySource:
    """Implements `orchestrator.client.document.Source`. body: the document; None: there is none.

    lost: while true, it does not answer.
    """

    name = "memory://document"

    def __init__(self, body: bytes | None = None) -> None:
        self.lost = False
        self._held = (0, body)
        self._lock = threading.Lock()

    def put(self, body: bytes | None) -> None:
        """Replace the document."""
        with self._lock:
            self._held = (self._held[0] + 1, body)

    def fetch(self, known: str | None) -> Fetched | None:
        """The document, or None while it is the one that `known` marks."""
        number, body = self._held
        if self.lost:
            raise SourceUnavailable("the test has it not answer")
        if body is None:
            raise SourceUnavailable("the test has put no document there")
        mark = str(number)
        return None if mark == known else Fetched(body, mark)


@dataclass(frozen=True, slots=True)
class Written:
    """What the document says, as far as applications read it.

    regions: AWS's names, in the order of preference. fenced: until when no writes go there.
    """

    regions: tuple[str, ...]
    primary: str
    revision: int = 1
    epoch: int = 1
    down: frozenset[str] = frozenset()
    fenced: Mapping[str, datetime] = field(default_factory=dict)

    def moved(self, to: str, down: frozenset[str]) -> Written:
        """After a move: a new epoch, and no fence."""
        return replace(
            self,
            primary=to,
            revision=self.revision + 1,
            epoch=self.epoch + 1,
            down=down,
            fenced={},
        )

    def body(self) -> bytes:
        """As it lies in the bucket."""
        regions = {
            name: {
                "endpoint": default_endpoint(name),
                "healthy": name not in self.down,
                "fenced_until": until.isoformat() if (until := self.fenced.get(name)) else None,
            }
            for name in self.regions
        }
        content = {
            "revision": self.revision,
            "epoch": self.epoch,
            "primary": self.primary,
            "regions": regions,
        }
        return json.dumps(content).encode()
