"""A region is lost under load: what users notice, and what becomes of what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.local.database import Database
from orchestrator.local.wait import wait_until
from tests.load import LAG, Load, regions

pytestmark = [pytest.mark.world, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(Database.kill, id="killed"),
        pytest.param(Database.hang, id="hung", marks=pytest.mark.long),
    ],
)
def test_no_read_fails_and_nothing_acknowledged_is_lost_but_by_lag(
    how: Callable[[Database], None], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """100 requests a second, half of them writes; deadline 3 s."""
    with regions(tmp_path) as world, world.client(refresh_interval=0.5) as db:
        assert db.ready(10)
        with Load(db, rate=100) as record:
            wait_until(lambda: len(record.acknowledged) >= 80, 20, "writes before the loss")
            lost_at = world.lose(how)
            world.replicator.cut("us-east-1")  # nothing more comes out of a region that is lost
            before = len(record.acknowledged)
            wait_until(lambda: len(record.acknowledged) >= before + 80, 20, "writes again")
        assert record.failed_reads == []
        assert record.slowest < 3.5
        assert record.unexpected == []
        missing = world.missing(list(record.acknowledged))
        late = {key: lost_at - record.acknowledged[key] for key in missing}
        pending = world.replicator.pending("us-east-1", "us-west-2").count
        record_property("failed writes", dict(record.failed_writes))
        record_property(
            "RPO", f"{len(missing)} writes, the oldest {max(late.values(), default=0)} s"
        )
        assert len(missing) <= pending
        assert all(age < LAG + 1.0 for age in late.values())
        assert sum(record.failed_writes.values()) > 0, "nothing was lost: nothing was tried"
        if how is Database.hang:
            world.databases["us-east-1"].resume()
        else:
            world.databases["us-east-1"].start()
        world.replicator.mend("us-east-1")
        world.replicator.wait_drained()
        assert world.missing(list(record.acknowledged)) == set()
