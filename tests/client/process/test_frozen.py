"""A process that was frozen: what it knows is as old as that, and it does not know it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import boto3
import pytest

from orchestrator.client._calls.call import OnStale, Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._process.awake import Awake, boot_time
from orchestrator.client._regions.regions import Regions
from orchestrator.client.document import DocumentView
from orchestrator.client.errors import StaleDocument
from orchestrator.client.health._role import OwnRole
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from tests.support.regional import (
    EAST,
    PATIENCE,
    WEST,
    Direct,
    FakeSession,
    FakeTime,
    HeldSource,
    document,
    two_servers,
    write_whole,
)


def test_a_freeze_is_what_is_longer_than_two_intervals() -> None:
    time = FakeTime()
    awake = Awake(1000, clock=time.monotonic)
    awake.start()
    found = []
    for seconds in (1999, 2, 1):
        time.rest(seconds)
        found.append((awake.was_frozen, awake.freezes))
    awake.answered(1)
    assert [*found, (awake.was_frozen, awake.freezes)] == [
        (False, 0),
        (True, 1),
        (True, 1),
        (False, 1),
    ]
    awake.close()


def test_an_answer_from_before_a_freeze_does_not_answer_it() -> None:
    """A look that was begun before the process was frozen, and that ends after it."""
    time = FakeTime()
    awake = Awake(1000, clock=time.monotonic)
    awake.start()
    before = awake.freezes
    time.rest(5000)
    awake.answered(before)
    assert awake.was_frozen
    awake.close()


def test_the_clock_goes_on_while_the_machine_sleeps() -> None:
    assert boot_time() > 0


class Sleeper:
    """A client whose time stands still for everybody but itself."""

    def __init__(self, **settings: Any) -> None:  # any setting
        self.source, self.time = HeldSource(document()), FakeTime()
        self.awake = Awake(1000, clock=self.time.monotonic)
        self.view = DocumentView([self.source], interval=100.0, max_staleness=1e6, awake=self.awake)
        self.session = FakeSession()
        regions = Regions(lambda: self.session)  # type: ignore[arg-type,return-value]  # a fake
        own = Settings(WEST, ServiceMode.ACTIVE_PASSIVE, **settings)
        calls = Calls(self.view, regions, own, lambda: datetime(2026, 11, 23, tzinfo=UTC))
        self.table: Any = Direct(calls, Options(), "orders")

    def __enter__(self) -> Self:
        assert self.view.start().wait_first(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.going_on.set()
        self.view.close()

    def sleep(self) -> None:
        """The process is frozen, and meanwhile the west becomes the primary."""
        self.source.body = document(2, WEST)
        self.time.rest(5000)


def test_the_first_write_after_a_freeze_goes_by_the_newest_document() -> None:
    with Sleeper() as one:
        one.sleep()
        assert one.table.put_item(Item={}) == {"region": WEST}


def test_the_first_consistent_read_does_so_too_and_others_wait_for_nothing() -> None:
    with Sleeper() as one:
        one.sleep()
        one.source.going_on.clear()
        assert one.table.get_item(Key={}) == {"region": WEST}  # home
        one.source.going_on.set()
        assert one.table.get_item(Key={}, ConsistentRead=True) == {"region": WEST}


@pytest.mark.parametrize("on_stale", list(OnStale))
def test_when_the_look_fails_the_policy_decides(on_stale: OnStale) -> None:
    with Sleeper(on_stale=on_stale) as one:
        one.sleep()
        one.source.going_on.clear()
        if on_stale is OnStale.SERVE:
            for _ in range(100):  # only the first of them waits
                assert one.table.put_item(Item={}) == {"region": EAST}
        else:
            with pytest.raises(StaleDocument):
                one.table.put_item(Item={})


def test_the_role_is_not_the_one_of_before() -> None:
    with Sleeper() as one:
        role = OwnRole(EAST, one.view, ServiceMode.ACTIVE_PASSIVE, linger=0)
        assert role.now().carries
        one.sleep()
        assert role.now().carries is False


APPLICATION = """
import sys
from pathlib import Path
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
db = MultiRegionDynamoDB(FileSource(sys.argv[1]), home="us-east-1", allow_endpoint=loopback,
                         refresh_interval=0.2, max_staleness=30)
assert db.ready(30)
table, number = db.Table("checkout"), 0
print("ready", flush=True)
while True:
    table.put_item(Item={"pk": f"n{number}"})
    number += 1
"""


@pytest.mark.long
@pytest.mark.client
@pytest.mark.world
@pytest.mark.timeout(600)
def test_no_write_reaches_the_old_primary_after_a_freeze(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP, the document is moved, SIGCONT: fifty times of fifty."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    source, revision = tmp_path / "checkout.json", 1
    with ExitStack() as stack:
        servers = stack.enter_context(two_servers(tmp_path))
        urls = {name: one.url for name, one in servers.items()}
        tables = {
            name: boto3.resource("dynamodb", region_name=name, endpoint_url=url).Table("checkout")
            for name, url in urls.items()
        }

        def count(name: str) -> int:
            counted = tables[name].scan(Select="COUNT")
            assert "LastEvaluatedKey" not in counted
            return counted["Count"]

        write_whole(source, document(revision, EAST, endpoints=urls))
        child = subprocess.Popen(  # ours
            [sys.executable, "-c", APPLICATION, str(source)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        stack.callback(child.stdout.close)
        stack.callback(child.wait)
        stack.callback(child.kill)
        assert child.stdout.readline() == "ready\n"
        old, new = EAST, WEST
        for _ in range(50):
            running = count(old)
            wait_until(lambda: count(old) > running, 30, "a write")  # noqa: B023  # at once
            os.kill(child.pid, signal.SIGSTOP)
            frozen = boot_time()
            revision += 1
            write_whole(source, document(revision, new, endpoints=urls))
            wait_until(lambda: boot_time() - frozen > 1, 30, "the freeze")  # noqa: B023  # at once
            there, elsewhere = count(old), count(new)
            os.kill(child.pid, signal.SIGCONT)
            wait_until(lambda: count(new) > elsewhere, 30, "a write to the new one")  # noqa: B023
            assert count(old) == there, json.dumps({"revision": revision})
            old, new = new, old
