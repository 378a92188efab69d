"""Topics, the push subscriptions that bring their messages, and where the others go."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.gcloud.settings import KINDS, NUMBER, Settings
from deploy.gcloud.step import AnyStep, Step, Title, Word, Words, flags, word

AGENT = word("serviceAccount:service-", NUMBER, "@gcp-sa-pubsub.iam.gserviceaccount.com")
LABELS = "component=region-failover"


def topics(settings: Settings) -> Iterator[AnyStep]:
    """The topics, and Pub/Sub's own identity, which signs pushes and moves dead letters."""
    yield Title("topics")
    agent = ("beta", "services", "identity", "create", "--service=pubsub.googleapis.com")
    yield Step((*agent, *_in(settings)))
    for name in (*settings.topics.values(), dead_letters(settings)):
        yield _once(settings, "topics", name, *flags(labels=LABELS))
    if events := settings.topics.get("events"):
        member = f"serviceAccount:{settings.account('function')}"
        yield _grant(settings, "topics", events, member, "roles/pubsub.publisher")


def agents(settings: Settings) -> Iterator[AnyStep]:
    """What Pub/Sub's own identity needs; dead letters wait for people."""
    yield Title("what Pub/Sub needs of the accounts as which it pushes")
    role = flags(member=AGENT, role="roles/iam.serviceAccountOpenIdTokenCreator")
    for kind in KINDS.values():
        verb = ("iam", "service-accounts", "add-iam-policy-binding", settings.account(kind.account))
        yield Step((*verb, *_in(settings), *role, "--format=none"))
    yield Title("dead letters")
    dead = dead_letters(settings)
    kept = flags(topic=dead, message_retention_duration="14d", expiration_period="never")
    yield _once(settings, "subscriptions", dead, *kept, *flags(labels=LABELS))
    yield _grant(settings, "topics", dead, AGENT, "roles/pubsub.publisher")


def names(settings: Settings) -> list[str]:
    """The names of the push subscriptions."""
    return sorted(settings.subscription(kind, one) for kind in KINDS for one in settings.regions)


def dead_letters(settings: Settings) -> str:
    """The name of the dead-letter topic, and of the subscription on it."""
    return f"{settings.name}-dead-letter"


def push(settings: Settings, kind: str, region: str) -> Iterator[Step]:
    """The push subscription of one function, its endpoint and identity brought up to date."""
    name, url = settings.subscription(kind, region), settings.url(kind, region)
    pushes = flags(
        push_endpoint=url,
        push_auth_service_account=settings.account(KINDS[kind].account),
        push_auth_token_audience=url,
    )
    given = flags(
        topic=settings.topics[KINDS[kind].topic],
        ack_deadline=600,
        message_retention_duration="86400s",
        expiration_period="never",
        min_retry_delay="10s",
        max_retry_delay="600s",
        dead_letter_topic=dead_letters(settings),
        max_delivery_attempts=40,
        labels=LABELS,
    )
    verb = ("pubsub", "subscriptions")
    yield Step(
        (*verb, "create", name, *_in(settings), *pushes, *given),
        look=(*verb, "describe", name, *_in(settings)),
        change=(*verb, "modify-push-config", name, *_in(settings), *pushes),
    )
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
