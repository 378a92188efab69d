"""Buckets, the functions, and the clock that ticks."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator

from deploy.gcloud import messaging
from deploy.gcloud.settings import KINDS, Settings
from deploy.gcloud.step import AnyStep, Gone, Line, Step, Title, Word, Words, flags, pairs

LOCATION = "US"
TICK = {"kind": "tick"}


def buckets(settings: Settings) -> Iterator[AnyStep]:
    """The bucket of the state and that of the sources."""
    yield Title("the state bucket")
    yield _bucket(settings, settings.bucket, soft_delete_duration="7d")
    kept = flags(versioning=True, lifecycle_file=f"{settings.folder}/state_lifecycle.json")
    yield Step(("storage", "buckets", "update", f"gs://{settings.bucket}", *kept, *_label()))
    root = f"projects/{settings.project}/roles/{settings.role_prefix}"
    yield _may(settings, settings.bucket, "function", f"{root}_journal", "journal")
    yield _may(settings, settings.bucket, "function", f"{root}_state", "documents")
    whole = _member(settings, "function", f"{root}_state")
    verb = ("storage", "buckets", "remove-iam-policy-binding", f"gs://{settings.bucket}")
    yield Gone((*verb, *whole, "--condition=None", "--format=none"))
    yield Title("the source archive")
    yield _bucket(settings, settings.source_bucket)
    kept = flags(versioning=True, lifecycle_file=f"{settings.folder}/source_lifecycle.json")
    yield Step(("storage", "buckets", "update", f"gs://{settings.source_bucket}", *kept, *_label()))
    yield _may(settings, settings.source_bucket, "builder", "roles/storage.objectViewer")
    yield Step(("storage", "cp", str(settings.archive), _source(settings)))


def functions(settings: Settings) -> Iterator[AnyStep]:
    """In every region one for alerts and one for control, each with its subscription and invoker.

    One after the other, the subscription first: Cloud Run takes its token already, and the function
    that is built meanwhile will ask for it. So alerts are taken all the time, and ticks in all
    regions but the one that is being built.
    """
    yield Title("the functions (grants take effect within a minute or so)")
    yield Line("sleep 60")
    for kind in KINDS:
        for region in settings.regions:
            yield from messaging.push(settings, kind, region)
            yield _function(settings, kind, region)
            where = flags(region=region, project=settings.project)
            file = f"{settings.folder}/invoker_{kind}.json"
            verb = ("run", "services", "set-iam-policy", settings.function(kind), file)
            yield Step((*verb, *where, "--quiet", "--format=none"))


def clock(settings: Settings) -> Iterator[AnyStep]:
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
    """The lifecycles of the buckets, and all who may call the functions."""
    journal = [f"{settings.prefix}journal/"]
    state: list[dict[str, object]] = [
        {"age": 400, "matchesPrefix": journal},
        {"daysSinceNoncurrentTime": 30, "numNewerVersions": 100},
        {"daysSinceNoncurrentTime": 30, "matchesPrefix": journal},
    ]
    return {
        "state_lifecycle.json": _lifecycle(state),
        "source_lifecycle.json": _lifecycle([{"daysSinceNoncurrentTime": 90}]),
        **{f"invoker_{kind}.json": _invoker(settings, kind) for kind in KINDS},
    }


def _invoker(settings: Settings, kind: str) -> str:
    """A whole policy: nobody else may call."""
    member = f"serviceAccount:{settings.account(KINDS[kind].account)}"
    return json.dumps({"bindings": [{"role": "roles/run.invoker", "members": [member]}]}, indent=2)


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


def _may(settings: Settings, bucket: str, use: str, role: str, condition: str = "") -> Step:
    verb = ("storage", "buckets", "add-iam-policy-binding", f"gs://{bucket}")
    file = f"{settings.folder}/{condition}.json" if condition else None
    given = (*_member(settings, use, role), *flags(condition_from_file=file))
    return Step((*verb, *given, "--format=none"))


def _source(settings: Settings) -> str:
    digest = hashlib.md5(settings.archive.read_bytes(), usedforsecurity=False).hexdigest()
    return f"gs://{settings.source_bucket}/source-{digest}.zip"


def _function(settings: Settings, kind: str, region: str) -> Step:
    builder = f"projects/{settings.project}/serviceAccounts/{settings.account('builder')}"
    project, subscription = settings.project, settings.subscription(kind, region)
    environment: dict[str, str | Word] = {
        "FAILOVER_INSTANCE": region,
        "FAILOVER_PUSH_AUDIENCE": settings.url(kind, region),
        "FAILOVER_PUSH_IAM": "closed",
        "FAILOVER_PUSH_IDENTITY": settings.account(KINDS[kind].account),
        "FAILOVER_PUSH_SUBSCRIPTION": f"projects/{project}/subscriptions/{subscription}",
        "GOOGLE_CLOUD_PROJECT": project,
    }
    given = flags(
        gen2=True,
        project=settings.project,
        region=region,
        runtime="python313",
        source=_source(settings),
        entry_point=KINDS[kind].entry_point,
        trigger_http=True,
        no_allow_unauthenticated=True,
        ingress_settings="internal-only",
        run_service_account=settings.account("function"),
        build_service_account=builder,
        docker_repository=settings.repository(region),
        cpu=1,
        memory="512Mi",
        timeout="540s",
        min_instances=1 if kind == "alert" else 0,
        max_instances=5,
        concurrency=10,
        set_env_vars=pairs(environment),
        update_labels="component=region-failover",
    )
    return Step(("functions", "deploy", settings.function(kind), *given, "--quiet"))


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
