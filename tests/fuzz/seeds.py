"""What each reader reads usually: where a fuzzer begins."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.config import load
from orchestrator.core.document.codec import encode
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import State, Tick
from orchestrator.core.policy import Service
from tests.support.fakes import START, configuration, group, lab

HttpAnswer = http.client.HTTPResponse


class Inline(ThreadPoolExecutor):
    """An executor that does it at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Done when it returns."""
        made: Future[Any] = Future()
        try:
            made.set_result(fn(*args, **kwargs))
        except FailoverError as error:
            made.set_exception(error)
        return made


INLINE = Inline(1)
TICK = Tick()


def services() -> dict[str, Service]:
    """`checkout` in three regions, and `search` in two of them and one of its own."""
    told = configuration()
    search = json.loads(json.dumps(told["services"]["checkout"]))
    search["traffic"]["backend_service"] = "search"
    search["regions"]["ap-south-1"] = search["regions"].pop("eu-west-1")
    for name, region in search["regions"].items():
        region["endpoint"] = f"dynamodb.{name}.amazonaws.com"
        region["health_url"] = f"https://{name}.search.example.com:8443/health"
        region["check_id"] = f"search-{name}"
        region["backend"] = group(name).replace("checkout", "search")
    told["services"]["search"] = search
    return dict(load(json.dumps(told), "fuzz").services)


def _bytes(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


def envelopes(alerts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Pub/Sub's push, and a CloudEvent in both of its forms."""
    data = base64.b64encode(next(iter(alerts))).decode()
    push = {"message": {"data": data, "messageId": "1", "publishTime": "2026-11-23T05:00:00.1Z"}}
    snake = {"message": {"data": data, "message_id": "1", "publish_time": 1763874000}}
    whole = base64.b64encode(json.dumps(push).encode()).decode()
    event = {"specversion": "1.0", "id": "1", "source": "x", "type": "y"}
    return _bytes(push, snake, {**event, "data": push}, {**event, "data_base64": whole})


def alerts() -> tuple[bytes, ...]:
    """Notifications that name a region in each way, with all fields."""
    incident = {
        "incident_id": "0.abc",
        "state": "open",
        "started_at": int(START.timestamp()) - 60,
        "ended_at": None,
        "policy_name": "checkout is failing",
        "condition_name": "uptime",
        "policy_user_labels": {"service": "checkout", "region": "us-east-1"},
        "resource": {"type": "uptime_url", "labels": {"host": "us-east-1.checkout.example.com"}},
        "metric": {"labels": {"check_id": "checkout-us-east-1"}},
        "condition": {"conditionThreshold": {"filter": 'metric.labels.check_id = "checkout-x"'}},
    }
    bare = {**incident, "policy_user_labels": {}, "started_at": "2026-11-23T04:59:00+00:00"}
    closed = {**incident, "state": "closed", "ended_at": int(START.timestamp())}
    unnamed = {**incident, "policy_user_labels": {"region": "us-east-1"}, "incident_id": ""}
    told = [{"version": "1.2", "incident": one} for one in (incident, bare, closed, unnamed)]
    return _bytes(*told)


def commands() -> tuple[bytes, ...]:
    """A tick, and a command of each kind."""
    given = {"kind": "command", "id": "c1", "actor": "alice", "reason": "a drill"}
    given["issued_at"] = START.isoformat()
    until = (START + timedelta(hours=2)).isoformat()
    move = {**given, "verb": "failover", "service": "checkout", "to": "us-west-2", "now": True}
    return _bytes(
        {"kind": "tick"},
        {**move, "override": "target_healthy"},
        {**given, "verb": "failback", "service": "checkout"},
        {**given, "verb": "evacuate", "region": "us-east-1"},
        {**given, "verb": "freeze", "until": until},
        {**given, "verb": "unfreeze", "issued_at": 1763874000},
        {**given, "verb": "ack", "service": "search"},
    )


def conditions() -> tuple[bytes, ...]:
    """Filters and queries."""
    return (
        b'metric.type="x" AND metric.labels.check_id="checkout-x1" AND resource.type="uptime_url"',
        b"fetch uptime_url | filter (metric.check_id == 'a' || metric.check_id =~ 'b|c')",
        b'sum({"check_id"="x"} unless on(y) {check_id!~"z.*"}) > 1 and not one_of("a", "b")',
        b'check_id = one_of("a","b") OR -check_id:x',
    )


def files() -> tuple[bytes, ...]:
    """The examples, and a file in JSON."""
    paths = (Path("failover.yaml"), Path("examples/failover-local.yaml"))
    return (*(path.read_bytes() for path in paths), json.dumps(configuration(), indent=1).encode())


@cache
def state() -> State:
    """A document that was just made."""
    world = lab()
    world.executor = INLINE
    world.tick()
    world.command("freeze", until=START + timedelta(minutes=1))
    return world.state


@cache
def documents() -> tuple[bytes, ...]:
    """Documents after a failover, frozen, in a switch, active-active, with attached standbys."""
    made = [encode(state())]
    worlds: tuple[dict[str, Any], ...] = (
        {},
        {"mode": "active-active"},
        {"lever": "membership"},
        {"standby": "attached"},
    )
    for overrides in worlds:
        world = lab(**overrides)
        world.executor = INLINE
        world.tick()
        world.down("us-east-1")
        world.handle(world.opened("us-east-1"))
        made.append(json.dumps(world.document).encode())
        world.down()
        world.tick(times=4)
        world.command("failback" if overrides.get("mode") is None else "evacuate", "us-west-2")
        made.append(json.dumps(world.document).encode())
    return tuple(made)


def flats() -> tuple[bytes, ...]:
    """The older file."""
    up = {"endpoint": "dynamodb.us-east-1.amazonaws.com", "healthy": True, "more": [1]}
    return _bytes({"us-east-1": up, "us-west-2": {**up, "healthy": False}, "ap-south-1": {}})


def healths() -> tuple[bytes, ...]:
    """What health endpoints answer."""
    lags = {"us-east-1": 0.5, "us-west-2": None, "eu-west-1": 3}
    told = {"status": "ok", "region": "us-east-1", "epoch": 7, "replication_lag_seconds": lags}
    return (*_bytes(told, {"status": "lingering", "epoch": 0}, {}), b"")


def marks() -> tuple[bytes, ...]:
    """Descriptions with marks of ours and of others, in text and in JSON."""
    mine = "failover epoch=7 service=checkout rev=1763874000123456"
    other = "failover epoch=9 service=other rev=12 frozen=1800000000"
    return (
        mine.encode(),
        f"{mine} frozen=1800000000 made by hand {other}".encode(),
        f'{{"failover-checkout":"{mine}","k8s":{{"a":1}}}}'.encode(),
        f'{{"failover-other":"{other}"}}'.encode(),
        f"failover epoch=7 service=check{mine}out rev=1 ".encode() * 3,
        f"{other} ".encode() * 30 + b"x" * 900,
    )


def urls() -> tuple[bytes, ...]:
    """URLs of every kind."""
    return (
        b"https://use4.checkout.example.com:8443/healthz?x=1",
        b"http://[::1]:80/health",
        b"dynamodb.us-east-1.amazonaws.com",
        b"https://dynamodb.us-east-1.amazonaws.com:443",
        b"rediss://user:secret-word@host:6379/0?key=failover:checkout",
        b"redis://[fe80::1]:6379/1?password_env=X",
        b"gs://my-bucket/folder/checkout.json",
        b"file:///some/folder/checkout.json",
        b"ssm://us-east-1/failover/checkout",
        b"https://www.googleapis.com/compute/v1/projects/p/zones/us-east4-*/instanceGroups/g",
        b"projects/p/regions/us-east4/networkEndpointGroups/checkout-use4",
    )
