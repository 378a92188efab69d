"""The part of `check` about topics and permissions: what is there, and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.session import side_by_side
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.policy import Service
from orchestrator.wiring import Deployment


def topics(world: Deployment) -> list[Finding]:
    """Whether the topics that we publish to are there."""
    return list(_topics(world))


def _topics(world: Deployment) -> Iterator[Finding]:
    named = {"events": world.context.events, "control": world.control}
    there_are = side_by_side({role: topic.exists for role, topic in named.items() if topic})
    for role in named:
        what = f"topic {getattr(world.config.topics, role)}"
        there = there_are.get(role)
        if there is None:
            yield Finding("(all)", f"topic for {role}", Level.OK, "none configured")
            continue
        if isinstance(there, FailoverError):
            yield _unreached(role, what, there)
            continue
        level = Level.OK if there else Level.FAIL
        detail = f"is there, for {role}" if there else "does not exist"
        yield Finding("(all)", what, level, detail, "Create it, or remove it from the file")


def _unreached(role: str, what: str, error: FailoverError) -> Finding:
    """A topic that does not answer. Without the control topic no tick and no command comes.

    An answer that refuses to tell is no proof that the function may not use it.
    """
    refused = error.page
    level = Level.FAIL if role == "control" and not refused else Level.WARN
    text = (
        "Ticks and commands arrive through it. Use `--direct` to do them from here"
        if level == "FAIL"
        else ""
    )
    return Finding("(all)", what, level, str(error), text, error)


def permissions(service: Service, world: Deployment) -> list[Finding]:
    """What these credentials may do, as far as the APIs say."""
    on_traffic = partial(world.context.traffic.missing_permissions, service.backend_service)
    asked: dict[str, Callable[[], tuple[str, ...] | None]] = {
        "permissions on the state": world.archive.missing_permissions,
        "permissions on the traffic": on_traffic,
    }
    return [_allowed(service.name, what, missing) for what, missing in side_by_side(asked).items()]


def _allowed(service: str, what: str, missing: tuple[str, ...] | FailoverError | None) -> Finding:
    if isinstance(missing, FailoverError):
        return Finding(service, what, Level.WARN, f"cannot be read: {missing}", error=missing)
    if missing is None:
        return Finding(service, what, Level.OK, "not checked: there are none here")
    if missing:
        text = "Grant them to the account that runs this. The function needs the same"
        return Finding(service, what, Level.FAIL, f"missing: {', '.join(missing)}", text)
    return Finding(service, what, Level.OK, "all there")
