"""What a failed invocation, or a dependency that is unavailable, reads like for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.exceptions import Cloud, FailoverError, Kind
from orchestrator.core.model import Json
from orchestrator.flow.journal.failed import FAILED

_CLOUDS: Mapping[str, str] = {
    Cloud.STORAGE: "the state in Cloud Storage",
    Cloud.COMPUTE: "the load balancer (Compute API)",
    Cloud.PUBSUB: "Pub/Sub",
    Cloud.MONITORING: "Cloud Monitoring",
    Cloud.MIRROR: "a mirror of the document",
}
"""Each dependency by its name."""

_KINDS: Mapping[str, str] = {
    Kind.UNREACHABLE: "does not answer",
    Kind.SERVER_ERROR: "answers with an error",
    Kind.BUSY: "gets too many requests",
    Kind.PERMISSION: "refuses the permission",
    Kind.CREDENTIALS: "does not accept the credentials",
    Kind.MISSING: "does not have what the configuration names",
    Kind.REQUEST: "refuses the request",
    Kind.CORRUPT: "holds something unreadable",
    Kind.OUTDATED: "belongs to a newer configuration",
}
"""What is wrong, after the dependency's name."""


def unavailable(error: FailoverError) -> str:
    """What is unavailable and why, as a clause."""
    return _clause(error.cloud, error.kind, str(error))


def _clause(cloud: object, kind: object, text: object) -> str:
    what = _CLOUDS.get(str(cloud), "a dependency")
    return f"{what} {_KINDS.get(str(kind), 'is unavailable')}: {str(text).rstrip('.')}"


def is_failure(entry: Json) -> bool:
    """Whether this entry of the journal tells of an invocation that failed."""
    return entry.get("outcome") == FAILED


def why(entry: Json) -> str:
    """What failed, as a clause."""
    error = entry.get("error")
    known = error if isinstance(error, dict) else {}
    return _clause(known.get("cloud"), known.get("kind"), known.get("text"))


def told(entry: Json) -> list[str]:
    """What failed and what happens next, a sentence a line."""
    return [f"It FAILED: {why(entry)}.", _next(entry)]


def _next(entry: Json) -> str:
    if entry.get("command") is None:
        return "Pub/Sub delivers the message again, and the next tick looks again."
    if entry.get("recorded"):
        return (
            "The command was in the document already. A redelivery or the next tick finishes it:"
            " do not repeat it."
        )
    return (
        "Nothing was decided on the command. Pub/Sub delivers it again, and it is obeyed if that"
        f" succeeds before {_short(entry.get('until'))} UTC. After that, give it again."
    )


def _short(stamp: object) -> str:
    return str(stamp)[:19].replace("T", " ")
