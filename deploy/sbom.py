"""The bill of materials of the source archive, in CycloneDX's JSON.

Made of the requirements that lie in the archive: each version with the hashes that pip accepts, and
what asks for what, by the `via` lines of pip-compile. The same archive gives the same bytes, so
there is no time in it, and its serial number is derived from the archive. Standard library only.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAME = "region-failover-orchestrator"
SPECIFICATION = "1.6"

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^    #(?: via|  ) *(\S+)")

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Pin:
    """One version. hashes: of its files, any of which pip takes. via: who asks for it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{_normal(self.name)}@{self.version}"


def pins(text: str) -> tuple[Pin, ...]:
    """The versions in a compiled file. Raises ValueError for one without a hash."""
    found = tuple(_pins(text.splitlines()))
    bare = [pin.name for pin in found if not pin.hashes]
    if bare:
        raise ValueError(f"without a hash: {', '.join(bare)}")
    return found


def bill(text: str, digest: str, version: str) -> bytes:
    """The document. text: requirements. digest: the archive's sha256. version: ours."""
    found, root = pins(text), f"pkg:generic/{NAME}@{version}?checksum=sha256:{digest}"
    made: Json = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, root).urn,
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": root, "name": NAME, "version": version,
            "licenses": [{"license": {"id": "Apache-2.0"}}], "hashes": [_hash(digest)],
        }},
        "components": [_component(pin) for pin in found],
        "dependencies": [
            {"ref": root, "dependsOn": _asked_by(None, found)},
            *({"ref": pin.purl, "dependsOn": _asked_by(pin, found)} for pin in found),
        ],
    }  # fmt: skip
    return (json.dumps(made, indent=2, sort_keys=True) + "\n").encode()


def _pins(lines: list[str]) -> Iterator[Pin]:
    starts = [number for number, line in enumerate(lines) if _PIN.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        pin = _PIN.match(lines[start])
        assert pin
        block = lines[start:end]
        hashes = _HASH.findall("\n".join(block))
        via = [found[1] for line in block if (found := _VIA.match(line)) and found[1] != "via"]
        yield Pin(pin[1], pin[2], tuple(sorted(hashes)), tuple(via))


def _component(pin: Pin) -> Mapping[str, object]:
    files = {"type": "distribution", "url": pin.purl, "hashes": [_hash(one) for one in pin.hashes]}
    comment = "any one of these files is what pip installs"
    return {
        "type": "library", "bom-ref": pin.purl, "purl": pin.purl, "name": pin.name,
        "version": pin.version, "externalReferences": [{**files, "comment": comment}],
    }  # fmt: skip


def _hash(digest: str) -> Json:
    return {"alg": "SHA-256", "content": digest}


def _asked_by(asker: Pin | None, found: tuple[Pin, ...]) -> list[str]:
    """What this version asks for; None: what we ask for."""
    name = asker.name if asker else NAME
    return sorted(pin.purl for pin in found if _normal(name) in map(_normal, pin.via))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().partition("[")[0]
