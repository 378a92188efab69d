"""A command on its way: as a message on the control topic, where IAM decides who may give it."""

from __future__ import annotations

import json

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import Command, Json, Wish
from orchestrator.core.outside.reading import stamp_time
from orchestrator.ports import Topic
from orchestrator.wiring import Deployment


def control(world: Deployment) -> Topic:
    """The control topic. Raises Unavailable where the configuration names none."""
    if world.control is None:
        raise Unavailable(
            "the configuration names no `topics.control`, so no command can be published. Do"
            " it from here with --direct"
        )
    return world.control


def send(message: Json, world: Deployment) -> None:
    """Publish one message on the control topic. Raises Unavailable."""
    control(world).publish(json.dumps(message).encode(), {})


def publish(made: Command, name: str | None, world: Deployment) -> None:
    """Publish a command. name: its service, None for every one. Raises Unavailable."""
    message: dict[str, object] = {
        "kind": "command",
        "id": made.id,
        "issued_at": stamp_time(made.issued_at),
        "verb": made.wish,
        "actor": made.actor,
        "reason": made.reason,
    }
    optional: dict[str, object] = {
        "service": name or _only(world),
        "to" if made.wish is Wish.FAILOVER else "region": made.region,
        "until": stamp_time(made.until) if made.until else None,
        "now": made.now,
        "override": made.override,
    }
    message |= {key: value for key, value in optional.items() if value}
    try:
        send(message, world)
    except Unavailable as error:
        if error.page or world.control is None:  # it was refused, and is certainly not published
            raise
        raise Unavailable(
            f"{str(error).rstrip('.')}. It is not known whether command {made.id} was"
            f" published: see `{explain_line(made, name, world)}` before you repeat it, or use"
            " --direct"
        ) from error


def explain_line(made: Command, name: str | None, world: Deployment) -> str:
    """The command that tells what came of this one."""
    return " ".join(["failoverctl explain", *filter(None, [name or _only(world)]), made.id])


def _only(world: Deployment) -> str | None:
    return next(iter(world.config.services)) if len(world.config.services) == 1 else None
