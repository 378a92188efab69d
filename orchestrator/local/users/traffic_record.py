"""What a record of user requests says: the outages in it, and who served when.

PURE: it reads samples and no clock. The words are those of the recovery time objective: an outage
lasts from the first failed request to the first sustained success. A success is sustained when it
begins a run of `run` successes, or a run that lasts `lasting` seconds, whichever is seen first: so
a lucky request in the middle of an outage ends nothing. Times are those at which requests were
started, on the monotonic clock, in seconds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.local.process.http_status import SUCCESS


@dataclass(frozen=True, slots=True)
class Sample:
    """One user request: started (monotonic seconds and wall clock), how long, and the outcome.

    `error` says why there is no whole answer: timeout, refused, reset, closed, or a class name.
    """

    started: float
    at: datetime
    seconds: float
    status: int | None
    error: str | None
    region: str | None

    @property
    def ok(self) -> bool:
        """True if the user was served: a whole answer with a 2xx status."""
        return self.error is None and self.status is not None and self.status in SUCCESS


@dataclass(frozen=True, slots=True)
class Outage:
    """From the first failed request to the first sustained success, or to the record's end.

    `failed` of the `requests` started within it failed.
    """

    first_failure: Sample
    recovery: Sample | None
    seconds: float
    failed: int
    requests: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of requests that one region served. `errors` counts the failures within it.

    `region` is None only for failures before the first success.
    """

    region: str | None
    first: float
    last: float
    count: int
    errors: int


def outages(samples: Sequence[Sample], run: int = 20, lasting: float = 1.0) -> tuple[Outage, ...]:
    """The outages of a record that is ordered by `started`."""
    return tuple(_outages(samples, run, lasting))


def segments(samples: Sequence[Sample]) -> tuple[Segment, ...]:
    """Who served when, for a record ordered by `started`; a failure belongs to the stretch it hits.

    With several regions serving at once the stretches are short: see `served` for their shares.
    """
    found: list[Segment] = []
    for sample in samples:
        if not found or (sample.ok and sample.region != found[-1].region):
            region = sample.region if sample.ok else None
            found.append(Segment(region, sample.started, sample.started, 0, 0))
        last = found[-1]
        count, errors = last.count + sample.ok, last.errors + (not sample.ok)
        found[-1] = replace(last, last=sample.started, count=count, errors=errors)
    return tuple(found)


def served(samples: Sequence[Sample]) -> dict[str, int]:
    """How many requests each region served successfully."""
    return dict(Counter(s.region for s in samples if s.ok and s.region is not None))


def _outages(samples: Sequence[Sample], run: int, lasting: float) -> Iterator[Outage]:
    position = _next_failure(samples, 0)
    while position < len(samples):
        end = _recovery(samples, position, run, lasting)
        within = samples[position:end]
        recovery = samples[end] if end < len(samples) else None
        until = (recovery or within[-1]).started
        failed = sum(not sample.ok for sample in within)
        first = samples[position]
        yield Outage(first, recovery, until - first.started, failed, len(within))
        position = _next_failure(samples, end)


def _next_failure(samples: Sequence[Sample], start: int) -> int:
    return next((i for i in range(start, len(samples)) if not samples[i].ok), len(samples))


def _recovery(samples: Sequence[Sample], start: int, run: int, lasting: float) -> int:
    """The index of the first sustained success after `start`, or the record's length."""
    begin = start
    for index in range(start, len(samples)):
        if not samples[index].ok:
            begin = index + 1
            continue
        seconds = samples[index].started - samples[begin].started
        if index - begin + 1 >= run or seconds >= lasting:
            return begin
    return len(samples)
