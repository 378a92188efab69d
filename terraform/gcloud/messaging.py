"""Topics, the push subscriptions that bring their messages, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator

from terraform.gcloud.functions import KINDS
from terraform.gcloud.settings import Settings
from terraform.gcloud.step import Line, Step, Title, Variable, Word, Words, flags, word

NUMBER = Variable("number")
"""The project's number, which the script asks for first."""

AGENT = word("serviceAccount:service-", NUMBER, "@gcp-sa-pubsub.iam.gserviceaccount.com")
URI = Variable("uri")
LABELS = "component=region-failover"


def topics(settings: Settings) -> Iterator[Step | Title | Line]:
    """The topics, and Pub/Sub's own identity, which signs pushes and moves dead letters."""
    yield Title("topics")
    agent = ("beta", "services", "identity", "create", "--service=pubsub.googleapis.com")
    yield Step((*agent, *_in(settings)))
    for name in (*settings.topics.values(), dead_letters(settings)):
        yield _once(settings, "topics", name, *flags(labels=LABELS))
    if events := settings.topics.get("events"):
        member = f"serviceAccount:{settings.account('function')}"
        yield _grant(settings, "topics", events, member, "roles/pubsub.publisher")


def subscriptions(settings: Settings) -> Iterator[Step | Title | Line]:
    """One push subscription for every function; dead letters wait for people."""
    yield Title("what the invoker needs of Pub/Sub")
    invoker = settings.account("invoker")
    role = flags(member=AGENT, role="roles/iam.serviceAccountOpenIdTokenCreator")
    verb = ("iam", "service-accounts", "add-iam-policy-binding", invoker)
    yield Step((*verb, *_in(settings), *role, "--format=none"))
    yield Title("dead letters")
    dead = dead_letters(settings)
    kept = flags(topic=dead, message_retention_duration="14d", expiration_period="never")
    yield _once(settings, "subscriptions", dead, *kept, *flags(labels=LABELS))
    yield _grant(settings, "topics", dead, AGENT, "roles/pubsub.publisher")
    yield Title("to the functions")
    for kind in KINDS:
        for region in settings.regions:
            yield from _push(settings, kind, region)


def names(settings: Settings) -> list[str]:
    """The names of the push subscriptions."""
    return sorted(f"{settings.name}-{kind}-{where}" for kind in KINDS for where in settings.regions)


def dead_letters(settings: Settings) -> str:
    """The name of the dead-letter topic, and of the subscription on it."""
    return f"{settings.name}-dead-letter"


def _push(settings: Settings, kind: str, region: str) -> Iterator[Step]:
    name = f"{settings.name}-{kind}-{region}"
    where = flags(gen2=True, region=region, project=settings.project)
    function = ("functions", "describe", f"{settings.name}-{kind}", *where)
    yield Step((*function, "--format=value(serviceConfig.uri)"), into=URI)
    given = flags(
        topic=settings.topics[KINDS[kind][1]],
        ack_deadline=600,
        message_retention_duration="86400s",
        expiration_period="never",
        push_endpoint=URI,
        push_auth_service_account=settings.account("invoker"),
        push_auth_token_audience=URI,  # whom a token is for, none itself
        min_retry_delay="10s",
        max_retry_delay="600s",
        dead_letter_topic=dead_letters(settings),
        max_delivery_attempts=40,
        labels=LABELS,
    )
    yield _once(settings, "subscriptions", name, *given)
    yield _grant(settings, "subscriptions", name, AGENT, "roles/pubsub.subscriber")


def _once(settings: Settings, kind: str, name: str, *given: str | Word) -> Step:
    return Step(
        ("pubsub", kind, "create", name, *_in(settings), *given),
        look=("pubsub", kind, "describe", name, *_in(settings)),
    )


def _grant(settings: Settings, kind: str, name: str, member: str | Word, role: str) -> Step:
    given = flags(member=member, role=role, format="none")
    return Step(("pubsub", kind, "add-iam-policy-binding", name, *_in(settings), *given))


def _in(settings: Settings) -> Words:
    return flags(project=settings.project)
