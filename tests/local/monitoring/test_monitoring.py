"""Detection on real regions: what uptime checks see, and what is told of it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

import pytest

from orchestrator.local.monitoring.alert_policy import Closure
from orchestrator.local.monitoring.monitoring import Monitoring, Vantage
from orchestrator.local.process.ask import answers
from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.process.wait import wait_until
from orchestrator.local.region.region import LocalRegion

pytestmark = pytest.mark.world

EAST, WEST = "us-east-1", "us-west-2"
PACE = 150.0  # a period of 60 s is 0.4 s here
PERIOD = 60 / PACE


class Knobs(TypedDict, total=False):
    """What a test may set."""

    auto_close: float
    alignment: float
    renotify: float


@dataclass
class Inbox:
    """Who is notified: takes what is published, and can hold it up."""

    notifications: list[dict[str, Any]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def publish(self, notification: dict[str, Any]) -> None:
        """What `Monitoring` calls."""
        self.open.wait(10)
        self.notifications.append(notification["incident"])

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The incidents of the notifications, once there are that many."""
        wait_until(lambda: len(self.notifications) >= count, 8, f"{count} notifications")
        return self.notifications.copy()

    def states(self) -> list[str]:
        """The states in the order in which they were published."""
        return [str(incident["state"]) for incident in self.notifications]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LocalRegion]]:
    """Two regions for all tests."""
    folder = tmp_path_factory.mktemp("regions")
    with ExitStack() as stack:
        regions = {name: LocalRegion(name, folder) for name in (EAST, WEST)}
        for region in regions.values():
            stack.callback(region.stop)
            region.start()
        yield regions


@pytest.fixture
def regions(started: dict[str, LocalRegion]) -> Iterator[dict[str, LocalRegion]]:
    """Both of them well, before and after the test."""
    yield started
    started[WEST].behave(health_status=200)
    if not answers(started[EAST].health_url, 0.3):
        started[EAST].kill()
        started[EAST].start()


@pytest.fixture
def inbox() -> Inbox:
    """An inbox that takes everything at once."""
    inbox = Inbox()
    inbox.open.set()
    return inbox


def watch(regions: dict[str, LocalRegion], inbox: Inbox, **knobs: Unpack[Knobs]) -> Monitoring:
    """Monitoring of these regions; a long timeout, for busy machines."""
    urls = {name: region.health_url for name, region in regions.items()}
    return Monitoring(urls, "checkout", inbox.publish, pace=PACE, timeout=60, **knobs)


def wait_a_period(monitoring: Monitoring, times: int = 1) -> None:
    """Wait until every checker location has asked every region (that is heard of) once more."""
    seen = len(monitoring.results)
    monitoring.wait_for_results(lambda r: len(r) >= seen + 12 * times, 8, "a round of checks")


def test_all_vantage_points_ask_every_region_evenly(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """Each of the six asks each region once a period, staggered; nobody is told of good health."""
    with watch(regions, inbox) as monitoring:
        wait_a_period(monitoring, 3)
    results = monitoring.results
    first = results[:12]
    assert {(r.vantage, r.region) for r in first} == {(v, n) for v in Vantage for n in regions}
    assert {(r.passed, r.detail) for r in results} == {(True, "200")}
    assert first[-1].at - first[0].at > timedelta(seconds=PERIOD * 0.7)
    assert (inbox.notifications, monitoring.incidents) == ([], ())


def test_a_killed_region_opens_one_incident(regions: dict[str, LocalRegion], inbox: Inbox) -> None:
    """It opens when the duration has passed, names the region, and is not opened again."""
    with watch(regions, inbox) as monitoring:
        wait_a_period(monitoring)
        killed = datetime.now(UTC)
        regions[EAST].kill()
        found = monitoring.wait_for_open(EAST, 30)
        wait_a_period(monitoring, 3)
    (incident,) = inbox.notifications
    assert incident["policy_user_labels"]["region"] == EAST
    assert (incident["state"], incident["incident_id"]) == ("open", found.incident_id)
    assert incident["started_at"] == int(found.started_at.timestamp())
    assert float(incident["observed_value"]) >= 2
    assert "renotify" not in incident
    assert monitoring.incidents == (found,)
    took = (found.started_at - killed).total_seconds()
    assert took > PERIOD


def test_a_hung_region_and_one_that_says_it_is_ill_are_failures(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """Neither silence nor a status other than 2xx passes; a redirection is not followed."""
    with watch(regions, inbox) as monitoring:
        for status in (302, 503):
            regions[WEST].behave(health_status=status)
            monitoring.wait_for_results(
                lambda results, s=str(status): any(r.detail == s for r in results),  # type: ignore[misc]
                8,
                f"a result of {status}",
            )
        regions[WEST].behave(health_status=204)
        wait_a_period(monitoring)
        regions[EAST].hang()
        monitoring.wait_for_open(EAST, 30)
    found = {(r.detail, r.passed) for r in monitoring.results}
    assert {("302", False), ("503", False), ("204", True), ("timeout", False)} <= found


def test_one_vantage_point_that_is_cut_off_opens_nothing_and_two_do(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """More than one must fail: that is what a threshold of 1 means. Mending closes it."""
    with watch(regions, inbox) as monitoring:
        monitoring.cut(Vantage.EUROPE, EAST)
        wait_a_period(monitoring, 3)
        assert inbox.notifications == []
        monitoring.cut(Vantage.USA_IOWA, EAST)
        monitoring.wait_for_open(EAST, 30)
        assert float(inbox.wait(1)[0]["observed_value"]) == 2
        monitoring.mend(Vantage.EUROPE, EAST)
        assert monitoring.wait_for_closed(EAST, 30).why is Closure.RECOVERED
    failed = [r for r in monitoring.results if not r.passed]
    assert {(r.vantage, r.region, r.detail) for r in failed} == {
        (Vantage.EUROPE, EAST, "cut off"),
        (Vantage.USA_IOWA, EAST, "cut off"),
    }


def test_a_recovery_closes_with_the_same_id(regions: dict[str, LocalRegion], inbox: Inbox) -> None:
    """Open and close carry one id and one start, and the close an end."""
    with watch(regions, inbox) as monitoring:
        regions[EAST].kill()
        found = monitoring.wait_for_open(EAST, 30)
        regions[EAST].start()
        ended = monitoring.wait_for_closed(EAST, 30)
        first, last = inbox.wait(2)
    assert inbox.states() == ["open", "closed"]
    assert first["incident_id"] == last["incident_id"] == found.incident_id == ended.incident_id
    assert first["started_at"] == last["started_at"] <= last["ended_at"]
    assert (first["ended_at"], ended.why) == (None, Closure.RECOVERED)


@pytest.mark.long
def test_lost_telemetry_closes_the_incident_of_a_dead_region(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """The close looks like a recovery, the region is dead; when it is seen again, it opens."""
    with watch(regions, inbox, alignment=180, auto_close=240) as monitoring:
        regions[EAST].kill()
        monitoring.wait_for_open(EAST, 30)
        monitoring.lose(EAST)
        last = [r for r in monitoring.results if r.region == EAST][-1]
        ended = monitoring.wait_for_closed(EAST, 30)
        assert inbox.wait(2)[-1]["state"] == "closed"
        assert [r for r in monitoring.results if r.region == EAST][-1] == last
        monitoring.regain(EAST)
        assert monitoring.wait_for_open(EAST, 30).incident_id != ended.incident_id
    assert (ended.why, last.passed) == (Closure.NO_DATA, False)
    assert ended.ended_at is not None
    assert ended.ended_at - last.at >= timedelta(seconds=240 / PACE)


def test_an_open_incident_is_told_again_as_a_repetition(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """Repetitions have the id of their open, are open, and say that they are repetitions."""
    with watch(regions, inbox, renotify=60) as monitoring:
        monitoring.cut(Vantage.EUROPE, EAST)
        monitoring.cut(Vantage.USA_IOWA, EAST)
        told = inbox.wait(3)
    assert [incident.get("renotify") for incident in told[:3]] == [None, True, True]
    assert len({incident["incident_id"] for incident in told}) == 1
    assert {incident["state"] for incident in told} == {"open"}
    assert len(monitoring.incidents) == 1


def test_a_notification_can_be_lost_or_doubled(
    regions: dict[str, LocalRegion], inbox: Inbox
) -> None:
    """The open is lost and the close comes twice; the incident itself is as ever."""
    with watch(regions, inbox) as monitoring:
        monitoring.next_notification(drop=True)
        monitoring.next_notification(copies=2)
        _open_and_close(monitoring)
        first, second = inbox.wait(2)
    assert inbox.states() == ["closed", "closed"]
    assert first == second
    assert len(monitoring.incidents) == 1


@pytest.mark.long
def test_a_late_notification_is_overtaken(regions: dict[str, LocalRegion], inbox: Inbox) -> None:
    """An open that is delayed comes after its close."""
    with watch(regions, inbox) as monitoring:
        monitoring.next_notification(delay=200)
        _open_and_close(monitoring)
        inbox.wait(2)
    assert inbox.states() == ["closed", "open"]


def test_a_slow_publish_delays_no_check(regions: dict[str, LocalRegion], inbox: Inbox) -> None:
    """While a notification is held up, checks and evaluations go on; then all come in order."""
    inbox.open.clear()
    with watch(regions, inbox) as monitoring:
        _open_and_close(monitoring)
        wait_a_period(monitoring)
        assert inbox.notifications == []
        inbox.open.set()
        inbox.wait(2)
    assert inbox.states() == ["open", "closed"]


def test_nothing_is_left_behind_and_it_can_watch_again() -> None:
    """Stopping ends its threads, also twice; what it knows stays, also over a second start."""
    before = set(threading.enumerate())
    nobody = Monitoring({EAST: url_of(free_port())}, "checkout", print, pace=600, timeout=60)
    for results in (5, 10):
        with nobody:
            nobody.wait_for_results(lambda r, n=results: len(r) >= n, 30, "results")  # type: ignore[misc]
            with pytest.raises(RuntimeError, match="watches already"):
                nobody.start()
    nobody.stop()
    assert set(threading.enumerate()) <= before
    assert {(r.passed, r.detail) for r in nobody.results} == {(False, "ClientConnectorError")}


def test_what_publish_raises_is_not_hidden() -> None:
    """An error of `publish` is raised when the watch ends, and stops no check before."""

    def refuse(_notification: dict[str, object]) -> None:
        raise LookupError("no such topic")

    nobody = Monitoring({EAST: url_of(free_port())}, "checkout", refuse, pace=600, timeout=60)
    nobody.start()
    nobody.wait_for_open(EAST, 30)
    seen = len(nobody.results)
    nobody.wait_for_results(lambda r: len(r) > seen + 6, 5, "more results")
    with pytest.raises(LookupError, match="no such topic"):
        nobody.stop()


def test_what_makes_no_sense_is_refused() -> None:
    urls = {EAST: url_of(free_port())}
    for timeout in (0, 61):
        with pytest.raises(ValueError, match="timeout"):
            Monitoring(urls, "checkout", print, timeout=timeout)
    with pytest.raises(ValueError, match="pace"):
        Monitoring(urls, "checkout", print, pace=0)
    with pytest.raises(ValueError, match="auto_close"):
        Monitoring(urls, "checkout", print, auto_close=10)
    idle = Monitoring(urls, "checkout", print)
    with pytest.raises(ValueError, match="us-west-2 is not one of us-east-1"):
        idle.cut(Vantage.EUROPE, WEST)
    with pytest.raises(ValueError, match="is not one of"):
        idle.lose(WEST)
    with pytest.raises(ValueError, match="copies"):
        idle.next_notification(copies=0)


def _open_and_close(monitoring: Monitoring) -> None:
    """One incident from its beginning to its end, without harm to a region."""
    monitoring.cut(Vantage.EUROPE, EAST)
    monitoring.cut(Vantage.USA_IOWA, EAST)
    monitoring.wait_for_open(EAST, 30)
    monitoring.mend(Vantage.EUROPE, EAST)
    monitoring.wait_for_closed(EAST, 30)
