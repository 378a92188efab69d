"""Buckets, the functions, and the clock that ticks."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator

from terraform.gcloud.settings import Settings
from terraform.gcloud.step import Line, Step, Title, Words, flags, pairs

KINDS = {"alert": ("on_alert", "alerts"), "control": ("on_control", "control")}
"""Entry point and topic, by the kind of function."""

LOCATION = "US"
TICK = {"kind": "tick"}


def buckets(settings: Settings) -> Iterator[Step | Title | Line]:
    """The bucket of the state and that of the sources."""
    yield Title("the state bucket")
    yield _bucket(settings, settings.bucket, soft_delete_duration="7d")
    kept = flags(versioning=True, lifecycle_file=f"{settings.folder}/state_lifecycle.json")
    yield Step(("storage", "buckets", "update", f"gs://{settings.bucket}", *kept, *_label()))
    role = f"projects/{settings.project}/roles/{settings.role_prefix}_state"
    yield _may(settings, settings.bucket, "function", role)
    yield Title("the source archive")
    yield _bucket(settings, settings.source_bucket)
    kept = flags(versioning=True, lifecycle_file=f"{settings.folder}/source_lifecycle.json")
    yield Step(("storage", "buckets", "update", f"gs://{settings.source_bucket}", *kept, *_label()))
    yield _may(settings, settings.source_bucket, "builder", "roles/storage.objectViewer")
    yield Step(("storage", "cp", str(settings.archive), _source(settings)))


def functions(settings: Settings) -> Iterator[Step | Title | Line]:
    """In every region one for alerts and one for control, and who may call them."""
    yield Title("the functions (grants take effect within a minute or so)")
    yield Line("sleep 60")
    for kind in KINDS:
        for region in settings.regions:
            yield _function(settings, kind, region)
            name = f"{settings.name}-{kind}"
            where = (*flags(region=region, project=settings.project),)
            caller = _member(settings, "invoker", "roles/run.invoker")
            yield Step(
                (
                    "run",
                    "services",
                    "add-iam-policy-binding",
                    name,
                    *where,
                    *caller,
                    "--format=none",
                )
            )


def clock(settings: Settings) -> Iterator[Step | Title | Line]:
    """A tick a minute, from every region."""
    yield Title("the clock")
    topic = settings.topics["control"]
    yield Step(
        (
            *("pubsub", "topics", "add-iam-policy-binding", topic),
            *flags(project=settings.project),
            *_member(settings, "scheduler", "roles/pubsub.publisher"),
            "--format=none",
        )
    )
    for region in settings.regions:
        yield _job(settings, region, topic)


def files(settings: Settings) -> dict[str, str]:
    """The lifecycles of the buckets."""
    journal = [f"{settings.prefix}journal/"]
    state: list[dict[str, object]] = [
        {"age": 400, "matchesPrefix": journal},
        {"daysSinceNoncurrentTime": 30, "numNewerVersions": 100},
        {"daysSinceNoncurrentTime": 30, "matchesPrefix": journal},
    ]
    return {
        "state_lifecycle.json": _lifecycle(state),
        "source_lifecycle.json": _lifecycle([{"daysSinceNoncurrentTime": 90}]),
    }


def _lifecycle(conditions: list[dict[str, object]]) -> str:
    rules = [{"action": {"type": "Delete"}, "condition": one} for one in conditions]
    return json.dumps({"rule": rules}, indent=2)


def _bucket(settings: Settings, name: str, **more: object) -> Step:
    given = flags(
        project=settings.project,
        location=LOCATION,
        default_storage_class="STANDARD",
        uniform_bucket_level_access=True,
        public_access_prevention=True,
        **more,
    )
    return Step(
        ("storage", "buckets", "create", f"gs://{name}", *given),
        look=("storage", "buckets", "describe", f"gs://{name}"),
    )


def _may(settings: Settings, bucket: str, use: str, role: str) -> Step:
    verb = ("storage", "buckets", "add-iam-policy-binding", f"gs://{bucket}")
    return Step((*verb, *_member(settings, use, role), "--format=none"))


def _source(settings: Settings) -> str:
    digest = hashlib.md5(settings.archive.read_bytes(), usedforsecurity=False).hexdigest()
    return f"gs://{settings.source_bucket}/source-{digest}.zip"


def _function(settings: Settings, kind: str, region: str) -> Step:
    builder = f"projects/{settings.project}/serviceAccounts/{settings.account('builder')}"
    environment = {"FAILOVER_INSTANCE": region, "GOOGLE_CLOUD_PROJECT": settings.project}
    given = flags(
        gen2=True,
        project=settings.project,
        region=region,
        runtime="python313",
        source=_source(settings),
        entry_point=KINDS[kind][0],
        trigger_http=True,
        no_allow_unauthenticated=True,
        ingress_settings="internal-only",
        run_service_account=settings.account("function"),
        build_service_account=builder,
        cpu=1,
        memory="512Mi",
        timeout="540s",
        min_instances=1 if kind == "alert" else 0,
        max_instances=5,
        concurrency=10,
        set_env_vars=pairs(environment),
        update_labels="component=region-failover",
    )
    return Step(("functions", "deploy", f"{settings.name}-{kind}", *given, "--quiet"))


def _job(settings: Settings, region: str, topic: str) -> Step:
    where = flags(location=region, project=settings.project)
    data = base64.b64encode(json.dumps(TICK, separators=(",", ":")).encode()).decode()
    path = f"projects/{settings.project}/topics/{topic}"
    given = flags(
        description="Has the orchestrator look at everything: events for speed, ticks for truth.",
        schedule="* * * * *",
        time_zone="Etc/UTC",
        attempt_deadline="30s",
        max_retry_attempts=0,
        http_method="post",
        uri=f"https://pubsub.googleapis.com/v1/{path}:publish",
        headers="Content-Type=application/json",
        message_body=json.dumps({"messages": [{"data": data}]}, separators=(",", ":")),
        oauth_service_account_email=settings.account("scheduler"),
        oauth_token_scope="https://www.googleapis.com/auth/pubsub",  # noqa: S106  # what a token may do, none itself
    )
    name = f"{settings.name}-tick"
    return Step(
        ("scheduler", "jobs", "create", "http", name, *where, *given),
        look=("scheduler", "jobs", "describe", name, *where),
    )


def _member(settings: Settings, use: str, role: str) -> Words:
    return flags(member=f"serviceAccount:{settings.account(use)}", role=role)


def _label() -> Words:
    return flags(update_labels="component=region-failover")
