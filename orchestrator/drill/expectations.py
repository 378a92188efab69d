"""Compare what is expected with what is, and report each difference with its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.model import Json
from orchestrator.drill.scenario_schema import NOBODY, ExpectModel
from orchestrator.drill.virtual_world import VirtualWorld

MANY = 20
"""More texts than these are not shown."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be seen when a step has been taken.

    decision: the newest that said anything. told: it in sentences. pages, lines: all so far.
    """

    world: VirtualWorld
    decision: Json
    told: Sequence[str]
    pages: Sequence[str]
    lines: Sequence[str]


def broken(expect: ExpectModel, sight: Snapshot) -> Iterator[str]:
    """Every expectation that does not hold: its name, what is so, and what was expected."""
    yield from _plain(expect, sight)
    yield from _traffic(expect, sight)
    texts = {
        "refused": (expect.refused, sorted(refusals(sight.decision))),
        "explains": (expect.explains, sight.told),
        "log": (expect.log, sight.lines),
    }
    for name, (expected, is_so) in texts.items():
        for text in expected or ():
            whole = name == "refused"
            if not (text in is_so if whole else any(text in one for one in is_so)):
                yield f"{name} should have {text!r}, and it has {_shown(is_so)}"
    yield from _paged(expect.paged, sight.pages)


def refusals(decision: Json) -> set[str]:
    """The rules that refused in a decision."""
    reasons = decision.get("reasons")
    listed = reasons if isinstance(reasons, list) else []
    return {str(one["rule"]) for one in listed if not one["passed"]}


def _plain(expect: ExpectModel, sight: Snapshot) -> Iterator[str]:
    """What is simply equal, or not."""
    for name, is_so in _seen(sight).items():
        expected = getattr(expect, name)
        if expected is not None and expected != is_so:
            yield f"{name} is {is_so}, expected {expected}"
    state = sight.world.state
    for region, status in (expect.health or {}).items():
        entry = state.regions.get(region) if state else None
        if entry is None or entry.status is not status:
            yield f"health of {region} is {entry.status if entry else 'unknown'}, expected {status}"


def _seen(sight: Snapshot) -> Mapping[str, object]:
    world, state = sight.world, sight.world.state
    frozen = state is not None and state.freeze is not None and state.freeze.until > world.now
    return {
        "primary": state.primary if state else None,
        "epoch": state.epoch if state else None,
        "users": world.users,
        "outcome": sight.decision.get("outcome"),
        "fenced": _fenced(world, world.now),
        "switching_to": state.switch.to if state and state.switch else NOBODY,
        "frozen": frozen,
        "commits": world.commits,
        "patches": world.patches,
    }


def _fenced(world: VirtualWorld, now: datetime) -> str:
    regions = world.state.regions if world.state else {}
    fenced = (n for n, entry in regions.items() if entry.fenced_until and entry.fenced_until > now)
    return next(fenced, NOBODY)


def _traffic(expect: ExpectModel, sight: Snapshot) -> Iterator[str]:
    world = sight.world
    if expect.serving is not None:
        yield from _named("serving", expect.serving, world.serving)
    match expect.traffic:
        case None:
            return
        case dict() as shares:
            is_so = {name: world.traffic[name] for name in shares}
            if is_so != shares:
                yield f"traffic is {is_so}, expected {shares}"
        case str() as region:
            yield from _named("traffic", [region], world.carrying)
        case regions:
            yield from _named("traffic", regions, world.carrying)


def _named(what: str, expected: Sequence[str], is_so: Sequence[str]) -> Iterator[str]:
    """A set of regions that is not the expected one."""
    if set(is_so) != set(expected) - {NOBODY}:
        listed = ", ".join(sorted(set(expected)))
        yield f"{what} is {', '.join(is_so) or NOBODY}, expected {listed}"


def _paged(expected: bool | str | None, pages: Sequence[str]) -> Iterator[str]:
    if isinstance(expected, str) and not any(expected in page for page in pages):
        yield f"paged should have {expected!r}, and the pages are {_shown(pages)}"
    if isinstance(expected, bool) and expected != bool(pages):
        yield f"paged is {_shown(pages)}, expected {'a page' if expected else 'none'}"


def _shown(texts: Sequence[str]) -> str:
    """The texts, or the last of them where there are many."""
    distinct = list(dict.fromkeys(texts))
    begin = "... | " if len(distinct) > MANY else ""
    return begin + " | ".join(distinct[-MANY:]) or "nothing"
