"""Decisions in sentences, for a person who is tired: what came in, what was done, and why.

Pure: from the entries of history and journal, as JSON, to text. Every rule's value is in it,
whether it passed or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.cli import failure_words
from orchestrator.cli.gates import gates
from orchestrator.cli.line import Line, style_of
from orchestrator.cli.remedies import remedies
from orchestrator.core import trigger
from orchestrator.core.actors import claimed
from orchestrator.core.model import (
    Incident,
    IncidentState,
    Json,
    Outcome,
    Page,
    Paged,
    Phase,
    Status,
)
from orchestrator.core.paging import MARK_ROUNDS, MARK_WITHIN, key, reminder, standing
from orchestrator.core.reading import read_time
from orchestrator.core.rules import DOUBTS
from orchestrator.core.traffic import Traffic, besides, read_view, told
from orchestrator.core.trigger import Origin
from orchestrator.flow.preview import Preview
from orchestrator.flow.shifts import SHIFTED

_OUTCOMES: Mapping[str, tuple[str, str]] = {
    Outcome.HELD: ("It HELD", ": the traffic stayed with {now}"),
    Outcome.HEALTH: ("It noted who is healthy", "; the traffic stayed with {now}"),
    Outcome.UNCHANGED: ("It changed nothing", "; the traffic stays with {now}"),
    Outcome.ADOPTED: ("It took over what the load balancer says", ": {now} (epoch {epoch})"),
    Outcome.OBEYED: ("It did as it was told", "; the traffic is with {now}"),
    Outcome.SWITCHING: (
        "It began a graceful switch",
        "; until it ends the traffic stays with {now}",
    ),
    Outcome.RAMPED: (
        "It gave a region the next step of its traffic",
        ": {now} carries traffic (epoch {epoch})",
    ),
    Outcome.ABANDONED: ("It GAVE UP what was under way", "; the traffic is with {now}"),
    Outcome.STANDBYS: (
        "It attached or drained standbys",
        "; the traffic stays with {now} (epoch {epoch})",
    ),
    Outcome.CONFIGURED: (
        "It took up a newer configuration",
        ": {now} carries traffic (epoch {epoch})",
    ),
}
"""What was done, and where the traffic is: the second part only by what was read."""

_PATCHED: Mapping[str, str] = {
    Phase.VERIFIED: "This call patched the load balancer and read it back: it was as decided.",
    Phase.UNVERIFIED: "This call patched the load balancer, but what it read back was NOT as"
    " decided. The next tick looks again.",
    Phase.APPLIED: "This call patched the load balancer. It did not read back what became of it.",
}
"""How far a shift came that the invocation wrote itself."""

_NOT_PATCHED: Mapping[str, str] = {
    Phase.VERIFIED: "The load balancer was read afterwards: it was as decided.",
    Phase.UNVERIFIED: "This call read the load balancer: it was NOT as decided.",
    Phase.COMMITTED: "This call recorded the intent in the document and did not patch the load"
    " balancer. A redelivery or the next tick finishes it.",
}
"""How far a shift came that the invocation did not write itself."""


_WELL = "bold green"
"""How a move looks that was read to be done."""

_STATES: Mapping[IncidentState, str] = {
    IncidentState.OPEN: "open",
    IncidentState.STALE: "never closed by Monitoring",
    IncidentState.CLOSED: "closed by Monitoring",
}


def ago(at: datetime, now: datetime) -> str:
    """A time and how long ago that was."""
    passed = round((now - at).total_seconds())
    when = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{when} ({long(passed)} ago)" if passed >= 0 else f"{when} (to come)"


def long(seconds: int) -> str:
    """A time that has passed, in its two largest units: `45s`, `3m 20s`, `2h 5m`, `9d 4h`."""
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds % 60}s" if minutes else f"{seconds}s"


def short(stamp: object) -> str:
    """A document's time for a table: to the second, in UTC."""
    return str(stamp)[:19].replace("T", " ") if stamp else "-"


def _names(entry: Json, key: str) -> list[str]:
    found = entry.get(key)
    return list(found) if isinstance(found, dict) else []


def _carriers(entry: Json, key: str) -> str:
    return ", ".join(_names(entry, key)) or "nobody"


@dataclass(frozen=True, slots=True)
class _Where:
    """Where the traffic is by an entry.

    regions: that carry it, None where it was not read. also: sentences. none: what is said where no
    region carries it.
    """

    regions: Sequence[str] | None
    also: str = ""
    none: str = "nobody"

    @property
    def now(self) -> str | None:
        """The regions as a sentence names them, None where it was not read."""
        return None if self.regions is None else ", ".join(self.regions) or self.none


def _where(entry: Json) -> _Where:
    """Where the traffic was when the entry's invocation last read the load balancer.

    Entries of older versions do not have it: then it is where the document wanted it. With standbys
    attached the document alone says who serves.
    """
    wanted, names = _carriers(entry, "routing"), _names(entry, "routing")
    if "traffic_before" not in entry and "traffic" not in entry:
        return _Where(names)
    if "traffic" not in entry and entry.get("epoch") != entry.get("epoch_before"):
        if entry.get("phase") == Phase.VERIFIED:
            return _Where(names)
        return _Where(None, f" The document wants {wanted} to carry the traffic.")
    seen = read_view(entry.get("traffic", entry.get("traffic_before")))
    if seen is None:
        return _Where(None, f" {capital(told(None, [wanted]))}.")
    if seen.attached:
        return _Where(names, _also(seen))
    differs = not seen.regions or set(seen.regions) != set(names)
    want = f" The document wants {wanted}." if differs else ""
    return _Where(seen.regions, want + _also(seen), "no configured region")


def _also(seen: Traffic) -> str:
    listed = ", ".join(map(str, seen.unclaimed))
    return f" {listed} carries traffic too, and no region claims it." if listed else ""


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def headline(entry: Json) -> str:
    """What a decision came to, in a sentence, and where the traffic was read to be."""
    outcome, epoch = entry.get("outcome"), entry.get("epoch")
    if outcome == Outcome.MOVED:
        return _moved(entry)
    if outcome == SHIFTED:
        decided = f", decided as {entry['of']}" if entry.get("of") else ""
        return f"It decided nothing and carried out epoch {epoch}{decided}."
    done, clause = _OUTCOMES.get(str(outcome), (f"Outcome {outcome}", ": {now}"))
    where = _where(entry)
    known = clause.format(now=where.now, epoch=epoch) if where.now else ""
    look = "bold yellow" if outcome in {Outcome.HELD, Outcome.ABANDONED} else ""
    return Line(f"{done}{known}.{where.also}", look)


def _moved(entry: Json) -> str:
    """A move, told as done only where it was read to be done."""
    before, wanted = _carriers(entry, "routing_before"), _carriers(entry, "routing")
    known = read_view(entry.get("traffic_before"))
    if known is not None and not known.attached and known.regions:
        before = ", ".join(known.regions)
    where = _where(entry)
    done = bool(where.regions) and set(where.regions or ()) == set(_names(entry, "routing"))
    epochs = f"(epoch {entry.get('epoch_before') or 0} to {entry.get('epoch')})"
    if known is not None and not known.attached and not known.regions:
        none = "No region had any before."
        if done:
            return Line(f"It GAVE {where.now} the traffic {epochs}. {none}{where.also}", _WELL)
        text = f"It decided to GIVE {wanted} the traffic {epochs}. {none}"
    elif done:
        text = f"It MOVED the traffic from {before} to {where.now} {epochs}.{where.also}"
        return Line(text, _WELL)
    else:
        text = f"It decided to MOVE the traffic from {before} to {wanted} {epochs}."
    if where.now is None:
        return f"{text}{'' if 'traffic' not in entry else where.also}"
    return f"{text} When it was last read, {where.now} carried traffic.{where.also}"


def whereabouts(entry: Json) -> str:
    """Where a decision sent the traffic, or left it."""
    now, before = _carriers(entry, "routing"), _carriers(entry, "routing_before")
    where = _where(entry)
    if where.now is None:
        return f"the document {'still' if now == before else 'now'} wants {now} to carry it"
    if now == before:
        return f"the traffic stays with {where.now}{where.also.rstrip('.')}"
    return f"the traffic is now with {where.now}{where.also.rstrip('.')}"


def as_decided(view: Json) -> str:
    """What an empty plan means, by what was read. view: of a preview."""
    seen = read_view(view.get("traffic"))
    if seen is None:
        return "The load balancer could not be read."
    if not seen.regions:
        return f"No configured region {'has capacity' if seen.attached else 'carries traffic'}!"
    if seen.unclaimed:
        return f"The load balancer is as decided for the regions of the file.{_also(seen)}"
    return "The load balancer is as decided."


def will_carry(remains: object, wanted: Sequence[str]) -> str:
    """Who carries traffic after a plan, in a clause. remains: what the plan leaves, as a view."""
    seen = read_view(remains)
    if seen is None:
        return f"the document wants {', '.join(wanted)} to carry the traffic"
    who = ", ".join(wanted if seen.attached else seen.regions) or "no configured region"
    return f"{who} carries traffic{besides(seen.unclaimed, alone=not seen.regions)}"


def signal(entry: Json) -> str:
    """What came in, as it was recorded, with who gave it as claimed."""
    return trigger.words(trigger.read(entry.get("signal")))


def cause(entry: Json) -> str:
    """What a decision was about, in the middle of a sentence."""
    came = trigger.read(entry.get("signal"))
    if came.kind is Origin.COMMAND:
        return f"command {came.id} ({came.verb} {trigger.asked(came)})"
    return f"the decision on `{trigger.words(came)}`"


def came_in(entry: Json, doubted: Collection[str] = ()) -> str:
    """What a decision was about. doubted: ids of incidents whose region is in doubt."""
    came = trigger.read(entry.get("signal"))
    match came.kind, came.state:
        case Origin.ALERT, IncidentState.OPEN if came.incident in doubted:
            return f"Cloud Monitoring opened incident {came.incident}, taken for {came.region}."
        case Origin.ALERT, IncidentState.OPEN:
            return f"Cloud Monitoring opened incident {came.incident}: {came.region} fails."
        case Origin.ALERT, IncidentState.CLOSED:
            return f"Cloud Monitoring closed incident {came.incident} of {came.region}."
        case Origin.COMMAND, _:
            return f"Command {came.id}, {came.verb}: {trigger.asked(came)}."
        case Origin.TICK, _:
            return "A tick looked at the world itself; no alert was involved."
    return f"What came in: {trigger.words(came)}."


def became_of(entry: Json) -> list[str]:
    """How far the shift of the decision's own epoch came, when the journal knows."""
    phase, found, newer = str(entry.get("phase")), entry.get("shifted"), entry.get("superseded_by")
    plans = found if isinstance(found, list) else []
    said = (_PATCHED if plans else _NOT_PATCHED).get(phase)
    seen = read_view(entry.get("traffic"))
    if said and phase == Phase.VERIFIED and seen is not None and seen.unclaimed:
        said = f"{said} That holds for the regions of the file only.{_also(seen)}"
    lines = [said] if said else []
    lines += [f"Written: {plan}" for plan in plans]
    if newer and plans:
        lines.append(f"Epoch {newer} has superseded this decision since.")
    elif newer:
        lines.append(
            f"This call did not patch the load balancer for it: epoch {newer} superseded it."
        )
    return lines


def _when(stamp: object, now: datetime) -> str:
    try:
        return ago(read_time(stamp), now)
    except (ValueError, OverflowError):
        return str(stamp)


def tell(entry: Json, now: datetime, service: str = "", doubted: Collection[str] = ()) -> list[str]:
    """A whole decision, a sentence a line.

    service: whose, for the commands to paste. doubted: ids of incidents whose region is in doubt.
    """
    if failure_words.is_failure(entry):
        when = _when(entry.get("failed_at"), now)
        heading = f"Failure {entry.get('id')} of {when}."
        return [heading, came_in(entry, doubted), *failure_words.told(entry)]
    when = _when(entry.get("at"), now)
    page = entry.get("page")
    return [
        f"Decision {entry.get('id')} of {when}.",
        came_in(entry, doubted),
        headline(entry),
        *indented(gates(entry)),
        *became_of(entry),
        *([Line(f"A human was paged: {page}.", "bold")] if page else []),
        *(Line(f"To do, {line}", "bold") for line in remedies(entry, service)),
    ]


def under_way(view: Json, now: datetime) -> list[str]:
    """What stands in the way of automation, or is not finished, from a document or a view of it."""
    told = []
    freeze, switch, ramp = view.get("freeze"), view.get("switch"), view.get("ramp")
    if isinstance(freeze, dict) and not _is_past(freeze.get("until"), now):
        told.append(
            f"FROZEN until {short(freeze.get('until'))} UTC by"
            f" {claimed(freeze.get('actor'))}:"
            f" {freeze.get('reason')}"
        )
    if isinstance(switch, dict):
        told.append(
            f"SWITCHING to {switch.get('to')} ({switch.get('step')}): {switch.get('left')} takes no"
            f" writes until {short(switch.get('until'))} UTC at most"
        )
    if isinstance(ramp, dict):
        step = ramp.get("step")
        number = step + 1 if isinstance(step, int) else step
        told.append(f"RAMP: {ramp.get('region')} is at step {number}")
    return [Line(text, "yellow") for text in told]


def paged(
    pages: Mapping[str, Paged], now: datetime, holding: Collection[str] | None = None
) -> list[str]:
    """What a human was paged for and what still holds, a sentence each.

    holding: the conditions that a look found just now, None where none could be taken.
    """
    texts = (
        f"A human was paged: {name}, first {ago(entry.since, now)}, {_times(entry.count)} so far"
        f"{'; acknowledged' if entry.quiet else ''}"
        f"{'' if holding is None or name in holding else _over(entry)}."
        for name, entry in standing(pages, now).items()
    )
    return [Line(text, "bold") for text in texts]


def paged_lines(view: Json, now: datetime) -> list[str]:
    """The same from a view of a status."""
    found = view.get("pages")
    return [
        f"A human was paged: {one['condition']}, first {_when(one['since'], now)},"
        f" {_times(one['count'])} so far{'; acknowledged' if one['acknowledged'] else ''}."
        for one in (found if isinstance(found, list) else [])
    ]


def _over(entry: Paged) -> str:
    return f"; last seen {entry.seen:%H:%M:%S} UTC, over now"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def would_page(found: Preview) -> list[str]:
    """The pages that a tick would send now, and those that were sent and still hold."""
    due = {one.key for one in found.due}
    told = [Line(f"A human would be paged: {one.page.text}", "bold") for one in found.due]
    others = {key(page): page for page in found.pages if key(page) not in due}.values()
    holding = (f"This holds: {p.text.rstrip('.')}. {_sent(found, p)}" for p in others)
    return [*told, *(Line(text, "bold") for text in holding)]


def _sent(found: Preview, page: Page) -> str:
    """When a human was paged for a condition that holds, and when that happens next."""
    entry = found.remembered[key(page)]
    if entry.last is None:
        return f"A human is paged at {entry.since + page.grace:%H:%M:%S} UTC if it still holds."
    after = reminder(entry, page)
    then = f"next reminder {_moment(after, found.at)}" if after else "no reminder follows"
    return f"A human was paged at {_moment(entry.last, found.at)} ({then})."


def _moment(at: datetime, now: datetime) -> str:
    """A time of day, with its date where that is another day."""
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S} UTC"


def left_alone(found: Preview) -> str:
    """Why a tick does not write the mark, though it is not there."""
    assert found.plan is not None  # as `Preview` says of `unmarked`
    return (
        f"the mark of epoch {found.plan.mark.epoch} on {found.plan.resource} is left alone,"
        f" because something else removed it {MARK_ROUNDS} times within"
        f" {long(round(MARK_WITHIN.total_seconds()))}. The next epoch writes it again"
    )


def _is_past(stamp: object, now: datetime) -> bool:
    try:
        return read_time(stamp) <= now
    except (ValueError, OverflowError):
        return False


def incident_sentence(incident: Incident, now: datetime) -> str:
    """Where one incident stands, and what it means for its region."""
    began = ago(incident.started_at, now)
    origin = f"Incident {incident.id} of {incident.region}, begun {began}"
    if not incident.opened:
        return (
            f"{origin}: only its close has come, never its open. It changes no region; if the open"
            " comes late it is known to be over."
        )
    if incident.id.startswith("tick-"):
        origin += ", opened by ticks that saw the region fail without any alert"
    if incident.set_aside:
        return (
            f"{origin}: set aside, for {claimed(incident.set_aside)} sent the traffic there in"
            " spite of it; only a newer incident counts against the region."
        )
    if incident.contradicted and incident.doubt:
        return (
            f"{origin}: {_STATES[incident.state]}, but {DOUBTS[incident.doubt]}. It counts only"
            f" while our own probe of {incident.region} fails, and that has not been seen yet."
        )
    if incident.contradicted:
        return (
            f"{origin}: {_STATES[incident.state]}, but the second signal found the region healthy"
            " when it came, so it does not count."
        )
    match incident.state:
        case IncidentState.OPEN:
            return f"{origin}: still open."
        case IncidentState.STALE:
            return f"{origin}: Monitoring never closed it, but the region has proven healthy since."
        case IncidentState.CLOSED:
            proof = (
                "and the region has proven healthy since"
                if incident.settled
                else ("but a close is no proof of health: ticks must see the region answer well")
            )
            return f"{origin}: closed by Monitoring, {proof}."


def region_sentence(
    name: str,
    status: Status,
    probe: str,
    incidents: Sequence[Incident],
    chosen: str | None,
    *,
    failing: bool = False,
) -> str:
    """Where one region stands and why.

    chosen: by whom, if that is all that it is up for. failing: its probe fails now.
    """
    count = len(incidents)
    about = f"{count} incident{'' if count == 1 else 's'} known"
    meaning = {
        Status.UP: f"up: {claimed(chosen)} chose it, and it has not proven well since"
        if chosen
        else "up by the document, and its probe fails now"
        if failing
        else "up: it may carry traffic",
        Status.DOWN: "DOWN: an incident is open that nothing contradicts",
        Status.RECOVERING: "recovering: was down, and has not proven healthy yet",
    }[status]
    return f"{name} is {meaning}. Its probe says now: {probe}; {about}."


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, two columns further right."""
    return [Line(f"  {one}", style_of(one)) for one in lines]
