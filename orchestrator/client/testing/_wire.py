"""Between a region's client and DynamoDB (moto's): what the test has the region do happens here.

Two of botocore's events carry it. `before-send`, before moto's own handler, keeps a request from
being executed. `before-parse`, after it, takes its answer away. Both come in the thread that makes
the attempt, so what the second one has to know is kept for the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from orchestrator.client._calls.routed import Answered
from orchestrator.client._regions import attempt
from orchestrator.client.testing._faults import (
    Answers,
    Fault,
    LostAnswers,
    Silent,
    Slow,
    Throttled,
    Unreachable,
)
from orchestrator.core.outside.endpoints import aws_region_of, default_endpoint

if TYPE_CHECKING:
    from boto3 import Session

CLIENT_ERROR = 400


class TestClock:
    """The time of a test: real time, and the seconds that were skipped. Thread-safe."""

    __test__ = False  # pytest: no test

    def __init__(self) -> None:
        self.skipped = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds, as `time.monotonic`."""
        return time.monotonic() + self.skipped

    def now(self) -> datetime:
        """The time, with which fences are compared."""
        return datetime.now(UTC) + timedelta(seconds=self.skipped)  # noqa: TID251  # a test's own

    def skip(self, seconds: float) -> None:
        """So much time passes, at once."""
        with self._lock:
            self.skipped += seconds


@dataclass(slots=True)
class Ordered:
    """A fault that is ordered. only: operations, as `put_item`; empty: all. left: calls; None: no
    end."""

    fault: Fault
    only: frozenset[str] = frozenset()
    left: int | None = None


class Faults:
    """What each region is to do, and which calls came to it. Thread-safe.

    The client's own probes meet the faults too, and neither count nor use them up.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self._ordered: dict[str, Ordered] = {}
        self._lock = threading.Lock()

    def order(self, region: str, fault: Fault, only: Collection[str], times: int | None) -> None:
        """From now on. Replaces what was ordered before."""
        with self._lock:
            self._ordered[region] = Ordered(fault, frozenset(only), times)

    def clear(self, region: str) -> None:
        """It is well."""
        with self._lock:
            self._ordered.pop(region, None)

    def meet(self, region: str, operation: str) -> Fault | None:
        """What happens to this request."""
        counts = attempt.is_calls()
        with self._lock:
            if counts:
                self.asked.append((region, operation))
            ordered = self._ordered.get(region)
            if ordered is None or (ordered.only and operation not in ordered.only):
                return None
            if ordered.left is not None and counts:
                ordered.left -= 1
                if not ordered.left:
                    del self._ordered[region]
            return ordered.fault


class Wire:
    """What a client's requests pass. patience: the client's read timeout, in seconds.

    shared: the region whose table all regions have; None: each has its own.
    """

    def __init__(
        self, faults: Faults, clock: TestClock, patience: float, shared: str | None
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._patience = patience
        self._shared = shared
        self._current = threading.local()

    def session(self) -> Session:
        """A boto3 Session whose clients send through here. Its keys are none."""
        import boto3

        made = boto3.Session(
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106  # no key
            region_name=self._shared or "us-east-1",
        )
        made.events.register_first("before-send.dynamodb", self.send)
        made.events.register_first("before-parse.dynamodb", self.receive)
        return made

    def send(self, request: Any, event_name: str, **_: object) -> None:
        """Raises what keeps this request from being executed."""
        host = str(urlsplit(request.url).hostname)
        region = aws_region_of(host) or host
        operation = event_name.rpartition(".")[2]
        fault = self._faults.meet(region, xform_name(operation))
        self._current.fault = fault
        match fault:
            case Unreachable():
                raise EndpointConnectionError(endpoint_url=request.url)
            case Silent():
                raise self._too_late(request.url)
            case Throttled(reason):
                raise _answered(operation, "ThrottlingException", CLIENT_ERROR, reason)
            case Answers(code, status):
                raise _answered(operation, code, status)
            case LostAnswers() | Slow() | None:
                if self._shared is not None:
                    request.url = request.url.replace(host, default_endpoint(self._shared))
            case _:
                assert_never(fault)

    def receive(self, **_: object) -> None:
        """Raises where the answer does not arrive, or too late."""
        match getattr(self._current, "fault", None):
            case LostAnswers():
                raise self._too_late("the answer was lost")
            case Slow(seconds):
                if seconds > self._limit():
                    raise self._too_late("the answer came too late")
                self._clock.skip(seconds)
            case _:
                pass

    def _limit(self) -> float:
        """Seconds that this attempt waits for an answer."""
        given = attempt.seconds()
        return self._patience if given is None else min(given, self._patience)

    def _too_late(self, what: str) -> ReadTimeoutError:
        self._clock.skip(self._limit())
        return ReadTimeoutError(endpoint_url=what, error="timed out")


def _answered(operation: str, code: str, status: int, reason: str = "") -> Answered:
    """DynamoDB's answer with this error."""
    parsed: dict[str, Any] = {
        "Error": {"Code": code, "Message": "the test has it say so"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0},
    }
    if reason:
        parsed["ThrottlingReasons"] = [{"reason": reason, "resource": "arn:aws:dynamodb:test"}]
    return Answered(
        AWSResponse("https://region.invalid", status, HTTPHeaders(), None), parsed, operation
    )
