"""One contract for every implementation of the port `Access`: the fake, and the APIs' own JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from orchestrator.adapters.gcp.access import Api, IamPolicies
from orchestrator.core.exceptions import Kind, Unavailable
from orchestrator.ports import Access, Grant, Grants, Pushing
from tests.support.fakes import FakeAccess
from tests.support.station import Asked, Said, Station

SERVICE = "projects/laptop/locations/us-east4/services/failover-alerts"
URL = "https://failover-alerts-abc-uk.a.run.app"
OTHER = "https://failover-alerts-123.us-east4.run.app"
ALERTS = Pushing("projects/laptop/subscriptions/failover-alerts", URL, "push@laptop")
PULLED = Pushing("projects/laptop/subscriptions/someone-elses", "", "")
BARE = Pushing("projects/laptop/subscriptions/bare", OTHER, "")
GRANTED = (
    Grant("roles/some.role", ("user:alice@example.com", "group:ops@example.com")),
    Grant("roles/other", ("allUsers",), "request.time < timestamp('2030-01-01T00:00:00Z')"),
)

WHERE = {
    "topic alerts": ("GET", "/v1/projects/laptop/topics/alerts:getIamPolicy"),
    "bucket": ("GET", "/storage/v1/b/laptop-failover/iam"),
    f"function {SERVICE}": ("GET", f"/v2/{SERVICE}:getIamPolicy"),
    "project": ("POST", "/v1/projects/laptop:getIamPolicy"),
}
READ: dict[str, Callable[[Access], Grants | None]] = {
    "topic alerts": lambda access: access.on_topic("alerts"),
    "bucket": lambda access: access.on_bucket(),
    f"function {SERVICE}": lambda access: access.on_function(SERVICE),
    "project": lambda access: access.on_project(),
}
PERMISSIONS = {
    "topic alerts": "pubsub.topics.getIamPolicy",
    "bucket": "storage.buckets.getIamPolicy",
    f"function {SERVICE}": "run.services.getIamPolicy",
    "project": "resourcemanager.projects.getIamPolicy",
}


@dataclass
class Made:
    """One implementation, what it is given to find, and what it may not read."""

    access: Access
    grant: Callable[[str], None]
    open: Callable[[], None]
    refuse: Callable[[str], None]


def _fake(_: ExitStack) -> Made:
    made = FakeAccess()
    made.doors["alerts"] = [ALERTS, BARE]
    made.services = dict.fromkeys((URL, OTHER), SERVICE)

    def refuse(what: str) -> None:
        made.refused[what] = Unavailable(f"{PERMISSIONS[what]} is missing", kind=Kind.PERMISSION)

    def grant(what: str) -> None:
        made.bindings[what] = list(GRANTED)

    return Made(made, grant, lambda: made.opened.add(SERVICE), refuse)


class Google:
    """The APIs, each policy at its own path, with pages of one item."""

    def __init__(self) -> None:
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}
        self.refused: set[tuple[str, str]] = set()
        self.service: dict[str, Any] = {"name": SERVICE}
        self.station = Station(self.answer)

    def answer(self, asked: Asked) -> Said:
        """What lies there; a policy without bindings where nothing was granted."""
        path, _, query = asked.path.partition("?")
        place = (asked.method, path)
        if place in self.refused:
            return Said(403, b'{"error": {"message": "no"}}')
        if path.endswith("/topics/alerts/subscriptions"):
            names = [ALERTS.name, PULLED.name, BARE.name]
            return _page("subscriptions", names, "nextPageToken", query)
        if path.startswith("/v1/projects/laptop/subscriptions/"):
            return _json(_subscription(f"{path.removeprefix('/v1/')}"))
        if path == f"/v2/{SERVICE}":
            return _json(self.service)
        if path.endswith("/locations/-/services"):
            return _page("items", [_knative("other"), _knative("failover-alerts")], "", query)
        versioned = b"requestedPolicyVersion" in asked.body or "PolicyVersion=3" in query
        assert versioned, asked
        return _json(self.policies.get(place, {"etag": "ACAB"}))


def _json(value: object) -> Said:
    return Said(200, json.dumps(value).encode())


def _page(field: str, items: list[Any], token: str, query: str) -> Said:
    """One item of a list; token: the field that leads on, empty for `metadata.continue`."""
    at = int(query.rpartition("=")[2] or 0)
    more = str(at + 1) if at + 1 < len(items) else ""
    page: dict[str, Any] = {field: [items[at]], "metadata": {"continue": "" if token else more}}
    return _json(page | ({token: more} if token else {}))


def _subscription(name: str) -> dict[str, Any]:
    found = next(one for one in (ALERTS, PULLED, BARE) if one.name == name)
    config: dict[str, Any] = {"pushEndpoint": found.url} if found.url else {}
    if found.identity:
        config["oidcToken"] = {"serviceAccountEmail": found.identity}
    return {"name": name, "pushConfig": config}


def _knative(name: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {"cloud.googleapis.com/location": "us-east4"},
            "annotations": {
                "run.googleapis.com/urls": json.dumps([f"https://{name}-123.us-east4.run.app"])
            },
        },
        "status": {"url": f"https://{name}-abc-uk.a.run.app"},
    }


def _api(life: ExitStack) -> Made:
    google = Google()
    life.enter_context(closing(google.station))
    endpoints = dict.fromkeys(Api, google.station.url)
    made = IamPolicies("laptop", "laptop-failover", requests.Session, (), endpoints)
    bindings = [
        {"role": one.role, "members": list(one.members)}
        | ({"condition": {"expression": one.condition}} if one.condition else {})
        for one in GRANTED
    ]
    return Made(
        made,
        lambda what: google.policies.update({WHERE[what]: {"bindings": bindings}}),
        lambda: google.service.update(invokerIamDisabled=True),
        lambda what: google.refused.add(WHERE[what]),
    )


@pytest.fixture(params=[_fake, _api], ids=["fake", "api"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    with ExitStack() as life:
        yield request.param(life)


@pytest.mark.parametrize("what", READ)
def test_a_policy_is_read_with_its_conditions(made: Made, what: str) -> None:
    assert READ[what](made.access) == ()
    made.grant(what)
    assert READ[what](made.access) == GRANTED


@pytest.mark.parametrize("what", READ)
def test_a_policy_that_may_not_be_read_is_an_error_that_names_the_permission(
    made: Made, what: str
) -> None:
    made.refuse(what)
    with pytest.raises(Unavailable, match=PERMISSIONS[what]) as caught:
        READ[what](made.access)
    assert caught.value.kind is Kind.PERMISSION


def test_a_service_that_asks_nobody_who_calls_is_told_from_one_that_does(made: Made) -> None:
    assert not made.access.is_open(SERVICE)
    made.open()
    assert made.access.is_open(SERVICE)


def test_the_push_subscriptions_of_a_topic_are_found_and_not_the_others(made: Made) -> None:
    assert made.access.pushing("alerts") == (ALERTS, BARE)


def test_the_service_behind_a_url_is_found_by_any_of_its_urls(made: Made) -> None:
    assert made.access.behind(URL) == SERVICE
    assert made.access.behind(OTHER) == SERVICE
    assert made.access.behind("https://elsewhere.example.com/push") == ""


def test_the_older_url_of_a_function_names_its_service() -> None:
    """Nothing is asked for it: this session would raise."""
    access = IamPolicies("laptop", "b", _nobody)
    url = "https://us-east4-my-project.cloudfunctions.net/Failover_Alerts"
    assert access.behind(url) == "projects/my-project/locations/us-east4/services/failover-alerts"
    assert access.behind("https://us-east4-my-project.cloudfunctions.net/") == ""


def _nobody() -> requests.Session:
    raise AssertionError


def test_what_is_emulated_has_no_policy_and_is_not_asked() -> None:
    access = IamPolicies("laptop", "b", _nobody, frozenset(Api))
    assert [read(access) for read in READ.values()] == [None] * 4
    assert access.pushing("alerts") is None
    assert access.behind(URL) == ""
    assert not access.is_open(SERVICE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"bindings": 7}',
        b'{"bindings": [{"members": "allUsers"}]}',
    ],
)
def test_an_answer_that_is_no_policy_is_unknown_and_never_an_empty_policy(body: bytes) -> None:
    with closing(Station(lambda _: Said(200, body))) as station:
        endpoints = dict.fromkeys(Api, station.url)
        access = IamPolicies("laptop", "b", requests.Session, (), endpoints)
        for read in READ.values():
            with pytest.raises(Unavailable):
                read(access)
