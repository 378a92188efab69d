"""An invented alert: a well-formed message about a region that does not fail, at the function.

With the defaults of the file. docs/deploy.md says that it will not do for a first failover.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator import entry
from orchestrator.wiring import Wiring
from tests.support.health_server import Server, answer, serve
from tests.test_entry import alert, configured, document, message

__all__ = ["serve"]  # a fixture

EAST, WEST = "us-east-1", "us-west-2"


def told(folder: Path, serve: Callable[..., Server], status: int) -> tuple[str, str, object]:
    """What became of one alert while the primary's health URL answers so.

    The function's word, the primary, and what was written to the load balancer.
    """
    urls = {EAST: serve(answer(status)).url, WEST: serve(answer(200)).url}
    path = configured(folder, "checkout")
    content = yaml.safe_load(path.read_text())
    service = content["services"]["checkout"]
    del service["policy"]
    for name, url in urls.items():
        service["regions"][name]["health_url"] = url
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    wiring = Wiring({"FAILOVER_CONFIG": str(path)}, folder)
    word = entry.alert(message(alert(region=EAST, service="checkout")), wiring)
    routing = folder / "state" / "backend-services" / "checkout.json"
    written = json.loads(routing.read_text())["description"] if routing.exists() else ""
    return word, document(folder, "checkout")["primary"], written


@pytest.mark.parametrize("status", [200, 204, 301, 302, 401, 403, 404, 429])
def test_an_invented_alert_moves_nothing(
    tmp_path: Path, serve: Callable[..., Server], status: int
) -> None:
    """The region answers that it is well, or says nothing of its health."""
    assert told(tmp_path, serve, status) == ("held", EAST, "")


def test_a_true_alert_moves_the_traffic(tmp_path: Path, serve: Callable[..., Server]) -> None:
    """The same message: what differs is what the region answers."""
    word, primary, written = told(tmp_path, serve, 503)
    assert (word, primary) == ("moved", WEST)
    assert str(written).startswith("failover epoch=1 service=checkout ")
