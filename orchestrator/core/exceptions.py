"""Every error of the orchestrator, each answering one question: what must the caller do?

    FailoverError
    ├── BadConfig      fix the configuration file; nothing was read or moved
    ├── BadEvent       acknowledge and journal the message; it will never become readable
    │   └── Unknown    the same, unless a newer file is known to exist: that one may know it
    ├── Forbidden      answer 403: the request is not the deployment's own push; nothing was read
    ├── UnsafePlan     do nothing; only a human may override, by the name of the rule
    ├── Conflict       somebody else wrote first: read again and decide again
    ├── Unavailable    a dependency did not answer: try again, then have the message redelivered
    │   ├── NoStore    the state bucket does not exist: name the right one, or create it
    │   ├── Orphaned   the load balancer carries an epoch, the document is missing: find or adopt
    │   ├── Outdated   this instance's configuration is older: only a newer instance may act
    │   └── StateLost  the state document cannot be read: the policy says whether to act without it
    └── Unverified     the change was made but not seen: the next tick looks again

What an error is of, and whether a human is needed, are fields (`kind`, `cloud`, `page`, `rule`,
`regions`) and never searched for in its text. `page` with `rule` and `regions` name a condition:
`orchestrator.core.paging` makes the page of it.

A write that raised `Unavailable` may have happened. It is never assumed to have failed: code that
catches it reads again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.rule import Rule


class Kind(StrEnum):
    """What blocks, where an error comes from outside. Advice depends on it.

    unknown: nobody said. unreachable: no answer. server_error: an answer of 5xx, which
    does not tell whether a write happened. busy: asked too often; waiting
    helps. permission: the caller is known and may not. credentials: the caller has none, or they
    are not accepted. missing: what was named does not exist. request: what was asked is refused
    unchanged. corrupt: what was read cannot be used. no_topic: the file names no such topic.
    outdated: a newer configuration or version exists.
    """

    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    SERVER_ERROR = "server_error"
    BUSY = "busy"
    PERMISSION = "permission"
    CREDENTIALS = "credentials"
    MISSING = "missing"
    REQUEST = "request"
    CORRUPT = "corrupt"
    NO_TOPIC = "no_topic"
    OUTDATED = "outdated"


class Cloud(StrEnum):
    """The dependency that an error came from; `none` where it is another."""

    NONE = "none"
    STORAGE = "storage"
    COMPUTE = "compute"
    PUBSUB = "pubsub"
    MONITORING = "monitoring"
    MIRROR = "mirror"


class FailoverError(Exception):
    """Root of the tree; never raised itself.

    page: a human is needed. kind, cloud: what blocks, and where. rule, regions: with
    which condition it pages; no rule: one is made of cloud and kind. service: whose state it is, if
    that is known.
    """

    page: bool = False
    kind: Kind = Kind.UNKNOWN
    cloud: Cloud = Cloud.NONE
    rule: str = ""
    regions: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration file: where it is and what would be right."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


Found = tuple[tuple[object, ...], str]
"""A problem on its way: the steps to its place in the file, and its text."""


class BadConfig(FailoverError):
    """The configuration cannot be used. Carries every problem found, not just the first."""

    page = True
    rule = Rule.CONFIGURATION

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source} cannot be used. Alerts are ignored until it is fixed:\n{lines}")


class BadEvent(FailoverError):
    """The message can never be handled. Acknowledge it, keep its reason in the journal."""


class Unknown(BadEvent):
    """The message names a service, region, host or check that this configuration does not have."""


class Forbidden(FailoverError):
    """A request that does not come from the deployment's own push subscription.

    condition: what differs, in a word; each is a condition that pages by itself.
    """

    page = True
    kind = Kind.PERMISSION

    def __init__(self, condition: str, text: str) -> None:
        self.rule = f"push-{condition}"
        super().__init__(
            f"a request to this function was refused with 403, because {text}. Nothing was read for"
            " it and no traffic moved. Either somebody else can call this function, or its own push"
            " subscription was changed. In the second case no message of that topic is handled"
            " until subscription and function are deployed again with the same settings"
        )


class UnsafePlan(FailoverError):
    """The change would leave the service without traffic or break a limit of the API.

    rule: the name a human overrides it by. regions: that it concerns.
    """

    page = True

    def __init__(self, rule: str, text: str, regions: Iterable[str] = ()) -> None:
        self.rule = rule
        self.regions = tuple(regions)
        super().__init__(text)


class Conflict(FailoverError):
    """A compare-and-set lost: the object or resource is not what it was when it was read."""


class Unavailable(FailoverError):
    """A dependency failed, refused or did not answer in time.

    page: a human is needed, because no redelivery alone will fix it (a corrupt document, a missing
    permission). kind, cloud: what blocks it, and where. rule, regions: as of the root.
    """

    def __init__(
        self,
        text: str,
        *,
        page: bool | None = None,
        kind: Kind | None = None,
        cloud: Cloud | None = None,
        rule: str = "",
        regions: Iterable[str] = (),
        service: str = "",
    ) -> None:
        self.page = type(self).page if page is None else page
        self.kind = kind or type(self).kind
        self.cloud = cloud or type(self).cloud
        self.rule = rule or type(self).rule
        self.service = service
        self.regions = tuple(regions)
        super().__init__(text)


class NoStore(Unavailable):
    """The place of the state does not exist: a bucket that is missing, not one without an object.

    That is an answer and no loss of the state: nothing is made in its place, and nothing acts
    without it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, page=True)


class Orphaned(Unavailable):
    """The load balancer carries a mark of this service, and there is no state document.

    Somebody decided that epoch from a document, so this is no fresh start: the configuration names
    another place than it was in, or it was deleted. Nothing is created until a human says so.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, page=True)


class Outdated(Unavailable):
    """A newer configuration or version than this instance's made the document. Decide nothing.

    A newer instance takes the redelivery. If none exists, nobody decides, so it pages: at once when
    something was asked, and after `paging.ROLLOUT` when only ticks find it.
    """

    page = True
    kind = Kind.OUTDATED
    rule = Rule.OUTDATED


class StateLost(Unavailable):
    """The state document cannot be read at all. A corrupt one is not lost but must be fixed."""

    cloud = Cloud.STORAGE


class Withheld(Unavailable):
    """The decision that was made from the document is to hold, and then the state was lost.

    Nothing moves without the state against a refusal that was read from it.
    """


class Unverified(FailoverError):
    """The change was sent and accepted, and what is read back is not what was asked for."""
