"""The document in a local file, or one on a file system that is mounted.

The writer's way is an atomic rename (write beside it, then `os.replace`): then a look sees the old
document or the new one, never half of one.
"""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.client.document import Fetched
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.sources._fetching import LARGEST, WHOLE, Looking, too_large


class FileSource:
    """Implements `orchestrator.client.document.Source`. seconds: for a whole look."""

    def __init__(self, path: Path | str, *, seconds: float = WHOLE) -> None:
        self._path = Path(path)
        self._looking = Looking[Fetched | None](seconds)  # a mounted file system can hang

    @property
    def name(self) -> str:
        """For messages: the file as a URL."""
        return f"file://{self._path}"

    def fetch(self, known: str | None) -> Fetched | None:
        """The file, or None when it still is the one that `known` marks."""
        return self._looking.look(lambda: self._read(known))

    def _read(self, known: str | None) -> Fetched | None:
        try:
            with self._path.open("rb") as file:  # mark and body of one and the same file
                stat = os.fstat(file.fileno())
                mark = f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"
                if mark == known:
                    return None
                body = file.read(LARGEST + 1)
        except FileNotFoundError as error:
            raise SourceUnavailable(
                "there is no such file: nothing has written it yet, or the path is wrong",
                Silence.MISSING,
            ) from error
        except OSError as error:
            raise SourceUnavailable(
                f"it cannot be read ({error.strerror}): check the path and its permissions",
                Silence.DENIED,
            ) from error
        if len(body) > LARGEST:
            raise too_large()
        return Fetched(body, mark)
