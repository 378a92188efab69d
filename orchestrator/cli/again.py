"""The command line that gives a command again. PURE: from its data to text."""

from __future__ import annotations

import shlex

from orchestrator.core.model import Json, Wish


def again(service: str, given: Json, *, direct: bool = False) -> str:
    """The line to paste. given: the command as an entry has it (`orchestrator.flow.record.given`).

    service: none where it is not known; then it is left out.
    """
    verb, region, reason = (str(given.get(key) or "") for key in ("verb", "region", "reason"))
    words = ["failoverctl", verb]
    if verb == Wish.EVACUATE:
        words += [region, *(["--service", service] if service else [])]
    else:
        words += [service] if service else []
    words += ["--to", region] if verb == Wish.FAILOVER else []
    words += ["--for", f"{seconds:.0f}s"] if (seconds := _seconds(given)) else []
    words += ["--now"] if given.get("now") else []
    words += ["--override", str(given["override"])] if given.get("override") else []
    words += ["--direct"] if direct else []
    return shlex.join([*words, "--apply", "--reason", reason.strip()])


def _seconds(given: Json) -> float:
    found = given.get("seconds")
    return found if isinstance(found, int | float) else 0.0
