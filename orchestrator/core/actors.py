"""Who gave a command, as people read it. PURE.

A command says by itself who gives it, and whoever may publish to the control topic writes what they
like there; `--direct` takes the name of the local user. So wherever a person reads an actor it is
told as claimed. Pub/Sub's audit log knows the account that published.
"""

from __future__ import annotations

_BEGINNINGS = ("command ", "state restore ", "check --adopt ")


def claimed(actor: object) -> str:
    """The actor, as what it is: a name that nobody has checked."""
    return f"{actor} (as claimed)"


def words(signal: str) -> str:
    """What came in, from a decision's record, with its actor as claimed; other texts as they are.

    signal: such as `command c-1 failover us-west-2 by alice: a drill`.
    """
    head, by, rest = signal.partition(" by ")
    if not by or not signal.startswith(_BEGINNINGS):
        return signal
    actor, colon, reason = rest.partition(": ")
    return f"{head}{by}{claimed(actor)}{colon}{reason}"
