"""What a failover does not wait for: a part that fails is named in the log, and nothing else is.

Mirrors, gauges, events, the journal and pages follow the shift. A dependency that refuses is one
ERROR. So is a fault of the program, told with its kind: it is to be seen and fixed, and it must not
turn an alert that was handled into one that is delivered again, or end a tick.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.outside.reading import Corrupt
from orchestrator.core.outside.shown import short
from orchestrator.flow.context import Context

TEXT_CHARACTERS = 1000
"""How much of an error's text is logged."""


def spared(what: str, do: Callable[[], object], context: Context, service: str = "") -> bool:
    """Do this part; give whether it came to its end. Raises nothing.

    what: what is so then, as in `journal not written`.
    """
    try:
        do()
    except (FailoverError, Corrupt) as error:
        _say(f"{what}. The failover itself is not affected. Cause: {error}", context, service)
        return False
    except Exception as error:  # noqa: BLE001  # nothing depends on this part, whatever ended it
        kind = type(error).__name__
        text = (
            f"{what}, because of a bug in the orchestrator ({kind}: {_words(error)}). The failover"
            " itself is not affected. Please report it"
        )
        _say(text, context, service, fault=kind)
        return False
    return True


def _words(error: Exception) -> str:
    """What the error says of itself; foreign ones may fail even in that."""
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001  # as above
        return f"its text is unavailable: {type(another).__name__}"


def _say(text: str, context: Context, service: str, **fields: object) -> None:
    told = {**fields, **({"service": service} if service else {})}
    context.log("ERROR", short(text, TEXT_CHARACTERS), **told)
