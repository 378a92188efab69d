"""What is under way, what holds, and what a human was or would be paged for, in sentences.

PURE: from the document, a view of it or a preview to text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from orchestrator.cli.words.line import Line
from orchestrator.cli.words.times import ago, is_past, long, moment, short, when
from orchestrator.core.model import Json, Page, Paged
from orchestrator.core.outside.actors import claimed
from orchestrator.core.paging import MARK_ROUNDS, MARK_WITHIN, key, reminder, standing
from orchestrator.flow.preview import Preview


def under_way(view: Json, now: datetime) -> list[str]:
    """What blocks automation, or is not finished, from a document or a view of it."""
    told = [*_frozen(view.get("freeze"), now), *_switching(view.get("switch")), *_ramp(view)]
    return [Line(text, "yellow") for text in told]


def _frozen(freeze: object, now: datetime) -> Iterator[str]:
    if isinstance(freeze, dict) and not is_past(freeze.get("until"), now):
        yield (
            f"FROZEN until {short(freeze.get('until'))} UTC by {claimed(freeze.get('actor'))}:"
            f" {freeze.get('reason')}"
        )


def _switching(switch: object) -> Iterator[str]:
    if isinstance(switch, dict):
        yield (
            f"SWITCHING to {switch.get('to')} ({switch.get('step')}): {switch.get('left')} takes no"
            f" writes until {short(switch.get('until'))} UTC at most"
        )


def _ramp(view: Json) -> Iterator[str]:
    ramp = view.get("ramp")
    if isinstance(ramp, dict):
        step = ramp.get("step")
        number = step + 1 if isinstance(step, int) else step
        yield f"RAMP: {ramp.get('region')} is at step {number}"


def paged(
    pages: Mapping[str, Paged], now: datetime, holding: Collection[str] | None = None
) -> list[str]:
    """What a human was paged for and what still holds, a sentence each.

    holding: the conditions that a look found just now, None where none could be taken.
    """
    texts = (
        f"A human was paged: {name}, first {ago(entry.since, now)}, {_times(entry.count)} so far"
        f"{', acknowledged' if entry.quiet else ''}"
        f"{'' if holding is None or name in holding else _over(entry)}."
        for name, entry in standing(pages, now).items()
    )
    return [Line(text, "bold") for text in texts]


def paged_lines(view: Json, now: datetime) -> list[str]:
    """The same from a view of a status."""
    found = view.get("pages")
    return [
        f"A human was paged: {one['condition']}, first {when(one['since'], now)},"
        f" {_times(one['count'])} so far{', acknowledged' if one['acknowledged'] else ''}."
        for one in (found if isinstance(found, list) else [])
    ]


def _over(entry: Paged) -> str:
    return f". It was last seen at {entry.seen:%H:%M:%S} UTC and is over now"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def would_page(found: Preview) -> list[str]:
    """The pages that a tick would send now, and those that were sent and still hold."""
    due = {one.key for one in found.due}
    told = [f"A human would be paged: {one.page.text}" for one in found.due]
    others = {key(page): page for page in found.pages if key(page) not in due}.values()
    holding = [f"This holds: {p.text.rstrip('.')}. {_sent(found, p)}" for p in others]
    return [Line(text, "bold") for text in (*told, *holding)]


def _sent(found: Preview, page: Page) -> str:
    """When a human was paged for a condition that holds, and when that happens next."""
    entry = found.remembered[key(page)]
    if entry.last is None:
        return f"A human is paged at {entry.since + page.grace:%H:%M:%S} UTC if it still holds."
    after = reminder(entry, page)
    then = f"next reminder {moment(after, found.at)}" if after else "no reminder follows"
    return f"A human was paged at {moment(entry.last, found.at)} ({then})."


def left_alone(found: Preview) -> str:
    """Why a tick does not write the mark, though it is not there."""
    assert found.plan is not None  # as `Preview` says of `unmarked`
    return (
        f"the mark of epoch {found.plan.mark.epoch} on {found.plan.resource} is left alone,"
        f" because something else removed it {MARK_ROUNDS} times within"
        f" {long(round(MARK_WITHIN.total_seconds()))}. The next epoch writes it again"
    )
