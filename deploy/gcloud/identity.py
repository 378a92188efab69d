"""APIs, service accounts, roles and who has them: least privilege, and no keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from deploy.gcloud.settings import Settings
from deploy.gcloud.step import AnyStep, Gone, Replace, Step, Title, Variable, Words, flags

APIS = (
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudscheduler", "compute", "iam",
    "logging", "monitoring", "pubsub", "run", "storage",
)  # fmt: skip

ACCOUNTS = {
    "function": "the functions",
    "invoker": "Pub/Sub pushes alerts as this",
    "push-control": "Pub/Sub pushes ticks and commands as this",
    "scheduler": "Cloud Scheduler publishes ticks as this",
    "builder": "builds the functions",
}

ATTACH = (
    ("/instanceGroups/", ("compute.healthChecks.useReadOnly", "compute.instanceGroups.use")),
    (
        "/zones/[^/]+/networkEndpointGroups/",
        ("compute.healthChecks.useReadOnly", "compute.networkEndpointGroups.use"),
    ),
    (
        "/regions/[^/]+/networkEndpointGroups/",
        ("compute.regionNetworkEndpointGroups.get", "compute.regionNetworkEndpointGroups.use"),
    ),
)
"""What changing a backend service asks for besides, by what is behind it."""

CONFIRM = ("monitoring.timeSeries.list",)
GAUGES = (
    "monitoring.metricDescriptors.create", "monitoring.metricDescriptors.get",
    "monitoring.timeSeries.create",
)  # fmt: skip
ROUTE = ("compute.backendServices.get", "compute.backendServices.update")
STATE = (
    "storage.objects.create", "storage.objects.delete",
    "storage.objects.get", "storage.objects.list",
)  # fmt: skip
JOURNAL = ("storage.objects.create", "storage.objects.get", "storage.objects.list")


def steps(settings: Settings) -> Iterator[AnyStep]:
    """APIs, the project's number, accounts, roles and the grants on the project."""
    project = settings.project
    yield Title("APIs, and the project's number")
    yield Step(("services", "enable", *(f"{api}.googleapis.com" for api in APIS), *_in(project)))
    number, asked = Variable("number"), flags(format="value(projectNumber)")
    yield Step(("projects", "describe", project, *asked), into=number)
    yield Title("identities: none has a key")
    for use, what in ACCOUNTS.items():
        yield _account(settings, use, what)
    yield Title("what the function may do")
    for role, (title, permissions) in roles(settings).items():
        yield _role(project, role, title, permissions)
    yield _grant(settings, "function", f"projects/{project}/roles/{settings.role_prefix}_route",
                 "backend_services")  # fmt: skip
    yield _grant(settings, "function", f"projects/{project}/roles/{settings.role_prefix}_attach")
    if monitor(settings):
        yield _grant(settings, "function",
                     f"projects/{project}/roles/{settings.role_prefix}_monitor")  # fmt: skip
    yield Title("what builds the function may do")
    for region in settings.regions:
        yield from _images(settings, region)
    yield _grant(settings, "builder", "roles/logging.logWriter")
    copies = f"{settings.folder}/source_copies.json"
    yield Replace("@NUMBER@", number, f"{copies}.in", copies)
    yield _grant(settings, "builder", "roles/storage.objectViewer", "source_copies")
    yield Title("what older versions gave the builder: every image of the project")
    verb, role = ("projects", "remove-iam-policy-binding", project), "roles/artifactregistry.writer"
    builder = flags(member=f"serviceAccount:{settings.account('builder')}", role=role)
    yield Gone((*verb, *builder, "--condition=None", "--format=none"))


def roles(settings: Settings) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Title and permissions of our roles, by id."""
    found = [names for group in settings.groups for kind, names in ATTACH if re.search(kind, group)]
    attach = {"compute.globalOperations.get"}.union(*found)
    prefix = settings.role_prefix
    made = {
        f"{prefix}_route": ("Failover orchestrator: backend services", ROUTE),
        f"{prefix}_attach": ("Failover orchestrator: groups", tuple(sorted(attach))),
        f"{prefix}_journal": ("Failover orchestrator: journal", JOURNAL),
        f"{prefix}_state": ("Failover orchestrator: state", STATE),
    }
    if asked := monitor(settings):
        made[f"{prefix}_monitor"] = ("Failover orchestrator: Monitoring", asked)
    return made


def monitor(settings: Settings) -> tuple[str, ...]:
    """What failover.yaml has the function ask of Monitoring; often nothing."""
    return (GAUGES if settings.gauges else ()) + (CONFIRM if settings.confirms else ())


def files(settings: Settings) -> dict[str, str]:
    """The conditions of the grants."""
    root = f"projects/{settings.project}/global/backendServices/"
    only = " || ".join(
        f"resource.name == {_literal(root + name)}" for name in settings.backend_services
    )
    sources = "projects/_/buckets/gcf-v2-sources-@NUMBER@-"
    copies = [f"{sources}{region}/" for region in sorted(settings.regions)]
    journal = f"projects/_/buckets/{settings.bucket}/objects/{settings.prefix}journal/"
    prefix = settings.role_prefix
    return {
        "backend_services.json": _condition(
            f"{prefix}_backend_services", "Only what failover.yaml names.", only
        ),
        "source_copies.json.in": _condition(
            f"{prefix}_source_copies",
            "Only the copies of sources that Cloud Functions makes in our regions.",
            " || ".join(map(_begins, copies)),
        ),
        "journal.json": _condition(
            f"{prefix}_journal", "The journal: to be added to.", _begins(journal)
        ),
        "documents.json": _condition(
            f"{prefix}_documents", "Everything but the journal.", f"!{_begins(journal)}"
        ),
    }


def _begins(name: str) -> str:
    return f"resource.name.startsWith({_literal(name)})"


def _literal(text: str) -> str:
    """A text as an expression has it, in which quotes end nothing."""
    return json.dumps(text)


def _condition(title: str, description: str, expression: str) -> str:
    made = {"title": title, "description": description, "expression": expression}
    return json.dumps(made, indent=2)


def _images(settings: Settings, region: str) -> Iterator[AnyStep]:
    """A repository of our own: Cloud Functions' has the images of every function of the project."""
    name, where = f"{settings.name}-functions", flags(location=region, project=settings.project)
    text = flags(description="Images of the failover orchestrator's functions.")
    kind = flags(repository_format="docker", labels="component=region-failover")
    verb = ("artifacts", "repositories")
    yield Step((*verb, "create", name, *where, *kind, *text),
               look=(*verb, "describe", name, *where))  # fmt: skip
    role = "roles/artifactregistry.writer"
    member = flags(member=f"serviceAccount:{settings.account('builder')}", role=role)
    yield Step((*verb, "add-iam-policy-binding", name, *where, *member, "--format=none"))


def _account(settings: Settings, use: str, what: str) -> Step:
    text = flags(display_name=f"Failover orchestrator: {what}")
    verb = ("iam", "service-accounts")
    return Step(
        (*verb, "create", f"{settings.name}-{use}", *text, *_in(settings.project)),
        look=(*verb, "describe", settings.account(use), *_in(settings.project)),
    )


def _role(project: str, role: str, title: str, permissions: tuple[str, ...]) -> Step:
    given = (*flags(title=title, permissions=",".join(permissions)), *_in(project))
    return Step(
        ("iam", "roles", "create", role, *given),
        look=("iam", "roles", "describe", role, *_in(project)),
        change=("iam", "roles", "update", role, *given, "--quiet"),
    )


def _grant(settings: Settings, use: str, role: str, condition: str = "") -> Step:
    file = f"{settings.folder}/{condition}.json"
    given = flags(condition_from_file=file) if condition else flags(condition="None")
    member = flags(member=f"serviceAccount:{settings.account(use)}", role=role)
    quiet = flags(format="none")
    return Step(("projects", "add-iam-policy-binding", settings.project, *member, *given, *quiet))


def _in(project: str) -> Words:
    return flags(project=project)
