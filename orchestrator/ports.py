"""What the flow and the tools need of the world: small Protocols.

Each implementation is held to the same contract by one suite in `tests/contracts/`. Every method
has its own deadline, well below the function's, and raises only the errors of
`orchestrator.core.exceptions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.core.model import Json, Probe, Role, Routing
from orchestrator.core.policy import Region


class Objects(Protocol):
    """Small objects with generations: Google Cloud Storage, a folder, or memory."""

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object's bytes and generation; None when there is none. Raises Unavailable."""

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace exactly this generation (0: create) and give the new one, which is higher.

        Raises Conflict when the object is at another generation. Raises Unavailable when it is not
        known whether the write happened: read again and compare.
        """

    def names(self, prefix: str) -> tuple[str, ...]:
        """Names of the objects that begin with `prefix`, sorted. Never on the path.

        Raises Unavailable.
        """


@dataclass(frozen=True, slots=True)
class Version:
    """One kept version of an object. at: when it was written."""

    generation: int
    at: datetime
    size: int


class Archive(Objects, Protocol):
    """What the state folder keeps beside the live objects. For tools, never for the pipeline."""

    def versions(self, name: str) -> tuple[Version, ...]:
        """Every kept version of the object, the live one too, newest first. Raises Unavailable."""

    def version(self, name: str, generation: int) -> bytes | None:
        """The bytes of one version, None when it is not kept. Raises Unavailable."""

    def missing_permissions(self) -> tuple[str, ...] | None:
        """What the pipeline needs on this folder and these credentials may not; None: unknown.

        Raises Unavailable.
        """


class Dated(Protocol):
    """A server that tells its time with each answer."""

    def server_time(self) -> datetime | None:
        """The server's time now, by the `Date` of its last answer and to about a second.

        None before the first answer, and where there is no server. Sends nothing.
        """


class Store(Archive, Dated, Protocol):
    """A state folder: its objects, what it keeps of them, and its time."""


class Topic(Protocol):
    """A Pub/Sub topic that we publish to."""

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish one message and give its id. Raises Unavailable."""

    def exists(self) -> bool:
        """Whether the topic is there. Raises Unavailable."""


class Traffic(Dated, Protocol):
    """The backend service that carries a service's traffic."""

    def read(self, name: str) -> Routing:
        """The resource with its fingerprint. Raises Unavailable."""

    def patch(self, name: str, body: Json) -> str:
        """Send one change, guarded by the fingerprint in it; give the operation's name.

        Raises Conflict on a stale fingerprint (412), Unavailable when it is busy, limited, refused
        or not known whether it was taken.
        """

    def wait(self, operation: str) -> None:
        """Return when the operation is done. Raises Unavailable with its error, or on deadline."""

    def kinds(self, groups: Iterable[str]) -> Mapping[str, str]:
        """Types of regional network endpoint groups, by group; off the hot path.

        Raises Unavailable.
        """

    def healthy(self, name: str, groups: Iterable[str]) -> Mapping[str, int]:
        """How many endpoints of each group the load balancer itself finds healthy.

        Off the hot path. A group that it says nothing about is left out. Raises Unavailable.
        """

    def missing_permissions(self, name: str) -> tuple[str, ...] | None:
        """What the pipeline needs on this resource and these credentials may not; None: unknown.

        For tools. Raises Unavailable.
        """


class Prober(Protocol):
    """Our own look at the regions: at their health URLs, and at what they say of their role."""

    def probe(self, regions: Iterable[Region]) -> Mapping[str, Probe]:
        """One answer for each region, all asked at once, within the timeout. Never raises."""

    def roles(self, regions: Iterable[Region]) -> Mapping[str, Role]:
        """What each region says that it is, asked in the same way. Never raises."""


class Checks(Protocol):
    """What Cloud Monitoring's uptime checks have seen of the regions."""

    def verdicts(self, regions: Iterable[Region], now: datetime) -> Mapping[str, Probe]:
        """One answer for each region by the checks' newest results. Never raises."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number to be watched. labels: which of its kind it is."""

    name: str
    value: int
    labels: Mapping[str, str]


class Gauges(Protocol):
    """Where numbers are written so that somebody can be alerted when they stop coming."""

    def write(self, gauges: Iterable[Gauge], now: datetime) -> None:
        """Write one point for each. Raises Unavailable, also when some were refused."""


class Mirror(Protocol):
    """A place that applications can read the document from, beside its bucket.

    What lies there never becomes older: a lower revision is not written over a higher one, unless
    the higher one was found to be no revision of the document (`replace`).
    """

    @property
    def name(self) -> str:
        """For messages: what and where, without secrets."""

    def publish(self, service: str, revision: int, document: bytes) -> int:
        """Put the service's document there unless a higher revision is there.

        Gives the revision that lies there now. Another document of the same revision is written
        over. Raises Unavailable when that is not certain.
        """

    def replace(self, service: str, ahead: int, revision: int, document: bytes) -> bool:
        """Put the document over exactly the revision `ahead`, which is not one of the document's.

        Gives whether that lay there still. Raises Unavailable when that is not certain.
        """

    def revision(self, service: str) -> int | None:
        """The revision of what lies there, None for nothing. Raises Unavailable."""


class Signatures(Protocol):
    """Who can say whether Google signed a token."""

    def signed(self, token: str) -> bool:
        """Whether Google signed it, and it is valid now. Raises Unavailable: not known."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding of an IAM policy. condition: its expression; empty: it always holds."""

    role: str
    members: tuple[str, ...]
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Pushing:
    """A push subscription of a topic. identity: whose token it sends; empty: it sends none."""

    name: str
    url: str
    identity: str


Grants = tuple[Grant, ...]


class Access(Protocol):
    """IAM policies, as far as these credentials may read them. For tools, never for the pipeline.

    None in place of a policy: there is no IAM there, as with an emulator. Everything raises
    Unavailable, which names the permission that is missing where that is why.
    """

    def on_topic(self, topic: str) -> Grants | None:
        """The policy of a topic of the project, by its short name."""

    def on_bucket(self) -> Grants | None:
        """The policy of the bucket that the state is in."""

    def on_function(self, service: str) -> Grants | None:
        """The policy of a Cloud Run service, by its whole name."""

    def is_open(self, service: str) -> bool:
        """Whether Cloud Run asks nobody who calls this service, whatever its policy says."""

    def on_project(self) -> Grants | None:
        """The project's policy, which all of them inherit; not the folder's, not the company's."""

    def pushing(self, topic: str) -> tuple[Pushing, ...] | None:
        """The push subscriptions of a topic, by its short name."""

    def behind(self, url: str) -> str:
        """The whole name of the Cloud Run service at this URL; empty: none of the project's."""


class Log(Protocol):
    """One structured line."""

    def __call__(self, severity: str, message: str, **fields: object) -> None:
        """severity: Cloud Logging's. fields: JSON-ready values beside the message."""
