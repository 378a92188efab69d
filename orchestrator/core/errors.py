"""Every error of the orchestrator, each answering one question: what must the caller do?

    FailoverError
    ├── BadConfig      mend the configuration file; nothing was read or moved
    ├── BadEvent       acknowledge and journal the message; it will never become readable
    ├── UnsafePlan     do nothing; only a human may override, by the name of the rule
    ├── Conflict       somebody else wrote first: read again and decide again
    ├── Unavailable    a dependency did not answer: try again, then have the message redelivered
    │   ├── NoStore    the state bucket does not exist: name the right one, or create it
    │   ├── Orphaned   the load balancer carries an epoch, the document is missing: find or adopt
    │   ├── Outdated   this instance's configuration is older: only a newer instance may act
    │   └── StateLost  the state document cannot be read: the policy says whether to act without it
    └── Unverified     the change was made but not seen: the next tick looks again

A write that raised `Unavailable` may have happened. It is never assumed to have failed: whoever
catches it reads again and compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class FailoverError(Exception):
    """Root of the tree; never raised itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration file: where it is and what would be right."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class BadConfig(FailoverError):
    """The configuration cannot be used. Carries every problem found, not just the first."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"{source} cannot be used; no alert is acted on until it is mended:\n{lines}"
        )


class BadEvent(FailoverError):
    """The message can never be handled. Acknowledge it, keep its reason in the journal."""


class UnsafePlan(FailoverError):
    """The change would leave the service without traffic or break a limit of the API.

    `rule` is the name a human overrides it by.
    """

    def __init__(self, rule: str, text: str) -> None:
        self.rule = rule
        super().__init__(text)


class Conflict(FailoverError):
    """A compare-and-set lost: the object or resource is not what it was when it was read."""


class Unavailable(FailoverError):
    """A dependency failed, refused or did not answer in time.

    page: a human is needed, for no redelivery alone will cure it (a corrupt document, a missing
    permission).
    """

    def __init__(self, text: str, *, page: bool = False) -> None:
        self.page = page
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
    """The document was made with a newer configuration than this instance has. Decide nothing."""


class StateLost(Unavailable):
    """The state document cannot be read at all. A corrupt one is not lost but must be mended."""


class Unverified(FailoverError):
    """The change was sent and accepted, and what is read back is not what was asked for."""
