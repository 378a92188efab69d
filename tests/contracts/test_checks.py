"""One contract for every implementation of the port `Checks`: the fake, and Google's client."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.checks import UptimeChecks
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.health.second import Sight
from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Region
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.rpc.permissions import IamRole
from orchestrator.ports import Checks
from tests.support.fakes import FakeChecks
from tests.support.metrics import REGIONS, Watched, serving

EAST, WEST, EU = REGIONS


PATIENT = 60.0
"""Seconds for an answer that comes: none is decided by how busy the machine is."""


def region(name: str) -> Region:
    """A region as configured, with its check's id."""
    url = f"http://{name}.example.com:8080/healthz"
    return Region(name, f"dynamodb.{name}.amazonaws.com", url, f"checkout-{name}-x1", ())


ALL = tuple(region(name) for name in REGIONS)
HOST_ONLY = tuple(replace(one, check_id=None) for one in ALL)


@dataclass
class Made:
    """One implementation, and how its checks come to find something."""

    checks: Checks
    tell: Callable[[str, int, int, float], None]

    def verdict(self, name: str) -> Probe:
        """What is said of one region, all of them being asked for."""
        return self.checks.verdicts(ALL, datetime.now(UTC))[name]


def _fake(_: ExitStack) -> Made:
    made = FakeChecks()
    made.sights = {name: [] for name in REGIONS}

    def tell(name: str, passing: int, failing: int, ago: float) -> None:
        at = datetime.now(UTC) - timedelta(seconds=ago)
        told = [True] * passing + [False] * failing
        made.sights[name] += [Sight(str(n), at, passed) for n, passed in enumerate(told)]

    return Made(made, tell)


def _api(life: ExitStack) -> Made:
    watched = Watched()
    host = life.enter_context(serving(watched)).host
    checks = UptimeChecks("laptop", AnonymousCredentials, host, PATIENT)
    return Made(checks, lambda name, p, f, ago: watched.tell(name, passing=p, failing=f, ago=ago))


@pytest.fixture(params=[_fake, _api], ids=["fake", "api"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    with ExitStack() as life:
        yield request.param(life)


def test_every_region_has_an_answer_by_its_own_check(made: Made) -> None:
    made.tell(EAST, 0, 6, 1)
    made.tell(WEST, 6, 0, 1)
    found = made.checks.verdicts(ALL, datetime.now(UTC))
    assert {name: probe.verdict for name, probe in found.items()} == {
        EAST: Verdict.FAILING,
        WEST: Verdict.HEALTHY,
        EU: Verdict.SILENT,
    }
    assert found[EU].detail == "no data"


@pytest.mark.parametrize(
    ("passing", "failing", "detail"),
    [
        (5, 1, "5 of 6 checker locations pass"),
        (4, 2, "2 of 6 checker locations fail"),
        (1, 0, "1 of 1 checker locations pass: too few to decide"),
    ],
)
def test_the_threshold_is_the_alerts(made: Made, passing: int, failing: int, detail: str) -> None:
    made.tell(EAST, passing, failing, 1)
    assert made.verdict(EAST).detail == detail


def test_the_newest_result_counts(made: Made) -> None:
    made.tell(EAST, 0, 6, 60)
    made.tell(EAST, 6, 0, 1)
    assert made.verdict(EAST).verdict is Verdict.HEALTHY
    made.tell(EAST, 0, 6, 0.5)
    assert made.verdict(EAST).verdict is Verdict.FAILING


def test_what_is_older_than_five_minutes_does_not_count(made: Made) -> None:
    made.tell(EAST, 0, 6, 301)
    assert made.verdict(EAST) == Probe(Verdict.SILENT, "no data")
    made.tell(EAST, 0, 6, 290)
    assert made.verdict(EAST).verdict is Verdict.FAILING


# --- Google's client alone ------------------------------------------------------------------------


def verdict(checks: UptimeChecks, one: Region) -> Probe:
    """What is said of this region."""
    return checks.verdicts([one], datetime.now(UTC))[one.name]


def test_a_check_is_found_by_the_host_where_no_id_is_configured() -> None:
    watched = Watched()
    watched.tell(EAST, passing=0, failing=3)
    watched.tell(WEST, passing=6, failing=0)
    with serving(watched) as service:
        checks = UptimeChecks("laptop", AnonymousCredentials, service.host, PATIENT)
        found = checks.verdicts(HOST_ONLY, datetime.now(UTC))
    assert [probe.verdict for probe in found.values()] == [
        *(Verdict.FAILING, Verdict.HEALTHY, Verdict.SILENT),
    ]


def test_two_checks_of_one_host_are_not_taken_for_one() -> None:
    watched = Watched()
    for name in (EAST, WEST):
        check = replace(watched.monitoring._watches[name].check, host="one.example.com")
        watched.monitoring._watches[name].check = check
        watched.tell(name, passing=6, failing=0)
    one = Region(EAST, "", "https://one.example.com/healthz", None, ())
    with serving(watched) as service:
        checks = UptimeChecks("laptop", AnonymousCredentials, service.host, PATIENT)
        found = verdict(checks, one)
        named = verdict(checks, replace(one, check_id=f"checkout-{EAST}-x1"))
    assert found.verdict is Verdict.SILENT
    assert "name a check_id" in found.detail
    assert named.verdict is Verdict.HEALTHY


def test_a_region_with_neither_id_nor_url_is_not_asked_for() -> None:
    checks = UptimeChecks("laptop", AnonymousCredentials, f"{HOST}:{free_port()}", PATIENT)
    found = verdict(checks, Region(EAST, "", None, None, ()))
    assert found == Probe(Verdict.SILENT, "neither check_id nor health_url")


def test_a_service_that_is_gone_is_silence_with_its_reason() -> None:
    found = verdict(
        UptimeChecks("laptop", AnonymousCredentials, f"{HOST}:{free_port()}", PATIENT), region(EAST)
    )
    assert found.verdict is Verdict.SILENT
    assert found.detail.startswith("Monitoring: ServiceUnavailable")


def test_what_is_refused_is_silence_with_its_reason() -> None:
    watched = Watched()
    watched.service.role = IamRole(())
    with serving(watched) as service:
        found = verdict(
            UptimeChecks("laptop", AnonymousCredentials, service.host, PATIENT), region(EAST)
        )
    assert found.verdict is Verdict.SILENT
    assert "monitoring.timeSeries.list" in found.detail


def test_credentials_that_cannot_be_had_are_silence_with_their_reason() -> None:
    def none() -> None:
        raise Unavailable("no Google credentials: nobody is here", page=True)

    found = verdict(UptimeChecks("laptop", none, None, PATIENT), region(EAST))
    assert found.verdict is Verdict.SILENT
    assert "no Google credentials" in found.detail


def test_a_service_that_never_answers_is_silence_by_the_deadline() -> None:
    """A port that takes connections and says nothing."""
    with socket.create_server((HOST, 0)) as mute:
        checks = UptimeChecks("laptop", AnonymousCredentials, f"{HOST}:{mute.getsockname()[1]}")
        found = checks.verdicts(ALL, datetime.now(UTC))
    assert {probe.verdict for probe in found.values()} == {Verdict.SILENT}
    for probe in found.values():  # our own bound, or the library's, which is the same
        assert "no answer within" in probe.detail or "DeadlineExceeded" in probe.detail
