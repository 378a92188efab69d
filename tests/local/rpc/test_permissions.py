"""What each request takes, and how a refusal reads to Google's clients."""

from __future__ import annotations

import json

import pytest
import requests
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.objects import GcsObjects
from orchestrator.adapters.gcp.traffic import BackendServices
from orchestrator.core.exceptions import Unavailable
from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.pubsub.pubsub import Code, Draft, Pubsub, Refused
from orchestrator.local.pubsub.push_topic import PushTopic
from orchestrator.local.rpc.permissions import (
    IamRole,
    compute,
    compute_needs,
    storage,
    storage_needs,
)
from orchestrator.local.rpc.proxy import FaultProxy, OwnAnswer, Request, Review

SERVICE = "/compute/v1/projects/p/global/backendServices/checkout"
OBJECT = "/storage/v1/b/bucket/o/checkout.json"
UPLOAD = "/upload/storage/v1/b/bucket/o"


def backends(*groups: str) -> bytes:
    root = "https://www.googleapis.com/compute/v1/projects/p/"
    return json.dumps({"backends": [{"group": root + group} for group in groups]}).encode()


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    ("groups", "needed"),
    [
        ((), ()),
        (
            ("zones/a/instanceGroups/x", "regions/b/instanceGroups/y"),
            ("compute.instanceGroups.use", "compute.healthChecks.useReadOnly"),
        ),
        (
            ("zones/a/networkEndpointGroups/x",),
            ("compute.networkEndpointGroups.use", "compute.healthChecks.useReadOnly"),
        ),
        (("regions/a/networkEndpointGroups/x",), ("compute.regionNetworkEndpointGroups.use",)),
        (("global/networkEndpointGroups/x",), ("compute.globalNetworkEndpointGroups.use",)),
    ],
)
def test_a_write_takes_the_use_of_every_group_that_it_names(
    method: str, groups: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    assert compute_needs(method, SERVICE, backends(*groups)) == (
        "compute.backendServices.update",
        *needed,
    )


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", SERVICE, "compute.backendServices.get"),
        (
            "GET",
            "/compute/v1/projects/p/aggregated/backendServices",
            "compute.backendServices.list",
        ),
        ("POST", f"{SERVICE}/getHealth", "compute.backendServices.get"),
        ("GET", "/compute/v1/projects/p/global/operations/o", "compute.globalOperations.get"),
        ("POST", "/compute/v1/projects/p/global/operations/o/wait", "compute.globalOperations.get"),
        (
            "GET",
            "/compute/v1/projects/p/regions/r/networkEndpointGroups/n",
            "compute.regionNetworkEndpointGroups.get",
        ),
    ],
)
def test_a_question_to_compute_takes_its_one_permission(
    method: str, path: str, needed: str
) -> None:
    assert compute_needs(method, path, b"") == (needed,)


@pytest.mark.parametrize(
    ("method", "path", "query", "needed"),
    [
        ("GET", OBJECT, {"alt": ["media"]}, ("storage.objects.get",)),
        ("GET", f"/download{OBJECT}", {"alt": ["media"]}, ("storage.objects.get",)),
        ("GET", "/storage/v1/b/bucket/o", {}, ("storage.objects.list",)),
        ("DELETE", OBJECT, {}, ("storage.objects.delete",)),
        ("POST", UPLOAD, {"ifGenerationMatch": ["0"]}, ("storage.objects.create",)),
        (
            "POST",
            UPLOAD,
            {"ifGenerationMatch": ["7"]},
            ("storage.objects.create", "storage.objects.delete"),
        ),
        ("POST", UPLOAD, {}, ("storage.objects.create", "storage.objects.delete")),
        ("GET", "/storage/v1/b/bucket", {}, ()),
    ],
)
def test_a_request_to_storage_takes_what_it_does(
    method: str, path: str, query: dict[str, list[str]], needed: tuple[str, ...]
) -> None:
    assert storage_needs(method, path, query) == needed


def test_what_nobody_has_thought_of_is_refused() -> None:
    """Also to a role that has everything: the mapping must be told first."""
    everything = IamRole({"compute.backendServices.delete", "storage.buckets.delete"})
    for hook, path in ((compute(everything), SERVICE), (storage(everything), "/storage/v1/b/x")):
        verdict = hook(Request("DELETE", path, {}, b""))
        assert isinstance(verdict, OwnAnswer)
        assert verdict.status == 403


def test_a_role_remembers_what_was_used_and_not_what_was_refused() -> None:
    role = IamRole({"a", "b"})
    assert role.missing("a") == ""
    assert role.missing("b", "c") == "c"
    assert role.used == {"a"}


@pytest.mark.parametrize(("listing", "told"), [(True, None), (False, 403)])
def test_that_an_object_is_absent_is_told_to_those_only_who_may_list(
    listing: bool, told: int | None
) -> None:
    role = IamRole({"storage.objects.get"} | ({"storage.objects.list"} if listing else set()))
    verdict = storage(role)(Request("GET", OBJECT, {}, b""))
    assert isinstance(verdict, Review)
    answer = verdict.review(404)
    assert (answer.status if answer else None) == told
    assert verdict.review(200) is None


def test_the_clients_errors_name_the_permission() -> None:
    """As the adapters pass them on; nothing listens behind the guards."""
    nobody = url_of(free_port())
    role = IamRole({"storage.objects.get", "compute.backendServices.get"})
    with FaultProxy(nobody, storage(role)) as gcs, FaultProxy(nobody, compute(role)) as api:
        objects = GcsObjects("p", "bucket", "", AnonymousCredentials(), gcs.url)
        with pytest.raises(Unavailable, match=r"'storage\.objects\.create'"):
            objects.put("checkout.json", b"{}", 0)
        with pytest.raises(Unavailable, match=r"'storage\.objects\.list'"):
            objects.names("journal/")
        assert objects.missing_permissions() == ("storage.objects.create", "storage.objects.delete")
        session = requests.Session()
        traffic = BackendServices("p", api.url, lambda: session, AnonymousCredentials)
        body: dict[str, object] = {
            "fingerprint": "f",
            **json.loads(backends("zones/a/instanceGroups/x")),
        }
        with pytest.raises(Unavailable, match=r"'compute\.backendServices\.update'") as refused:
            traffic.patch("checkout", body)
        assert refused.value.page
        assert traffic.missing_permissions("checkout") == ("compute.backendServices.update",)
        session.close()


def test_a_publisher_needs_the_permission_to_publish() -> None:
    topic = PushTopic("failover-events")
    with Pubsub((topic,), IamRole(())) as pubsub:
        with pytest.raises(Refused, match=r"'pubsub\.topics\.publish'") as refused:
            pubsub.publish(topic.path, [Draft(b"x")])
        assert refused.value.code is Code.PERMISSION_DENIED
        pubsub.role = IamRole({"pubsub.topics.publish"})
        assert len(pubsub.publish(topic.path, [Draft(b"x")])) == 1
