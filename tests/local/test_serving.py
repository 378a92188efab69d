"""What `serve` prints: every region has its lines."""

from __future__ import annotations

from typing import cast

from orchestrator.local.serving import examples
from orchestrator.local.world import LaptopWorld


class Named:
    """A region as far as the lines need it."""

    def __init__(self, name: str) -> None:
        self.name, self.url = name, f"http://{name}/"


class Standing:
    """A world as far as the lines need it, running nowhere."""

    folder = "/tmp/laptop"  # noqa: S108  # a name that nothing is written to
    regions = {name: Named(name) for name in ("us-east-1", "eu-west-1")}  # noqa: RUF012  # never changed
    functions = (Named("function"),)
    load_balancer = type("Balancer", (), {"url": "http://users", "api_url": "http://compute"})()


def test_every_region_has_a_line_for_its_outage_and_one_for_its_end() -> None:
    told = examples(cast("LaptopWorld", Standing()))
    for name in Standing.regions:
        fails = told[f"{name} fails. Its alert comes after a moment"]
        well = told[f"{name} recovers"]
        assert f"http://{name}/_laptop/behave" in fails
        assert f"http://{name}/_laptop/behave" in well
        assert '"health_status": 503' in fails
        assert '"health_status": 200' in well
