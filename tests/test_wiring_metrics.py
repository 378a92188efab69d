"""What of Monitoring is built: only what is configured, pointed at an emulator if there is one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.model import Verdict
from orchestrator.wiring import Deployment, Wiring
from tests.support.fakes import configuration
from tests.support.metrics import REGIONS, Watched, serving


def built(tmp_path: Path, environ: dict[str, str], **changes: Any) -> Deployment:  # any JSON
    """The world of a file with these changes, its state in a folder."""
    made = {**configuration(policy=changes.pop("policy", {})), **changes}
    made["state"] = (tmp_path / "state").as_uri()
    file = tmp_path / "failover.yaml"
    file.write_text(json.dumps(made))
    return Wiring({"FAILOVER_CONFIG": str(file), **environ}, tmp_path).world()


def test_nothing_of_monitoring_is_built_by_default(tmp_path: Path) -> None:
    context = built(tmp_path, {"K_SERVICE": "failover-tick"}).context
    assert (context.checks, context.gauges) == (None, None)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_checks_and_gauges_go_to_the_emulator_without_credentials(
    tmp_path: Path, scheme: str
) -> None:
    watched = Watched()
    with serving(watched) as service:
        environ = {"MONITORING_EMULATOR_HOST": scheme + service.host, "K_SERVICE": "failover-tick"}
        world = built(tmp_path, environ, policy={"confirm": "monitoring"}, gauges=True)
        context, ours = world.context, world.config.services["checkout"]
        assert context.checks is not None
        assert context.gauges is not None
        found = context.checks.verdicts(ours.regions, datetime.now(UTC))
        assert {name: probe.detail for name, probe in found.items()} == dict.fromkeys(
            REGIONS, "no data"
        )
        assert {probe.verdict for probe in found.values()} == {Verdict.SILENT}
        context.gauges.write([], datetime.now(UTC))


@pytest.mark.parametrize(
    ("environ", "written"),
    [({}, False), ({"K_SERVICE": "a"}, True), ({"FAILOVER_INSTANCE": "us-east4"}, True)],
)
def test_only_the_function_writes_gauges(
    tmp_path: Path, environ: dict[str, str], written: bool
) -> None:
    """A human's `failoverctl tick` is no sign of life of the orchestrator."""
    context = built(tmp_path, environ, gauges=True).context
    assert (context.gauges is not None) is written
