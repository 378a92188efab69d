"""What to do about an error, by its class, its kind and the cloud it came from.

Nothing here reads an error's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from orchestrator.core.exceptions import (
    BadEvent,
    Cloud,
    Conflict,
    FailoverError,
    Kind,
    NoStore,
    Orphaned,
    Outdated,
    UnsafePlan,
)

_EMULATORS = {
    Cloud.STORAGE: "STORAGE_EMULATOR_HOST",
    Cloud.COMPUTE: "COMPUTE_EMULATOR_HOST",
    Cloud.PUBSUB: "PUBSUB_EMULATOR_HOST",
    Cloud.MONITORING: "MONITORING_EMULATOR_HOST",
}
"""The variable that moves a cloud to the laptop."""

_WHAT = {
    Cloud.STORAGE: "Compare `state` in the file with the buckets there are: `gcloud storage ls`",
    Cloud.COMPUTE: "Compare `traffic` in the file with what there is:"
    " `gcloud compute backend-services list --global`",
    Cloud.PUBSUB: "Compare `topics` in the file with what there is: `gcloud pubsub topics list`",
}
"""Where to look for what is missing."""


def advice_on(error: FailoverError, environ: Mapping[str, str]) -> str:
    """What to do, or nothing where the error says it itself."""
    match error:
        case BadEvent():
            return "The function would acknowledge it, keep it in the journal and move nothing."
        case Conflict():
            return (
                "Something else wrote at the same moment. Look at `failoverctl status` and repeat."
            )
        case UnsafePlan():
            return f"Rule {error.rule} refused, and nothing was changed. See `failoverctl plan`."
        case NoStore() | Orphaned():
            return ""
        case Outdated():
            return "Use the configuration file that was deployed last."
        case _:
            return _on_kind(error, environ)


def _on_kind(error: FailoverError, environ: Mapping[str, str]) -> str:
    match error.kind:
        case Kind.CORRUPT:
            return _corrupt(f"{error.service} " if error.service else "")
        case Kind.CREDENTIALS:
            return (
                "Log in with `gcloud auth application-default login`, or name the laptop world's"
                " servers as `failoverctl serve` prints them."
            )
        case Kind.PERMISSION:
            return (
                "Your credentials do not have that permission. `failoverctl check` lists what is"
                " missing."
            )
        case Kind.MISSING:
            return _missing(error.cloud)
        case Kind.BUSY:
            return (
                "Too many requests were sent to it. Your permissions are in order. Wait a minute"
                " and repeat. `failoverctl status` shows where the traffic is."
            )
        case Kind.UNREACHABLE:
            return _unreached(error.cloud, environ)
        case Kind.SERVER_ERROR:
            return _failing(error.cloud, environ)
        case Kind.UNKNOWN | Kind.REQUEST | Kind.NO_TOPIC | Kind.OUTDATED:
            return ""
        case _:
            assert_never(error.kind)


def _corrupt(named: str) -> str:
    return (
        f"The journal has what was decided before: `failoverctl history {named}--journal`. Restore"
        f" the last good version with `failoverctl state restore {named}--apply`."
    )


def _missing(cloud: Cloud) -> str:
    look = _WHAT.get(cloud)
    return f"What the configuration names does not exist. {look}." if look else ""


_APIS = {
    Cloud.STORAGE: "Cloud Storage",
    Cloud.COMPUTE: "The Compute API",
    Cloud.PUBSUB: "Pub/Sub",
    Cloud.MONITORING: "Cloud Monitoring",
}
"""Each cloud at the beginning of a sentence."""


def _failing(cloud: Cloud, environ: Mapping[str, str]) -> str:
    variable, name = _EMULATORS.get(cloud, ""), _APIS.get(cloud, "The service")
    if environ.get(variable):
        return f"{name} answers at {variable}={environ[variable]} with an error. Wait and repeat."
    return f"{name} answers with an error. Wait and repeat, and see status.cloud.google.com."


def _unreached(cloud: Cloud, environ: Mapping[str, str]) -> str:
    variable = _EMULATORS.get(cloud, "")
    if environ.get(variable):
        return (
            f"Nothing answers at {variable}={environ[variable]}. Is the laptop world up?"
            " `failoverctl serve` starts one and prints its addresses."
        )
    return (
        "Google Cloud could not be reached. For the laptop world, set the variables that"
        " `failoverctl serve` prints."
    )
