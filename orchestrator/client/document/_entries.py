"""The region-health document as applications read it.

PURE. Applications depend on `revision`, `epoch`, `primary` and, for each region, `endpoint`,
`aws_region`, `healthy` and `fenced_until`. `evacuated` is read where the document has it: mirrors
hold the fields above alone. What else the document holds is not looked at.

Somebody who can write the document must not be able to have items and signatures sent to a host of
theirs. So an endpoint is taken only if it is a name of AWS's for DynamoDB in that region, or if the
application itself allows it. A region with another endpoint is left out: it is named, and the
others serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from orchestrator.client.allowed import Allow, never
from orchestrator.core.outside.endpoints import (
    aws_region_of,
    is_aws_region,
    is_dual_stack,
    is_dynamodb,
    origin_of,
)
from orchestrator.core.outside.limits import EPOCHS, MOST_REGIONS, READ
from orchestrator.core.outside.reading import (
    Corrupt,
    count,
    mapping,
    maybe,
    read_json,
    read_time,
    strict,
    text,
    texts,
)
from orchestrator.core.outside.shown import quoted

T = TypeVar("T")

SHOWN = 120
"""Characters that are shown of an endpoint that may not be used."""

HIGHEST = 1 << 62
"""Of revisions: Cloud Storage's generations are far below."""


@dataclass(frozen=True, slots=True)
class RegionEntry:
    """What the document says of one region.

    endpoint: of DynamoDB, a host, or a URL where it is not `https`. fenced_until: no writes are
    sent there before that time; None: no fence. stated: AWS's name of the region as the document
    has it beside the endpoint, empty where it has none. evacuated: people have taken the traffic
    away from there.
    """

    name: str
    endpoint: str
    healthy: bool
    fenced_until: datetime | None = None
    stated: str = ""
    evacuated: bool = False

    @property
    def left(self) -> bool:
        """Whether it is to be left alone while another region may be asked: down, or evacuated."""
        return self.evacuated or not self.healthy

    @property
    def endpoint_url(self) -> str:
        """The endpoint with its scheme, and with the port where boto3 takes it only so.

        boto3 refuses an endpoint that is DynamoDB's own name for IPv4 and IPv6: a switch of its own
        is to be used for that, which would let it choose the host.
        """
        url = self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}"
        return f"{url}:443" if is_dual_stack(self.endpoint) else url

    @property
    def aws_region(self) -> str:
        """The AWS region that requests are signed for."""
        return aws_region_of(self.endpoint) or self.stated or self.name

    def fenced(self, now: datetime) -> bool:
        """Whether writes are fenced off at that time."""
        return self.fenced_until is not None and now < self.fenced_until


@dataclass(frozen=True, slots=True)
class Document:
    """One version of the document. revision: grows with every version, also after a restore.

    regions: those that requests may go to, in the order of preference. refused: why each other one
    may not be used. The primary may be among them: then no writes are possible.
    """

    revision: int
    epoch: int
    primary: str
    regions: Mapping[str, RegionEntry]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every region that the document has, whether or not requests may go there."""
        return (*self.regions, *self.refused)

    def carries(self, region: str, *, passive: bool) -> bool:
        """Whether the region is to serve users: the primary, or every healthy region."""
        if passive:
            return region == self.primary
        entry = self.regions.get(region)
        return entry is not None and entry.healthy


def read_document(data: bytes, allow: Allow = never) -> Document:
    """The document in `data`. Raises Corrupt, naming the field, for anything unreadable.

    allow: what the application takes beside AWS's names of DynamoDB. A document of which no region
    at all may be used is refused too: another source, or what was known before, serves better.
    """
    fields = _fields(data)
    revision = _field(fields, "revision", partial(_number, highest=HIGHEST))
    epoch = _field(fields, "epoch", partial(_number, highest=EPOCHS))
    primary = _field(fields, "primary", text)
    evacuated = _field(fields, "evacuated", _evacuated)
    found = _field(fields, "regions", partial(_regions, allow=allow))
    _must_be_whole(primary, [entry.name for entry, _ in found])
    refused = {entry.name: why for entry, why in found if why}
    regions = {
        entry.name: replace(entry, evacuated=entry.name in evacuated)
        for entry, why in found
        if not why
    }
    if not regions:
        why = "; ".join(f"{_shown(name)}: {fault}" for name, fault in refused.items())
        raise Corrupt(f"regions: none may be used ({why})")
    return Document(revision, epoch, primary, MappingProxyType(regions), MappingProxyType(refused))


def _fields(data: bytes) -> Mapping[str, object]:
    if len(data) > READ:
        raise Corrupt(f"{len(data)} bytes, more than {READ}: that is no region document")
    try:
        document = read_json(data, READ)
    except ValueError as error:
        raise Corrupt(f"not JSON: {error}") from error
    return _read("(document)", document, strict)


def _field(fields: Mapping[str, object], name: str, read: Callable[[object], T]) -> T:
    """This field as `read` takes it. Raises Corrupt, naming it."""
    return _read(name, fields.get(name), read)


def _read(where: str, value: object, read: Callable[[object], T]) -> T:
    try:
        return read(value)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise Corrupt(f"{where}: {error}") from error


def _must_be_whole(primary: str, names: Sequence[str]) -> None:
    """Raises Corrupt for too many regions, and for a primary that is not one of them."""
    if len(names) > MOST_REGIONS:
        raise Corrupt(f"regions: {len(names)} of them, more than {MOST_REGIONS}")
    if primary not in names:
        raise Corrupt(f"primary: {quoted(primary)} is not one of the regions ({', '.join(names)})")


def _evacuated(value: object) -> frozenset[str]:
    return frozenset(maybe(value, texts) or ())


def _regions(value: object, allow: Allow) -> list[tuple[RegionEntry, str]]:
    """Each region, and why no request may go there; empty where it may."""
    return [_region(name, entry, allow) for name, entry in mapping(value).items()]


def _region(name: str, value: object, allow: Allow) -> tuple[RegionEntry, str]:
    """A region, and why no request may go there; empty where it may."""
    fields = strict(value)
    healthy = fields.get("healthy")
    if not isinstance(healthy, bool):
        raise TypeError(f"{quoted(name)}.healthy: {quoted(healthy)} is neither true nor false")
    fenced_until = maybe(fields.get("fenced_until"), read_time)
    endpoint, stated = fields.get("endpoint"), fields.get("aws_region")
    if not isinstance(endpoint, str):
        return RegionEntry(name, "", healthy, fenced_until), "its endpoint is no text"
    if stated is not None and not (isinstance(stated, str) and is_aws_region(stated)):
        entry = RegionEntry(name, endpoint, healthy, fenced_until)
        return entry, "its aws_region is not one of AWS's"
    entry = RegionEntry(name, endpoint, healthy, fenced_until, stated or "")
    return entry, _fault(entry, allow)


def _fault(entry: RegionEntry, allow: Allow) -> str:
    if is_dynamodb(entry.endpoint, entry.name, entry.stated):
        return ""
    endpoint = f"endpoint '{_shown(entry.endpoint)}'"
    if origin_of(entry.endpoint) is None:
        return f"{endpoint} is no host and no http(s) URL of one"
    try:
        allowed = allow(entry.name, entry.endpoint)
    except Exception as error:  # noqa: BLE001  # it is the application's, and one region is at stake
        return f"{endpoint} was not allowed, because allow_endpoint failed: {error!r}"
    if allowed is True:
        return ""
    return (
        f"{endpoint} is no name that AWS gives DynamoDB in {_shown(entry.stated or entry.name)},"
        " and the application does not allow it (allow_endpoint)"
    )


def _shown(text: str) -> str:
    """What somebody else wrote, for people: in ASCII alone, and cut."""
    return ascii(text[:SHOWN])[1:-1]


def _number(value: object, highest: int) -> int:
    number = count(value)
    if number >= highest:
        raise ValueError(f"{number.bit_length()} bits are more than any of ours has")
    return number
