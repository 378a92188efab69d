"""python-dynamodb-lock holds a lock over a failover, and refuses it to others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from python_dynamodb_lock.python_dynamodb_lock import DynamoDBLockClient, DynamoDBLockError

from orchestrator.local.process.wait import wait_until
from tests.libraries.places import Places
from tests.support.regional import WEST

pytestmark = pytest.mark.world
BEAT = timedelta(seconds=0.2)
AT_ONCE = {"retry_period": timedelta(seconds=0.1), "retry_timeout": timedelta(seconds=0.15)}
KEYS = {"lock_key": "ledger", "sort_key": "-"}


@pytest.fixture
def owners(places: Places) -> Iterator[tuple[Any, Any]]:
    """Two that want the same lock, each with the threads of its heartbeat."""
    table = places.table("locks", "lock_key", "sort_key")
    with ExitStack() as stack:

        def owner(name: str) -> Any:
            made = DynamoDBLockClient(
                places.db.resource, table, owner_name=name, heartbeat_period=BEAT
            )
            stack.callback(made.close)
            return made

        yield owner("first"), owner("second")


def _refused(owner: Any) -> bool:
    with pytest.raises(DynamoDBLockError) as caught:
        owner.acquire_lock("ledger", **AT_ONCE)
    return bool(caught.value.code == DynamoDBLockError.ACQUIRE_TIMEOUT)


def _version(places: Places) -> Any:
    return places.items(WEST, "locks")[0]["record_version_number"]


def test_a_lock_is_held_over_a_failover_and_refused_to_others(
    places: Places, owners: tuple[Any, Any]
) -> None:
    first, second = owners
    held = first.acquire_lock("ledger", **AT_ONCE)
    assert _refused(second)
    places.fail_over()
    moved_with = _version(places)
    wait_until(lambda: _version(places) != moved_with, 30, "a heartbeat in the west")
    assert _refused(second)
    held.release(best_effort=False)
    assert not places.items(WEST, "locks")
    taken = second.acquire_lock("ledger", **AT_ONCE)
    assert [one["owner_name"] for one in places.items(WEST, "locks")] == ["second"]
    assert _refused(first)
    taken.release(best_effort=False)


def test_who_loses_the_lock_in_the_new_region_is_told(
    places: Places, owners: tuple[Any, Any]
) -> None:
    """The heartbeat's condition fails with botocore's own error, as the library expects it."""
    told: list[str] = []
    lost = threading.Event()

    def lose(code: str, _: object) -> None:
        told.append(code)
        lost.set()

    first, _ = owners
    first.acquire_lock("ledger", app_callback=lose, **AT_ONCE)
    places.fail_over()
    places.db.in_region(WEST).Table("locks").delete_item(Key=KEYS)
    assert lost.wait(30), "the heartbeat did not see that the lock is gone"
    assert told == [DynamoDBLockError.LOCK_STOLEN]
