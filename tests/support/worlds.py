"""Small words over the laptop world, for tests of the function on real parts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.local.monitoring.notification import closed, opened
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.push import Delivery
from orchestrator.local.rpc.proxy import Exchange, Request, Treatment
from orchestrator.local.world import LaptopWorld

SERVICE = "compute/v1/projects/laptop/global/backendServices/checkout"


def now() -> datetime:
    """The time; incidents of these tests begin now."""
    return datetime.now(UTC)


def alert(world: LaptopWorld, region: str, incident: str = "", ago: float = 0) -> dict[str, object]:
    """The notification that a region has begun to fail."""
    began = now() - timedelta(seconds=ago)
    return opened(world.check(region), incident or f"0.{region}", began)


def close(world: LaptopWorld, region: str, incident: str = "", ago: float = 0) -> dict[str, object]:
    """The notification that its incident has ended."""
    began = now() - timedelta(seconds=ago)
    return closed(world.check(region), incident or f"0.{region}", began, now())


def patient(world: LaptopWorld) -> None:
    """Users who wait longer than a busy machine is slow: what fails then, failed by the world."""
    world.traffic.stop()
    world.traffic.timeout = 4.0  # the load balancer itself gives up after 5
    world.traffic.start()


def fail(world: LaptopWorld, *regions: str) -> None:
    """These regions answer 503 to everybody from now on."""
    for region in regions:
        world.regions[region].behave(health_status=503, serve_status=503)


def heal(world: LaptopWorld) -> None:
    """All regions are well again."""
    for region in world.regions.values():
        region.behave(health_status=200, serve_status=200, delay=0)


def settled(world: LaptopWorld, region: str, epoch: int, delivery: Delivery | None = None) -> None:
    """Assert the one right end state: this region carries the traffic, the fence agrees."""
    assert delivery is None or delivery.acknowledged
    document = world.document()
    mark = f"failover epoch={epoch} service=checkout rev={document['shift']['rev']}"
    assert world.routed_regions == (region,)
    assert document["primary"] == region
    assert document["epoch"] == epoch == document["shift"]["epoch"]
    assert world.backend_service()["description"].startswith(mark)


def put_service(world: LaptopWorld, **changes: Any) -> None:  # any JSON
    """Change the backend service as somebody else would, by PATCH with its fingerprint."""
    url = f"{world.load_balancer.api_url}/{SERVICE}"

    def applied() -> bool:
        body = {"fingerprint": world.backend_service()["fingerprint"], **changes}
        headers = {"Content-Type": "application/json"}
        return ask(url, "PATCH", json.dumps(body).encode(), headers).ok

    wait_until(applied, 30, "the change to be accepted")
    wait_until(
        lambda: changes.items() <= world.backend_service().items(), 30, "the change to be applied"
    )


def fault(world: LaptopWorld, kind: str, method: str = "PATCH", **more: Any) -> None:  # any JSON
    """Have the Compute API fail the next request of this method on backend services."""
    rule = {"method": method, "path_contains": "backendServices", "times": 1, "kind": kind, **more}
    headers = {"Content-Type": "application/json"}
    url = f"{world.load_balancer.api_url}/_laptop/faults"
    assert ask(url, "POST", json.dumps([rule]).encode(), headers).ok


def is_commit(request: Request | Exchange) -> bool:
    """Whether this is a write of the state document."""
    return request.method == "POST" and b'"checkout.json"' in request.body[:400]


def is_patch(request: Request | Exchange) -> bool:
    """Whether this moves traffic."""
    return request.method == "PATCH"


def once(
    condition: Callable[[Request], bool], verdict: Treatment
) -> Callable[[Request], Treatment | None]:
    """A hook that gives the verdict to the first request that meets the condition."""
    left = threading.Semaphore(1)
    return lambda request: verdict if condition(request) and left.acquire(blocking=False) else None
