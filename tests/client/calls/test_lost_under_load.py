"""A region is lost under load: what users notice, and what becomes of what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.wait import wait_until
from tests.support.load import Load, regions

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    "how", [pytest.param(Database.kill, id="killed"), pytest.param(Database.hang, id="hung")]
)
def test_no_read_fails_and_nothing_acknowledged_is_lost_but_by_lag(
    how: Callable[[Database], None], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """About 100 requests a second, half of them writes.

    How long the slowest takes is no matter here, but of `make bench-lost`: the deadline is so long
    that a request fails for want of a region and never for want of processor time.
    """
    with regions(tmp_path) as world, world.client(refresh_interval=0.5, deadline=30) as db:
        assert db.ready(30)
        with Load(db, rate=100) as record:
            wait_until(lambda: len(record.acknowledged) >= 80, 60, "writes before the loss")
            lost_at = world.lose(how)
            world.replicator.cut("us-east-1")  # nothing more comes out of a region that is lost
            before = len(record.acknowledged)
            wait_until(lambda: len(record.acknowledged) >= before + 80, 60, "writes again")
        assert record.failed_reads == []
        assert record.unexpected == []
        missing = world.missing(list(record.acknowledged))
        late = {key: lost_at - record.acknowledged[key] for key in missing}
        pending = world.replicator.pending("us-east-1", "us-west-2").count
        record_property("failed writes", dict(record.failed_writes))
        record_property(
            "RPO", f"{len(missing)} writes, the oldest {max(late.values(), default=0)} s"
        )
        assert len(missing) <= pending
        assert sum(record.failed_writes.values()) > 0, "nothing was lost: nothing was tried"
        if how is Database.hang:
            world.databases["us-east-1"].resume()
        else:
            world.databases["us-east-1"].start()
        world.replicator.mend("us-east-1")
        world.replicator.wait_drained()
        assert world.missing(list(record.acknowledged)) == set()
