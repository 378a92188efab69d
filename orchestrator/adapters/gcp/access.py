"""Who may do what: the IAM policies of topics, the bucket, Cloud Run services and the project.

By the APIs' own JSON over one authorised session: five policies of one form, each one request, with
their conditions (policy version 3). Read only, and by tools alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from orchestrator.adapters.gcp.error_kinds import kind_of, kind_of_status
from orchestrator.core.exceptions import FailoverError, Kind, Unavailable
from orchestrator.ports import Grant, Grants, Pushing

if TYPE_CHECKING:
    import requests

TIMEOUT = (2.0, 10.0)
"""Seconds to connect and to read, each request."""

PAGES = 50
"""Pages of a list that are read."""

VERSION = 3
"""Of a policy: with any lower one conditions are left out."""


class Api(StrEnum):
    """The APIs that have the policies."""

    PUBSUB = "pubsub"
    STORAGE = "storage"
    RUN = "run"
    PROJECTS = "cloudresourcemanager"


ENDPOINTS: Mapping[Api, str] = {api: f"https://{api}.googleapis.com" for api in Api}

_LOCATION = "cloud.googleapis.com/location"
_URLS = "run.googleapis.com/urls"
_FUNCTION = re.compile(
    r"(?P<region>[a-z]+-[a-z]+[0-9]+)-(?P<project>[a-z0-9.:-]+)\.cloudfunctions\.net"
)


class IamPolicies:
    """Implements `orchestrator.ports.Access`.

    bucket: that the state is in. session: an authorised one. without: the APIs that an emulator
    stands in for, which know no policies.
    """

    def __init__(
        self,
        project: str,
        bucket: str,
        session: Callable[[], requests.Session],
        without: Collection[Api] = (),
        endpoints: Mapping[Api, str] = ENDPOINTS,
    ) -> None:
        self._project = project
        self._bucket = bucket
        self._session = session
        self._without = without
        self._endpoints = endpoints

    def on_topic(self, topic: str) -> Grants | None:
        """By `projects.topics.getIamPolicy`."""
        path = f"v1/projects/{self._project}/topics/{quote(topic, safe='')}:getIamPolicy"
        query = {"options.requestedPolicyVersion": VERSION}
        return self._policy(Api.PUBSUB, path, "pubsub.topics.getIamPolicy", query)

    def on_bucket(self) -> Grants | None:
        """By `buckets.getIamPolicy`."""
        path = f"storage/v1/b/{quote(self._bucket, safe='')}/iam"
        query = {"optionsRequestedPolicyVersion": VERSION}
        return self._policy(Api.STORAGE, path, "storage.buckets.getIamPolicy", query)

    def on_function(self, service: str) -> Grants | None:
        """By `projects.locations.services.getIamPolicy`."""
        path = f"v2/{service}:getIamPolicy"
        query = {"options.requestedPolicyVersion": VERSION}
        return self._policy(Api.RUN, path, "run.services.getIamPolicy", query)

    def is_open(self, service: str) -> bool:
        """By the service's own switch, which takes the check away whatever its policy says."""
        if Api.RUN in self._without:
            return False
        found = self._asked(Api.RUN, "GET", f"v2/{service}", "run.services.get")
        return found.get("invokerIamDisabled", False) is not False

    def on_project(self) -> Grants | None:
        """By `projects.getIamPolicy`, which is a POST."""
        if Api.PROJECTS in self._without:
            return None
        path = f"v1/projects/{self._project}:getIamPolicy"
        body = {"options": {"requestedPolicyVersion": VERSION}}
        permission = "resourcemanager.projects.getIamPolicy"
        return _grants(self._asked(Api.PROJECTS, "POST", path, permission, json=body))

    def pushing(self, topic: str) -> tuple[Pushing, ...] | None:
        """Each subscription of the topic is asked for; one that is pulled is left out."""
        if Api.PUBSUB in self._without:
            return None
        path = f"v1/projects/{self._project}/topics/{quote(topic, safe='')}/subscriptions"
        names = self._listed(Api.PUBSUB, path, "pubsub.topics.get", "subscriptions", "pageToken")
        found = (self._subscription(str(name)) for name in names)
        return tuple(one for one in found if one.url)

    def behind(self, url: str) -> str:
        """By the URL itself where it names the service, else by the list of the project's."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if function := _FUNCTION.fullmatch(host):
            name = parts.path.strip("/").split("/")[0].lower().replace("_", "-")
            place = f"projects/{function['project']}/locations/{function['region']}"
            return f"{place}/services/{name}" if name else ""
        if not host.endswith(".run.app") or Api.RUN in self._without:
            return ""
        path = f"v1/projects/{self._project}/locations/-/services"
        every = self._listed(Api.RUN, path, "run.services.list", "items", "continue")
        return next((name for one in every for name in _named(one, host, self._project)), "")

    def _subscription(self, name: str) -> Pushing:
        found = self._asked(Api.PUBSUB, "GET", f"v1/{name}", "pubsub.subscriptions.get")
        config = _object(found.get("pushConfig"))
        identity = _object(config.get("oidcToken")).get("serviceAccountEmail")
        return Pushing(name, str(config.get("pushEndpoint") or ""), str(identity or ""))

    def _policy(
        self, api: Api, path: str, permission: str, query: Mapping[str, int]
    ) -> Grants | None:
        if api in self._without:
            return None
        return _grants(self._asked(api, "GET", path, permission, params=query))

    def _listed(self, api: Api, path: str, permission: str, field: str, token: str) -> list[Any]:
        """All pages of a list. Raises Unavailable, also when there are too many."""
        found: list[Any] = []
        query: dict[str, str] = {}
        for _ in range(PAGES):
            page = self._asked(api, "GET", path, permission, params=query)
            items = page.get(field)
            found += items if isinstance(items, list) else []
            more = page.get("nextPageToken") or _object(page.get("metadata")).get("continue")
            if not more:
                return found
            query = {token: str(more)}
        raise Unavailable(f"{path}: there are more than {PAGES} pages")

    def _asked(
        self, api: Api, method: str, path: str, permission: str, **arguments: Any
    ) -> dict[str, Any]:
        """The answer's JSON. permission: what the question takes, for the message."""
        try:
            answer = self._session().request(
                method, f"{self._endpoints[api]}/{path}", timeout=TIMEOUT, **arguments
            )
        except FailoverError:
            raise
        except Exception as error:
            text = f"{api} API, {path}: {type(error).__name__}"
            raise Unavailable(text, kind=kind_of(error)) from error
        if answer.ok and isinstance(found := _json(answer.content), dict):
            return found
        if answer.ok:
            raise Unavailable(f"{api} API, {path}: what came is no JSON object")
        kind = kind_of_status(answer.status_code)
        why = f"{permission} is missing" if kind is Kind.PERMISSION else _message(answer.content)
        raise Unavailable(f"{api} API, {path}: {answer.status_code}: {why}", kind=kind)


def _grants(policy: Mapping[str, Any]) -> Grants:
    """The bindings of a policy; one without any has none. Raises Unavailable for anything else."""
    bindings = policy.get("bindings", [])
    if not isinstance(bindings, list) or not all(map(_is_binding, bindings)):
        raise Unavailable("what came is no IAM policy")
    return tuple(
        Grant(
            str(one.get("role") or ""),
            tuple(map(str, one.get("members") or ())),
            str(_object(one.get("condition")).get("expression") or ""),
        )
        for one in bindings
    )


def _is_binding(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("members", []), list)


def _named(service: object, host: str, project: str) -> Iterator[str]:
    """The whole name of a service of the list, if it answers at this host."""
    meta = _object(_object(service).get("metadata"))
    urls = [_object(_object(service).get("status")).get("url")]
    more = _json(str(_object(meta.get("annotations")).get(_URLS) or "[]"))
    urls += more if isinstance(more, list) else []
    location = _object(meta.get("labels")).get(_LOCATION)
    if location and host in {(urlsplit(str(url)).hostname or "").lower() for url in urls}:
        yield f"projects/{project}/locations/{location}/services/{meta.get('name')}"


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(text: bytes | str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _message(content: bytes) -> str:
    told = _object(_object(_json(content)).get("error")).get("message")
    return str(told or "it did not say why")[:300]
