"""What a call through the client can raise of its own, each saying what is known of it.

    RegionError (ConnectionError)
    ├── NoHealthyRegion   no region could do it within the call's deadline
    ├── WriteRefused      the fence: nothing was sent, for no region may take this write now
    │   └── StaleDocument   nothing was sent: the document is too old to know who takes writes
    └── WriteUnknown      the write was sent and not answered: it may have happened

    HomeError (ValueError)  where a key is at home is not known: nothing was sent. A fault of the
                            program, which no repeat cures
    PatchedLate (RuntimeError)    gevent patched too late: nothing is sent in this process
    UnfitBotocore (RuntimeError)  nothing was routed: install a boto3 that this client works with

What DynamoDB itself answers (a condition that failed, a missing table, throttling that outlasted
the deadline) comes through as botocore's own `ClientError`, as from boto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Outcome(StrEnum):
    """What is known of a write that was not acknowledged. Values equal what is logged.

    NOT_SENT: it cannot have happened anywhere; sending it again is safe. UNKNOWN: it may have
    happened; read the item before sending it again.
    """

    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"


class Silence(StrEnum):
    """Why a source has no answer, as far as it is known.

    LATE: no whole answer in time. HANGING: earlier looks hang, and none was begun. DENIED: not
    permitted. MISSING: there is no document. REFUSED: it is there, and not in a form that is taken.
    FAILING: the server says that it fails.
    """

    UNKNOWN = "unknown"
    LATE = "late"
    HANGING = "hanging"
    DENIED = "denied"
    MISSING = "missing"
    REFUSED = "refused"
    FAILING = "failing"


class SourceUnavailable(Exception):
    """A source of the document did not answer, refused, or has no document. Ask again later.

    kind: it is logged once for each, whatever else the text says.
    """

    def __init__(self, text: str = "", kind: Silence = Silence.UNKNOWN) -> None:
        self.kind = kind
        super().__init__(text)


class RegionError(ConnectionError):
    """Root of the tree. A read has the `outcome` None: it changes nothing."""

    def __init__(self, text: str, outcome: Outcome | None = None) -> None:
        self.outcome = outcome
        super().__init__(text)


class NoHealthyRegion(RegionError):
    """No region could do it within the deadline. `tried`: what each said, in the order asked."""

    def __init__(
        self,
        operation: str,
        tried: Sequence[tuple[str, str]],
        outcome: Outcome | None = None,
        hint: str = "",
    ) -> None:
        self.operation = operation
        self.tried = tuple(tried)
        said = "; ".join(f"{region}: {what}" for region, what in tried) or "no region is known"
        known = {
            None: "",
            Outcome.NOT_SENT: " Outcome not-sent: nothing was written. You can safely repeat it.",
            Outcome.UNKNOWN: " Outcome unknown: it may have been written. Check before a repeat.",
        }[outcome]
        super().__init__(f"{operation}: no healthy region ({said}).{known}{hint}", outcome)


class WriteUnknown(NoHealthyRegion):
    """The write was sent, and no answer came: it may have happened."""


class WriteRefused(RegionError):
    """The fence: nothing was sent. Try again when the switch is over."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Outcome.NOT_SENT)


class StaleDocument(WriteRefused):
    """Nothing was sent: the document is too old to say who takes writes (`refuse-writes`)."""


class HomeError(ValueError):
    """`home=` gave no usable region for a request: nothing was sent. Change the program."""

    outcome = Outcome.NOT_SENT

    def __init__(self, operation: str, what: str, do: str) -> None:
        super().__init__(f"{operation}: {what}. Nothing was sent, to no region. {do}")


class PatchedLate(RuntimeError):
    """The process was patched after this client, boto3 or urllib3 was imported."""


class UnfitBotocore(RuntimeError):
    """With this botocore no call can be routed, or not safely."""
