"""The health of a region: bounded, shared, honest about its role, and silent about its insides."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from orchestrator.adapters.health_answer import BODY_BYTES
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._process.bounded import PLACES
from orchestrator.client.document import read_document
from orchestrator.client.health import (
    Answer,
    CheckState,
    HealthCheck,
    ItemsThrottled,
    Limits,
    RegionItems,
    items_of,
)
from orchestrator.client.health._beat import HEALTH_KEY, PeerSight, heartbeat_key
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from tests.support.health_parts import FakeItems, at_once, heard, session, shown, viewing
from tests.support.regional import EAST, EUROPE, REGIONS, WEST, document
from tests.support.station import BadSocket, hang, trickle

SOON = Limits(timeout=0.1, cache=0.0)
LONG = Limits(timeout=30.0, cache=30.0)


def told(answer: Answer) -> Any:  # JSON
    return json.loads(answer.body)


# --- what it says


def test_a_table_that_answers_is_healthy() -> None:
    answer = HealthCheck(EAST, FakeItems()).answer()
    assert answer.status == 200
    assert told(answer) == {
        "status": "ok",
        "region": EAST,
        "checks": {"dynamodb": "ok"},
        "replication_lag_seconds": {},
        "heartbeats": {},
        "document": "none",
        "revision": None,
        "epoch": None,
    }


def test_revision_epoch_and_the_lag_behind_every_other_region_are_told() -> None:
    began = time.time()
    items = FakeItems({**heard(EAST, 1), **heard(WEST, 3.0), **heard(EUROPE, 1000)})
    with viewing(document(7, epoch=3)) as (view, _):
        answer = told(HealthCheck(EAST, items, view).answer())
    assert (answer["revision"], answer["epoch"], answer["document"]) == (7, 3, "fresh")
    lag, late = answer["replication_lag_seconds"], time.time() - began
    assert lag.keys() == {WEST, EUROPE}
    assert 2.9 < lag[WEST] < 3.1 + late
    assert 999.9 < lag[EUROPE] < 1000.1 + late
    assert answer["heartbeats"] == {WEST: "fresh", EUROPE: "silent"}


def test_everything_is_read_in_one_request() -> None:
    items = FakeItems()
    with viewing(document()) as (view, _):
        HealthCheck(EAST, items, view).answer()
    (keys,) = items.reads
    assert keys == (HEALTH_KEY, *(heartbeat_key(region) for region in REGIONS))


def test_the_lag_is_unknown_where_a_heartbeat_is_missing_or_its_writer_stalled() -> None:
    at = time.time() - 500
    own = heard(EAST, 1, us_west_2=PeerSight(at, at, at + 400))
    items = FakeItems({**own, heartbeat_key(WEST): {"at": at}, heartbeat_key(EUROPE): {"at": 0.0}})
    with viewing(document()) as (view, _):
        answer = told(HealthCheck(EAST, items, view).answer())
    assert answer["replication_lag_seconds"] == {WEST: None, EUROPE: None}
    assert answer["heartbeats"] == {WEST: "stalled", EUROPE: "missing"}


def test_where_nobody_writes_heartbeats_no_lag_is_told() -> None:
    """The application does not measure it: that is something else than not knowing it now."""
    with viewing(document()) as (view, _):
        answer = told(HealthCheck(EAST, FakeItems(), view).answer())
    assert answer["replication_lag_seconds"] == {}


def test_the_lag_is_unknown_while_the_table_is_throttled_or_no_document_was_read() -> None:
    items = FakeItems({**heard(EAST, 1), **heard(WEST, 1)})
    items.trouble = ItemsThrottled("too much")
    with viewing(document()) as (view, _):
        answer = HealthCheck(EAST, items, view).answer()
    assert answer.status == 200
    assert told(answer)["replication_lag_seconds"] == {WEST: None, EUROPE: None}
    with viewing() as (unread, _):
        told_of = told(HealthCheck(EAST, FakeItems(), unread).answer())
    assert told_of["replication_lag_seconds"] is None


def test_the_answer_for_twenty_regions_fits_in_what_the_orchestrator_reads() -> None:
    regions = [f"ap-southeast-{number}" for number in range(20)]
    items = FakeItems(
        {key: item for name in regions for key, item in heard(name, 12345.678).items()}
    )
    check = HealthCheck(EAST, items, regions=regions)
    assert len(told(check.answer())["replication_lag_seconds"]) == 20
    assert len(check.answer().body) < BODY_BYTES


def test_a_missing_item_is_an_answer_too_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    items = FakeItems()
    del items.items[HEALTH_KEY]
    check = HealthCheck(EAST, items, limits=SOON)
    with caplog.at_level(logging.INFO):
        assert [check.answer().status for _ in range(3)] == [200] * 3
    assert [HEALTH_KEY in record.message for record in caplog.records] == [True]


def test_a_throttled_table_serves_and_is_told() -> None:
    items = FakeItems()
    items.trouble = ItemsThrottled("ThrottlingException")
    answer = HealthCheck(EAST, items).answer()
    assert answer.status == 200
    assert told(answer)["checks"] == {"dynamodb": "throttled"}


def test_what_went_wrong_is_logged_once_for_each_change_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = FakeItems()
    check = HealthCheck(EAST, items, limits=SOON)
    items.trouble = OSError("no route to dynamodb.internal.example with key AKIAEXAMPLE")
    with caplog.at_level(logging.INFO):
        answers = [check.answer() for _ in range(3)]
        items.trouble = None
        well = [check.answer() for _ in range(2)]
    assert [answer.status for answer in (*answers, *well)] == [503] * 3 + [200] * 2
    assert told(answers[0])["checks"] == {"dynamodb": "failing"}
    for secret in (b"internal", b"AKIA", b"OSError", b"Traceback"):
        assert secret not in answers[0].body
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "dynamodb.internal.example" in caplog.records[0].message


# --- how long it takes


@pytest.mark.parametrize("which", ["answer", "answer_primary"])
def test_a_table_that_hangs_is_given_up_on_and_no_threads_pile_up(which: str) -> None:
    items = FakeItems()
    items.going_on.clear()
    check = HealthCheck(EAST, items, limits=SOON)
    before = threading.active_count()
    answers = [getattr(check, which)() for _ in range(10)]  # one without a timeout never answers
    try:
        assert {answer.status for answer in answers} == {503}
        assert told(answers[0])["checks"] == {"dynamodb": "timeout"}
        assert threading.active_count() <= before + PLACES
        assert len(items.reads) == PLACES
    finally:
        items.going_on.set()


def test_after_what_hung_has_ended_it_is_healthy_again() -> None:
    items = FakeItems()
    items.going_on.clear()
    check = HealthCheck(EAST, items, limits=SOON)
    assert [check.answer().status for _ in range(3)] == [503] * 3
    items.going_on.set()
    for thread in threading.enumerate():
        if thread.name == "bounded-dynamodb":
            thread.join(timeout=30)
    assert check.answer().status == 200


def test_fifty_requests_at_once_and_those_after_them_share_one_read() -> None:
    items = FakeItems()
    check = HealthCheck(EAST, items, limits=LONG)
    items.going_on.clear()
    threading.Timer(0.2, items.going_on.set).start()
    answers = at_once(check.answer, 50)
    answers += [check.answer() for _ in range(50)]
    assert [answer.status for answer in answers] == [200] * 100
    assert len(items.reads) == 1


def test_without_a_cache_requests_at_once_still_share_a_read() -> None:
    items = FakeItems()
    check = HealthCheck(EAST, items, limits=Limits(timeout=30, cache=0))
    items.going_on.clear()
    threading.Timer(0.2, items.going_on.set).start()
    assert [answer.status for answer in at_once(check.answer, 50)] == [200] * 50
    assert len(items.reads) < 25
    reads = len(items.reads)
    check.answer()
    assert len(items.reads) == reads + 1


def test_requests_that_wait_for_a_hanging_read_wait_no_longer_than_the_timeout() -> None:
    items = FakeItems()
    items.going_on.clear()
    check = HealthCheck(EAST, items, limits=Limits(timeout=0.3, cache=0))
    answers = at_once(check.answer, 20)  # all, while the read still hangs
    items.going_on.set()
    assert {answer.status for answer in answers} == {503}
    assert {told(answer)["checks"]["dynamodb"] for answer in answers} == {"timeout"}


# --- checks of the application's own


def boom() -> None:
    raise RuntimeError("queue.internal.example is gone")


def late() -> None:
    raise TimeoutError


def test_checks_of_the_applications_own_count_too() -> None:
    check = HealthCheck(EAST, FakeItems(), limits=SOON)
    check.add("cache", lambda: None)
    assert check.answer().status == 200
    check.add("queue", boom)
    check.add("disk", lambda: False)
    check.add("bus", late)
    answer = check.answer()
    assert answer.status == 503
    assert b"internal" not in answer.body
    assert told(answer)["checks"] == {
        "dynamodb": "ok",
        "cache": "ok",
        "queue": "failing",
        "disk": "failing",
        "bus": "timeout",
    }


def test_a_check_that_hangs_fails_alone() -> None:
    going_on = threading.Event()
    check = HealthCheck(EAST, FakeItems(), limits=SOON)
    check.add("queue", going_on.wait)
    answers = [told(check.answer())["checks"] for _ in range(4)]
    going_on.set()
    assert answers == [{"dynamodb": CheckState.OK, "queue": CheckState.TIMEOUT}] * 4


def test_two_checks_of_one_name_are_refused() -> None:
    check = HealthCheck(EAST, FakeItems())
    with pytest.raises(ValueError, match="another name"):
        check.add("dynamodb", boom)


# --- the role


def primary(check: HealthCheck) -> tuple[int, str]:
    answer = check.answer_primary()
    return answer.status, told(answer)["status"]


def test_only_the_primary_is_to_have_users() -> None:
    with viewing(document(4, EAST, epoch=9)) as (view, _):
        assert primary(HealthCheck(EAST, FakeItems(), view)) == (200, "ok")
        assert told(HealthCheck(EAST, FakeItems(), view).answer_primary())["epoch"] == 9
        assert primary(HealthCheck(WEST, FakeItems(), view)) == (503, "standby")
        assert primary(HealthCheck("ap-south-1", FakeItems(), view)) == (503, "standby")
        assert HealthCheck(WEST, FakeItems(), view).answer().status == 200


def test_where_all_regions_carry_every_healthy_one_is_to_have_users() -> None:
    with viewing(document(down=[WEST])) as (view, _):
        east, west = (
            HealthCheck(region, FakeItems(), view, mode=ServiceMode.ACTIVE_ACTIVE)
            for region in (EAST, WEST)
        )
        assert primary(east) == (200, "ok")
        assert primary(west) == (503, "standby")


def test_where_all_regions_carry_and_all_are_down_all_go_on() -> None:
    with viewing(document(down=REGIONS)) as (view, _):
        for region in REGIONS:
            assert primary(HealthCheck(region, FakeItems(), view, mode="active-active"))[0] == 200


def test_an_unhealthy_primary_is_none() -> None:
    items = FakeItems()
    items.trouble = OSError()
    with viewing(document()) as (view, _):
        assert primary(HealthCheck(EAST, items, view)) == (503, "failing")


def test_before_any_document_nobody_is_primary_unless_told_so() -> None:
    with viewing() as (view, source):
        check = HealthCheck(EAST, FakeItems(), view)
        brave = HealthCheck(EAST, FakeItems(), view, unknown_carries=True)
        standby = HealthCheck(WEST, FakeItems(), view, unknown_carries=True)
        assert primary(check) == (503, "unknown")
        assert primary(brave) == primary(standby) == (200, "ok")
        assert check.answer().status == 200
        shown(view, source, 2)
        assert primary(check) == primary(brave) == (200, "ok")
        assert primary(standby) == (503, "standby")


def test_the_role_outlives_the_document() -> None:
    with viewing(document()) as (view, source):
        east, west = (HealthCheck(name, FakeItems(), view, limits=SOON) for name in (EAST, WEST))
        source.trouble = OSError("gone")
        view.refresh(5.0)
        view.max_staleness = 0.0
        assert view.stale
        assert primary(east) == (200, "ok")
        assert primary(west) == (503, "standby")
        assert told(east.answer())["document"] == "stale"


def test_a_role_that_is_lost_is_held_on_to_for_a_while_and_then_no_longer() -> None:
    with viewing(document()) as (view, source):
        check = HealthCheck(EAST, FakeItems(), view)
        assert primary(check) == (200, "ok")
        shown(view, source, 2, WEST)
        assert primary(check) == (200, "lingering")
        assert told(check.answer_primary())["epoch"] == 2
        assert view.interval + 5 <= check.role.linger < view.interval + 6
        check.role.linger = 0.0
        assert primary(check) == (503, "standby")


def test_the_lingering_begins_with_the_news_and_not_with_the_first_question() -> None:
    with viewing(document()) as (view, source):
        check = HealthCheck(EAST, FakeItems(), view)
        shown(view, source, 2, WEST)
        lost = check.role._lost
        assert lost is not None
        shown(view, source, 3, WEST)
        assert primary(check) == (200, "lingering")
        assert check.role._lost == lost


def test_an_unhealthy_region_does_not_linger() -> None:
    items = FakeItems()
    with viewing(document()) as (view, source):
        check = HealthCheck(EAST, items, view, limits=SOON)
        shown(view, source, 2, WEST)
        assert primary(check) == (200, "lingering")
        items.trouble = OSError()
        assert primary(check) == (503, "failing")


def test_a_region_that_never_had_users_does_not_linger_and_a_role_regained_is_whole() -> None:
    with viewing(document(1, WEST)) as (view, source):
        check = HealthCheck(EAST, FakeItems(), view)
        shown(view, source, 2, EUROPE)
        assert primary(check) == (503, "standby")
        shown(view, source, 3, EAST)
        shown(view, source, 4, WEST)
        assert primary(check) == (200, "lingering")
        shown(view, source, 5, EAST)
        assert primary(check) == (200, "ok")


def test_news_that_arrive_in_the_wrong_order_change_nothing() -> None:
    with viewing(document(5, WEST)) as (view, _):
        check = HealthCheck(EAST, FakeItems(), view)
        assert primary(check) == (503, "standby")
        check.role._learn(read_document(document(4, EAST)))
        assert primary(check) == (503, "standby")


# --- the real thing


@pytest.mark.world
def test_the_items_are_read_from_a_real_server(dynamo: Database) -> None:
    with viewing(document(endpoints={EAST: dynamo.url})) as (view, _):
        assert view.latest is not None
        items = items_of("checkout", view.latest.regions[EAST], session())
        well = HealthCheck(EAST, items, view, limits=Limits(cache=0.0))
        wait_until(lambda: told(well.answer())["status"] == "ok", 30, "an answer in time")
    missing = RegionItems("other", EAST, endpoint_url=dynamo.url, session=session())
    assert HealthCheck(EAST, missing).answer().status == 503
    check = HealthCheck(EAST, items, limits=Limits(cache=0.0))
    dynamo.kill()
    assert told(check.answer())["checks"] == {"dynamodb": "failing"}
    dynamo.start()
    wait_until(lambda: check.answer().status == 200, 30, "the region to be healthy again")
    dynamo.hang()
    assert told(check.answer())["checks"] == {"dynamodb": "timeout"}
    dynamo.resume()
    wait_until(lambda: check.answer().status == 200, 30, "the region to be healthy again")


@pytest.mark.parametrize(
    "behave", [hang, trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")]
)
def test_a_server_that_hangs_or_trickles_is_given_up_on(behave: Any) -> None:
    with BadSocket(behave) as server:
        items = RegionItems("checkout", EAST, endpoint_url=server.url, session=session())
        check = HealthCheck(EAST, items)
        answer = check.answer()
        assert server.connections == 1, "what hangs is asked once"
    assert answer.status == 503
    assert told(answer)["checks"]["dynamodb"] == "timeout"


FORKED = """
import os, sys, threading
from orchestrator.client.health import HealthCheck, Limits
from orchestrator.local.process.wait import wait_until
from tests.support.health_parts import FakeItems

items = FakeItems()
check = HealthCheck("us-east-1", items, limits=Limits(timeout=20, cache=0))
items.going_on.clear()
asking = threading.Thread(target=check.answer, daemon=True)
asking.start()
while not items.reads:
    pass
with check._ended:
    child = os.fork()
    if child == 0:
        items.going_on = threading.Event()
        items.going_on.set()
        os._exit(0 if check.answer().status == 200 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_worker_answers_whatever_the_parent_was_at() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    assert subprocess.run(command, cwd=ROOT, timeout=30, check=False).returncode == 0
