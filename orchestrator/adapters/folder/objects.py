"""Objects in a folder: the embedded default for local use, `file:///some/folder`.

The object's bytes are a plain file that applications can read. Its generation is a counter, kept
beside it under `.generations/` with the digest of the bytes it counts. A file whose bytes have
another digest (edited or restored by hand, or a crash between the two writes) counts as one
generation newer, so the counter only grows and a write never overwrites what it has not seen.
Writers of all processes take one lock file; each file is replaced by an atomic rename. Documents
(names without a folder; the journal is immutable) keep their last versions under `.versions/`, as a
bucket with object versioning does.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.adapters.names import must_name_an_object, no_object_name
from orchestrator.core.exceptions import Conflict, Unavailable
from orchestrator.ports import Version

KEPT_VERSIONS = 20
"""Versions of a document that the folder keeps."""


class FileObjects:
    """Implements `orchestrator.ports.Objects` and `Archive` on a folder, made when missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object's bytes and generation, or None. Raises Unavailable."""
        with self._locked():
            return self._read(self._inside(name))

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace exactly this generation. Raises Conflict, or Unavailable when nothing is sure."""
        must_name_an_object(name)
        with self._locked():
            found = self._read(name)
            at = found[1] if found else 0
            if at != generation:
                raise Conflict(f"{name} is at generation {at}, not {generation}")
            made = max(at, self._counted(name)[0]) + 1
            self._count(name, made, data)
            self._replace(self._path(name), data)
            self._keep(name, made, data)
            return made

    def names(self, prefix: str) -> tuple[str, ...]:
        """Names of the objects that begin with `prefix`, sorted. Raises Unavailable."""
        with self._locked():
            names = (path.relative_to(self._folder) for path in self._folder.rglob("*"))
            shown = (str(name) for name in names if not any(p.startswith(".") for p in name.parts))
            files = (
                name for name in shown if name.startswith(prefix) and self._path(name).is_file()
            )
            return tuple(sorted(files))

    def versions(self, name: str) -> tuple[Version, ...]:
        """Every kept version, the live one too, newest first. Raises Unavailable."""
        with self._locked():
            live = self._read(self._inside(name))
            if live is not None:
                self._keep(name, live[1], live[0])
            found = [_version(path) for path in self._kept(name)]
            return tuple(sorted(found, key=lambda version: version.generation, reverse=True))

    def server_time(self) -> None:
        """There is no server: the clock of this machine is all there is."""

    def missing_permissions(self) -> None:
        """Nobody asks for permissions here."""

    def version(self, name: str, generation: int) -> bytes | None:
        """The bytes of one version, None when it is not kept. Raises Unavailable."""
        with self._locked():
            try:
                return (self._versions(self._inside(name)) / str(int(generation))).read_bytes()
            except FileNotFoundError:
                return None

    def _keep(self, name: str, generation: int, data: bytes) -> None:
        """Keep this version of a document, and not more than the last few."""
        path = self._versions(name) / str(generation)
        if "/" in name or path.exists():
            return
        self._replace(path, data)
        for old in sorted(self._kept(name), key=lambda path: int(path.name))[:-KEPT_VERSIONS]:
            old.unlink()

    def _kept(self, name: str) -> list[Path]:
        folder = self._versions(name)
        return (
            [path for path in folder.iterdir() if _is_counter(path.name)] if folder.exists() else []
        )

    def _versions(self, name: str) -> Path:
        return self._folder / ".versions" / name

    def _read(self, name: str) -> tuple[bytes, int] | None:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        generation, digest = self._counted(name)
        if hashlib.sha256(data).hexdigest() != digest:
            generation += 1
            self._count(name, generation, data)
        return data, generation

    def _count(self, name: str, generation: int, data: bytes) -> None:
        counter = {"generation": generation, "sha256": hashlib.sha256(data).hexdigest()}
        self._replace(self._counter(name), json.dumps(counter).encode())

    def _counted(self, name: str) -> tuple[int, str]:
        try:
            counter = json.loads(self._counter(name).read_bytes())
            return int(counter["generation"]), str(counter["sha256"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return 0, ""

    def _inside(self, name: str) -> str:
        """The name, which must lie below the folder. Raises Unavailable."""
        parts = name.split("/")
        if not name.isprintable() or any(part in {"", ".", ".."} for part in parts):
            raise no_object_name(name)
        return name

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _counter(self, name: str) -> Path:
        return self._folder / ".generations" / name

    def _replace(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(path)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise Unavailable(
                f"the state folder {self._folder} cannot be used: {error}",
                page=True,
                rule="state-folder",
            ) from error


def _is_counter(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _version(path: Path) -> Version:
    seen = path.stat()
    return Version(int(path.name), datetime.fromtimestamp(seen.st_mtime, UTC), seen.st_size)
