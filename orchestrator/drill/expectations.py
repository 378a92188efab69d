"""Compare what is expected with what is, and report each difference with its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.model import Json
from orchestrator.drill.schema import NOBODY, ExpectModel
from orchestrator.drill.world import World

MANY = 20
"""More texts than these are not shown."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen when a step has been taken.

    decision: the newest that said anything. told: it in sentences. pages, lines: all so far.
    """

    world: World
    decision: Json
    told: Sequence[str]
    pages: Sequence[str]
    lines: Sequence[str]


def broken(expect: ExpectModel, sight: Sight) -> Iterator[str]:
    """Every expectation that does not hold: its name, what is so, and what was expected."""
    yield from _plain(expect, sight)
    yield from _traffic(expect, sight)
    texts = {
        "refused": (expect.refused, sorted(refusals(sight.decision))),
        "explains": (expect.explains, sight.told),
        "log": (expect.log, sight.lines),
    }
    for name, (wanted, seen) in texts.items():
        for text in wanted or ():
            whole = name == "refused"
            if not (text in seen if whole else any(text in one for one in seen)):
                yield f"{name} should have {text!r}, and it has {_shown(seen)}"
    yield from _paged(expect.paged, sight.pages)


def refusals(decision: Json) -> set[str]:
    """The rules that refused in a decision."""
    reasons = decision.get("reasons")
    found = reasons if isinstance(reasons, list) else []
    return {str(one["rule"]) for one in found if not one["passed"]}


def _plain(expect: ExpectModel, sight: Sight) -> Iterator[str]:
    """What is simply equal, or not."""
    seen = _seen(sight)
    for name, is_so in seen.items():
        wanted = getattr(expect, name)
        if wanted is not None and wanted != is_so:
            yield f"{name} is {is_so}, expected {wanted}"
    state = sight.world.state
    for region, status in (expect.health or {}).items():
        entry = state.regions.get(region) if state else None
        if entry is None or entry.status is not status:
            yield f"health of {region} is {entry.status if entry else 'unknown'}, expected {status}"


def _seen(sight: Sight) -> Mapping[str, object]:
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


def _fenced(world: World, now: datetime) -> str:
    regions = world.state.regions if world.state else {}
    fenced = (n for n, entry in regions.items() if entry.fenced_until and entry.fenced_until > now)
    return next(fenced, NOBODY)


def _traffic(expect: ExpectModel, sight: Sight) -> Iterator[str]:
    serving = sight.world.serving
    if expect.serving is not None and set(serving) != set(expect.serving) - {NOBODY}:
        expected = ", ".join(sorted(expect.serving))
        yield f"serving is {', '.join(serving) or NOBODY}, expected {expected}"
    carrying, wanted = sight.world.carrying, expect.traffic
    match wanted:
        case None:
            return
        case dict():
            is_so = {name: sight.world.traffic[name] for name in wanted}
            if is_so != wanted:
                yield f"traffic is {is_so}, expected {wanted}"
        case _:
            names = {wanted} if isinstance(wanted, str) else set(wanted)
            if set(carrying) != names:
                expected = ", ".join(sorted(names))
                yield f"traffic is {', '.join(carrying) or NOBODY}, expected {expected}"


def _paged(wanted: bool | str | None, pages: Sequence[str]) -> Iterator[str]:
    if isinstance(wanted, str) and not any(wanted in page for page in pages):
        yield f"paged should have {wanted!r}, and the pages are {_shown(pages)}"
    if isinstance(wanted, bool) and wanted != bool(pages):
        yield f"paged is {_shown(pages)}, expected {'a page' if wanted else 'none'}"


def _shown(texts: Sequence[str]) -> str:
    """The texts, or the last of them where there are many."""
    distinct = list(dict.fromkeys(texts))
    begin = "... | " if len(distinct) > MANY else ""
    return begin + " | ".join(distinct[-MANY:]) or "nothing"
