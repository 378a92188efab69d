#!/usr/bin/env python3
"""Writes the source archive of the function: the same files, the same bytes.

    python3 deploy/package.py                       # failover.yaml -> dist/function.zip
    python3 deploy/package.py --config prod.yaml --output /tmp/function.zip

`.gcloudignore` says what goes in, as it does for `gcloud functions deploy`; the configuration goes
in as failover.yaml, whatever its name. Where it has `mirrors`, the requirements that bring their
libraries go in as requirements.txt. Times, order and permissions are fixed; nothing depends on the
clock, the umask, the locale or the folder. (Compression is zlib's: another implementation of
it makes another file of the same content.) Beside it goes its bill of materials, function.sbom.json
(sbom.py). Prints path, size and sha256 of both. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from deploy import sbom  # noqa: E402  # run as a file, its folder is what Python knows

CONFIG = "failover.yaml"
PLAIN, MIRRORED = "requirements.txt", "requirements/mirrors.txt"
_MIRRORS = re.compile(r"""^["']?mirrors["']?[ \t]*:|^\s*\{(?s:.)*"mirrors"[ \t]*:""", re.MULTILINE)
"""The field at the top of the file, or in a file that is JSON."""

LARGEST = 350_000
"""Bytes. Ours has three quarters of that; more means that something else has got in."""

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_MODE = 0o100644  # a regular file, readable by all
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of .gcloudignore, of the forms `/a/b`, `!/a/`, `name/`, `*.x`."""

    text: str

    def __post_init__(self) -> None:
        """Refuse what would be understood wrongly."""
        if "**" in self.text or "\\" in self.text or ("/" in self._bare and not self._anchored):
            raise SystemExit(f".gcloudignore: this program does not know the form {self.text}")

    @property
    def lets_in(self) -> bool:
        """Whether it takes back what a line above has left out."""
        return self.text.startswith("!")

    def matches(self, path: tuple[str, ...], *, folder: bool) -> bool:
        """Whether it is about this path, given from the root."""
        if self.text.endswith("/") and not folder:
            return False
        parts = tuple(self._bare.strip("/").split("/"))
        about = path if self._anchored else path[-1:]
        return len(about) == len(parts) and all(map(fnmatchcase, about, parts))

    @property
    def _bare(self) -> str:
        return self.text.removeprefix("!").removesuffix("/")

    @property
    def _anchored(self) -> bool:
        return self._bare.startswith("/")


def patterns(text: str) -> tuple[Pattern, ...]:
    """The lines of a .gcloudignore."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(Pattern(line) for line in lines if line and not line.startswith("#"))


def let_in(path: tuple[str, ...], lines: tuple[Pattern, ...], *, folder: bool) -> bool:
    """Whether the last line about this path lets it in, as none about it does."""
    about = [line for line in lines if line.matches(path, folder=folder)]
    return not about or about[-1].lets_in


def files(root: Path) -> dict[str, bytes]:
    """The content of every file that goes in, by its path from the root."""
    lines = patterns((root / ".gcloudignore").read_text(encoding="utf-8"))
    return {"/".join(path): root.joinpath(*path).read_bytes() for path in _walk(root, (), lines)}


def _walk(
    root: Path, inside: tuple[str, ...], lines: tuple[Pattern, ...]
) -> Iterator[tuple[str, ...]]:
    for entry in root.joinpath(*inside).iterdir():
        path = (*inside, entry.name)
        if not let_in(path, lines, folder=entry.is_dir()):
            continue
        if entry.is_dir():
            yield from _walk(root, path, lines)
        else:
            yield path


def requirements(config: str) -> str:
    """Which file of requirements a function with this configuration needs, from the root."""
    return MIRRORED if _MIRRORS.search(config) else PLAIN


def content(root: Path, config: bytes) -> dict[str, bytes]:
    """Everything that goes in with this configuration, by its path in the archive."""
    wanted = requirements(config.decode("utf-8", "replace"))
    return {**files(root), CONFIG: config, PLAIN: (root / wanted).read_bytes()}


def archive(content: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as into:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            into.writestr(entry, content[name], compresslevel=9)
    return made.getvalue()


def main(arguments: list[str]) -> int:
    """Write the archive; give the exit status."""
    parser = argparse.ArgumentParser(description="Writes the source archive of the function")
    parser.add_argument("--config", type=Path, default=ROOT / CONFIG)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "function.zip")
    wished = parser.parse_args(arguments)
    packed = content(ROOT, wished.config.read_bytes())
    data = archive(packed)
    if len(data) > LARGEST:
        sys.stderr.write(f"{len(data)} bytes, more than {LARGEST}: see .gcloudignore\n")
        return 1
    wished.output.parent.mkdir(parents=True, exist_ok=True)
    materials = sbom.bill(packed[PLAIN].decode("utf-8"), _digest(data), version(ROOT))
    made = {wished.output: data, wished.output.with_suffix(".sbom.json"): materials}
    for path, written in made.items():
        path.write_bytes(written)
    for line in _uncommitted():
        sys.stderr.write(f"not as committed: {line}\n")
    for path, written in made.items():
        sys.stdout.write(f"{path}  {len(written)} bytes  sha256 {_digest(written)}\n")
    return 0


def version(root: Path) -> str:
    """Our own version, as pyproject.toml says it."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def _uncommitted() -> list[str]:
    """What goes in and is not as in the last commit, where git can tell."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return []
    told = subprocess.run(
        [git, "-C", str(ROOT), "status", "--porcelain", "-uall", "-z", "--no-renames"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = files(ROOT)
    return [line[3:] for line in told.stdout.split("\0") if line[3:] in names]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
