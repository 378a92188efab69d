"""The newest document known: never older than what was seen, and never waited for by requests."""

from __future__ import annotations

import json
import logging
import os
import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client._calls.call import Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._regions.regions import Regions
from orchestrator.client.document import Document, DocumentView, read_document
from orchestrator.client.errors import SourceUnavailable
from orchestrator.core.outside.reading import Corrupt
from orchestrator.local.process.wait import wait_until
from tests.support.regional import (
    EAST,
    PATIENCE,
    WEST,
    Direct,
    FakeSession,
    FakeTime,
    HeldSource,
    PromptView,
    document,
)

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def view(
    *sources: HeldSource, interval: float = 100.0, max_staleness: float = 1000.0
) -> DocumentView:
    return DocumentView(sources, interval=interval, max_staleness=max_staleness)


def _fails(_document: Document) -> None:
    raise RuntimeError("a bug in a listener")


def revision(of: DocumentView) -> int:
    assert of.latest is not None
    return of.latest.revision


def test_a_newer_document_is_taken_over_and_told() -> None:
    source = HeldSource(document(5))
    told: list[Document] = []
    with view(source) as seen:
        seen.on_change(told.append)
        assert seen.wait_first(5)
        source.body = document(6, WEST)
        assert seen.refresh(5)
        assert revision(seen) == 6
        assert told[-1].primary == WEST


def test_a_lower_revision_is_ignored_and_is_no_news() -> None:
    """A mirror that lags neither changes what is known nor makes it look fresh."""
    source = HeldSource(document(5))
    with view(source) as seen:
        assert seen.wait_first(5)
        source.body = document(4, WEST)
        before = seen.age
        assert seen.refresh(5)
        assert revision(seen) == 5
        assert seen.age > before


def test_the_next_source_is_asked_only_where_the_first_has_no_answer() -> None:
    first, second = HeldSource(document(5)), HeldSource(document(7))
    with view(first, second) as seen:
        assert seen.wait_first(5)
        assert seen.refresh(5)
        assert second.asked == 0
        first.trouble = SourceUnavailable("gone")
        assert seen.refresh(5)
        assert revision(seen) == 7
        first.trouble = None  # now it is behind, and must not take us back
        assert seen.refresh(5)
        assert revision(seen) == 7


@pytest.mark.parametrize(
    "trouble", [SourceUnavailable("gone"), RuntimeError("a bug in a source"), Corrupt("half")]
)
def test_a_failing_source_ends_nothing(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source = HeldSource(document(5))
    with view(source) as seen, caplog.at_level(logging.INFO):
        assert seen.wait_first(5)
        source.trouble = trouble
        for _ in range(3):
            assert seen.refresh(5)
        assert revision(seen) == 5
        source.trouble = None
        assert seen.refresh(5)
    said = [record.message for record in caplog.records if "held" in record.message]
    assert sum("unavailable from" in line for line in said) == 1
    assert sum("again" in line for line in said) == 1


def test_a_corrupt_document_is_not_taken_over() -> None:
    source = HeldSource(document(5))
    with view(source) as seen:
        assert seen.wait_first(5)
        source.body = document(6)[:40]
        assert seen.refresh(5)
        assert revision(seen) == 5


def test_a_failing_listener_ends_nothing() -> None:
    source = HeldSource(document(5))
    with view(source) as seen:
        seen.on_change(_fails)
        source.body = document(6)
        assert seen.refresh(5)
        assert revision(seen) == 6


def test_an_unchanged_document_costs_no_body() -> None:
    source = HeldSource(document(5))
    with view(source) as seen:
        for _ in range(4):
            assert seen.refresh(5)
        assert source.asked >= 4
        assert source.bodies == 1


def test_what_is_unchanged_is_fresh() -> None:
    source, time = HeldSource(document(5)), FakeTime()
    with PromptView(source, time, interval=100.0, max_staleness=1000.0) as seen:
        assert seen.wait_first(PATIENCE)
        time.rest(1001)
        assert seen.stale
        assert seen.refresh(PATIENCE)
        assert seen.age == 0
        assert not seen.stale


def test_staleness_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    source = HeldSource(document(5))
    with view(source, interval=0.01, max_staleness=0.02) as seen:
        assert seen.wait_first(5)
        source.trouble = SourceUnavailable("gone")
        for _ in range(3):
            assert seen.refresh(5)
        assert seen.stale
    said = [record.message for record in caplog.records if "max_staleness" in record.message]
    assert len(said) == 1


def test_callers_at_once_share_a_look() -> None:
    source = HeldSource(document(5))
    with view(source) as seen:
        assert seen.wait_first(5)
        asked = source.asked
        source.going_on.clear()
        callers = [threading.Thread(target=seen.refresh, args=(5.0,)) for _ in range(20)]
        for caller in callers:
            caller.start()
        source.going_on.set()
        for caller in callers:
            caller.join()
        assert source.asked - asked <= 3


def test_a_look_that_was_under_way_is_not_taken_for_the_one_asked_for() -> None:
    """It may have read the document before what the caller wants to know of happened."""
    source = HeldSource(document(5))
    with view(source) as seen:
        assert seen.wait_first(5)
        source.going_on.clear()
        waiting = threading.Thread(target=seen.refresh, args=(5.0,))
        waiting.start()
        asked = source.asked
        wait_until(lambda: source.asked > asked, PATIENCE, "the look to hang")
        assert not seen.refresh(0.05)
        source.going_on.set()
        source.body = document(6)
        assert seen.refresh(5)
        assert revision(seen) == 6
        waiting.join()


def test_no_request_waits_for_a_source_that_hangs() -> None:
    """The source hangs for good; a thousand routed reads and writes get by without it.

    One that waited for a look would wait for its deadline, and the test would not end in time.
    """
    source = HeldSource(document(5))
    session = FakeSession()
    with view(source, interval=0.01) as seen:
        assert seen.wait_first(5)
        regions = Regions(lambda: cast("Any", session))
        calls = Calls(seen, regions, Settings(WEST, ServiceMode.ACTIVE_PASSIVE), lambda: NOW)
        table = Direct(calls, Options(), "orders")
        table.get_item(Key={})
        table.put_item(Item={})
        source.going_on.clear()
        asked = source.asked
        wait_until(lambda: source.asked > asked, PATIENCE, "the view's thread to hang in a look")
        for _ in range(1000):
            assert table.get_item(Key={}) == {"region": WEST}
            assert table.put_item(Item={}) == {"region": EAST}
        assert source.asked == asked + 1, "the look still hangs"
        source.going_on.set()


def test_the_first_document_is_waited_for_and_no_longer_than_asked() -> None:
    source = HeldSource()
    with view(source, interval=0.02) as seen:
        assert seen.wait_first(0.05) is None
        source.body = document(5)
        assert seen.wait_first(5) is not None


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_it_goes_on_in_a_forked_child() -> None:
    source = HeldSource(document(5))
    with view(source, interval=0.02) as seen:
        assert seen.wait_first(5)
        child = os.fork()
        if not child:  # threads are not inherited: only a thread of its own can see this
            source.body = document(6)
            os._exit(0 if seen.refresh(5) and revision(seen) == 6 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_settings_that_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        DocumentView([])
    with pytest.raises(ValueError, match="stale between two looks"):
        DocumentView([HeldSource()], interval=30, max_staleness=30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 50)), min_size=1, max_size=12))
def test_what_is_known_never_goes_back(steps: list[tuple[int, int]]) -> None:
    """Two sources whose revisions go up and down as they like."""
    sources = HeldSource(), HeldSource()
    seen = view(*sources)
    highest = 0
    for which, number in steps:
        sources[which].body = document(number)
        seen._look()
        if seen.latest:
            assert seen.latest.revision >= highest
            highest = seen.latest.revision


def test_a_region_without_a_usable_endpoint_does_not_take_the_others_along() -> None:
    content = json.loads(document(5))
    content["regions"][WEST]["endpoint"] = "dyn amo"
    assert WEST not in read_document(json.dumps(content).encode()).regions


def test_regions_that_people_have_evacuated_are_known_where_the_document_says_so() -> None:
    def left(body: bytes) -> list[str]:
        return [name for name, one in read_document(body).regions.items() if one.evacuated]

    assert left(document(evacuated=[WEST, "a region of before"])) == [WEST]
    older = {k: v for k, v in json.loads(document()).items() if k != "evacuated"}
    assert left(json.dumps(older).encode()) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda d: d | {"revision": -1}, "revision"),
        (lambda d: d | {"epoch": "7"}, "epoch"),
        (lambda d: d | {"primary": "mars"}, "primary"),
        (lambda d: d | {"regions": {EAST: {"endpoint": "x", "healthy": "yes"}}}, "healthy"),
        (
            lambda d: (
                d | {"regions": {EAST: {"endpoint": "x", "healthy": True, "fenced_until": 3}}}
            ),
            "regions",
        ),
        (lambda d: d | {"evacuated": [3]}, "evacuated"),
        (lambda d: d | {"evacuated": EAST}, "evacuated"),
        (lambda d: [d], "document"),
        (lambda d: d | {"revision": 10**390}, "revision"),
        (lambda d: d | {"regions": {EAST: {"endpoint": "", "healthy": True}}}, "regions"),
        (lambda d: d | {"regions": {EAST: {"endpoint": "dyn amo", "healthy": True}}}, "regions"),
        (lambda d: d | {"regions": {EAST: {"endpoint": "ftp://a", "healthy": True}}}, "regions"),
        (lambda d: d | {"regions": {EAST: {"endpoint": "a:99999", "healthy": True}}}, "regions"),
        (
            lambda d: d | {"regions": {EAST: {"endpoint": "http://[::1", "healthy": True}}},
            "regions",
        ),
        (
            lambda d: (
                d | {"regions": {str(n): d["regions"][EAST] for n in range(50)} | d["regions"]}
            ),
            "50|53",
        ),
        (lambda d: d | {"junk": "x" * (1 << 20)}, "more than"),
    ],
)
def test_a_document_that_cannot_be_understood_says_where(change: Any, where: str) -> None:
    body = json.dumps(change(json.loads(document(5)))).encode()
    with pytest.raises(Corrupt, match=where):
        read_document(body)
