"""What to do about an error, by what kind of error it is and where the command looks."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.errors import (
    BadEvent,
    Conflict,
    FailoverError,
    NoStore,
    Orphaned,
    Outdated,
    UnsafePlan,
)

_EMULATORS = {
    "gs://": "STORAGE_EMULATOR_HOST",
    "Compute API": "COMPUTE_EMULATOR_HOST",
    "/topics/": "PUBSUB_EMULATOR_HOST",
}
"""What an error is of, by a word in its text, and the variable that moves it to the laptop."""

_SILENT = (
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "ServiceUnavailable",
    "Connection refused",
    "timed out",
)


def advice_on(error: FailoverError, environ: Mapping[str, str]) -> str:
    """One sentence that says what to do, or nothing where the error says it itself."""
    text = str(error)
    match error:
        case BadEvent():
            return "The function would acknowledge it, keep it in the journal and move nothing."
        case Conflict():
            return "Somebody else wrote at the same moment. Look again with `status`, then repeat."
        case UnsafePlan():
            return f"Rule {error.rule} refused; nothing was changed."
        case NoStore() | Orphaned():
            return ""
        case Outdated():
            return "Use the configuration file that was deployed last."
    return _on_words(text, environ)


def _on_words(text: str, environ: Mapping[str, str]) -> str:
    if "is corrupt" in text:
        return "What was decided before stands in the journal: `failoverctl history --journal`."
    if "no Google credentials" in text:
        return (
            "Log in with `gcloud auth application-default login`, or name the laptop world's"
            " servers as `failoverctl serve` prints them."
        )
    if any(word in text for word in _SILENT):
        return _unreached(text, environ)
    if " 403 " in text or "Forbidden" in text or "IAM" in text:
        return "Your credentials may not do that: `failoverctl check` lists what is missing."
    return ""


def _unreached(text: str, environ: Mapping[str, str]) -> str:
    variables = [name for word, name in _EMULATORS.items() if word in text]
    named = [f"{name}={environ[name]}" for name in variables if environ.get(name)]
    if named:
        return (
            f"Nobody answers at {', '.join(named)}. Is the laptop world up? `failoverctl serve`"
            " starts one and prints its addresses."
        )
    return (
        "Google Cloud was not reached. For the laptop world, set the variables that `failoverctl"
        " serve` prints."
    )
