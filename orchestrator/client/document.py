"""The region-health document as applications read it.

PURE. Applications depend on `revision`, `epoch`, `primary` and, for each region, `endpoint`,
`healthy` and `fenced_until`, and on nothing else; what else the document holds is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from orchestrator.core.endpoints import is_usable
from orchestrator.core.limits import EPOCHS, MOST_REGIONS, READ
from orchestrator.core.reading import (
    Corrupt,
    count,
    mapping,
    maybe,
    read_json,
    read_time,
    strict,
    text,
)
from orchestrator.core.shown import quoted

HIGHEST = 1 << 62
"""Of revisions: Cloud Storage's generations are far below."""


@dataclass(frozen=True, slots=True)
class RegionEntry:
    """What the document says of one region.

    endpoint: of DynamoDB, a host, or a URL where it is not `https`. fenced_until: no writes are
    sent there before that time; None: no fence.
    """

    name: str
    endpoint: str
    healthy: bool
    fenced_until: datetime | None = None

    @property
    def endpoint_url(self) -> str:
        """The endpoint with its scheme."""
        return self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}"

    def fenced(self, now: datetime) -> bool:
        """Whether writes are fenced off at that time."""
        return self.fenced_until is not None and now < self.fenced_until


@dataclass(frozen=True, slots=True)
class Document:
    """One version of the document. revision: grows with every version, also after a restore.

    regions: in the order of preference.
    """

    revision: int
    epoch: int
    primary: str
    regions: Mapping[str, RegionEntry]

    def carries(self, region: str, *, passive: bool) -> bool:
        """Whether the region is to serve users: the primary, or every healthy region."""
        if passive:
            return region == self.primary
        entry = self.regions.get(region)
        return entry is not None and entry.healthy


def read_document(data: bytes) -> Document:
    """The document in `data`. Raises Corrupt, naming the field, for anything unreadable."""
    if len(data) > READ:
        raise Corrupt(f"{len(data)} bytes, more than {READ}: that is no region document")
    try:
        document = read_json(data, READ)
    except ValueError as error:
        raise Corrupt(f"not JSON: {error}") from error
    where = "(document)"
    try:
        fields = strict(document)
        where = "revision"
        revision = _number(fields.get("revision"), HIGHEST)
        where = "epoch"
        epoch = _number(fields.get("epoch"), EPOCHS)
        where = "primary"
        primary = text(fields.get("primary"))
        where = "regions"
        found = [_region(name, entry) for name, entry in mapping(fields["regions"]).items()]
        regions = {entry.name: entry for entry in found if is_usable(entry.endpoint)}
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise Corrupt(f"{where}: {error}") from error
    if len(found) > MOST_REGIONS:
        raise Corrupt(f"regions: {len(found)} of them, more than {MOST_REGIONS}")
    if primary not in regions:
        raise Corrupt(
            f"primary: {quoted(primary)} is not one of the regions that have a usable endpoint"
            f" ({', '.join(regions)})"
        )
    return Document(revision, epoch, primary, MappingProxyType(regions))


def _region(name: str, value: object) -> RegionEntry:
    fields = strict(value)
    healthy = fields.get("healthy")
    if not isinstance(healthy, bool):
        raise TypeError(f"{quoted(name)}.healthy: {quoted(healthy)} is neither true nor false")
    return RegionEntry(
        name,
        text(fields.get("endpoint")),
        healthy,
        maybe(fields.get("fenced_until"), read_time),
    )


def _number(value: object, highest: int) -> int:
    number = count(value)
    if number >= highest:
        raise ValueError(f"{number.bit_length()} bits are more than any of ours has")
    return number
