"""The command line that gives a command again. PURE: from its data to text."""

from __future__ import annotations

import shlex

from orchestrator.core.model import Json, Wish


def again(service: str, given: Json, *, direct: bool = False) -> str:
    """The line to paste. given: the command as an entry has it (`record.given`).

    service: none where it is not known; then it is left out.
    """
    options = [*_how(given), *(["--direct"] if direct else [])]
    reason = str(given.get("reason") or "").strip()
    words = ["failoverctl", *_what(service, given), *options, "--apply", "--reason", reason]
    return shlex.join(words)


def _what(service: str, given: Json) -> list[str]:
    """The verb with its service and region."""
    verb, region = (str(given.get(key) or "") for key in ("verb", "region"))
    if verb == Wish.EVACUATE:
        return [verb, region, *(["--service", service] if service else [])]
    named = [verb, service] if service else [verb]
    return [*named, "--to", region] if verb == Wish.FAILOVER else named


def _how(given: Json) -> list[str]:
    """The options that say how long, how soon and in spite of what."""
    lasts = ["--for", f"{seconds:.0f}s"] if (seconds := _seconds(given)) else []
    now = ["--now"] if given.get("now") else []
    override = ["--override", str(given["override"])] if given.get("override") else []
    return [*lasts, *now, *override]


def _seconds(given: Json) -> float:
    found = given.get("seconds")
    return found if isinstance(found, int | float) else 0.0
