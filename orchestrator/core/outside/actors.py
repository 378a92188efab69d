"""Who gave a command, as people read it. PURE.

A command says by itself who gives it, and anybody who may publish to the control topic writes what
they like there; `--direct` takes the name of the local user. So wherever a person reads an actor it
is shown as claimed. Pub/Sub's audit log knows the account that published.
"""

from __future__ import annotations


def claimed(actor: object) -> str:
    """The actor, as what it is: a name that nobody has checked."""
    return f"{actor} (as claimed)"
