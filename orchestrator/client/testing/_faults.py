"""What a region does instead of answering: the ways in which regions fail, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No connection comes about. Nothing is executed, and the client knows that."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Connections come about, and no answer ever comes. Nothing is executed.

    The client cannot know that: a write is `unknown`. It waits for the read timeout, on the test's
    clock.
    """


@dataclass(frozen=True, slots=True)
class LostAnswers:
    """Requests are executed, and their answers are lost: a write is done, and `unknown`."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Requests are executed, and answered after so many seconds on the test's clock.

    Beyond the read timeout the answer comes too late, as with `LostAnswers`.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """Requests are refused because there are too many. Nothing is executed.

    reason: DynamoDB's, as `TableWriteKeyRangeThroughputExceeded` (a hot key) or
    `TableWriteAccountLimitExceeded`; empty: none is given.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests are answered with an error of DynamoDB's, and not executed.

    code: as `InternalServerError`. status: of HTTP.
    """

    code: str
    status: int = 500


Fault = Unreachable | Silent | LostAnswers | Slow | Throttled | Answers
