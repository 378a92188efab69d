"""Decisions in sentences, for a person who is tired: what came in, what was done, and why.

Pure: from the entries of history and journal, as JSON, to text. Every rule's value is in it,
whether it passed or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.cli.words import failure_words
from orchestrator.cli.words.gates import gates
from orchestrator.cli.words.line import Line, style_of
from orchestrator.cli.words.remedies import remedies
from orchestrator.cli.words.times import when
from orchestrator.core.document import trigger
from orchestrator.core.document.trigger import TriggerOrigin
from orchestrator.core.model import DecisionOutcome, IncidentState, Json, Phase
from orchestrator.core.traffic.shares import TrafficShares, besides, read_view, told
from orchestrator.flow.journal.shifts import SHIFTED

_OUTCOMES: Mapping[str, tuple[str, str]] = {
    DecisionOutcome.HELD: ("It HELD", ": the traffic stayed with {now}"),
    DecisionOutcome.HEALTH: ("It noted who is healthy", ". The traffic stayed with {now}"),
    DecisionOutcome.UNCHANGED: ("It changed nothing", ". The traffic stays with {now}"),
    DecisionOutcome.ADOPTED: ("It adopted what the load balancer says", ": {now} (epoch {epoch})"),
    DecisionOutcome.OBEYED: ("It did what the command says", ". The traffic is with {now}"),
    DecisionOutcome.SWITCHING: (
        "It began a graceful switch",
        ". Until it ends, the traffic stays with {now}",
    ),
    DecisionOutcome.RAMPED: (
        "It gave a region the next step of its traffic",
        ": {now} carries traffic (epoch {epoch})",
    ),
    DecisionOutcome.ABANDONED: ("It GAVE UP what was under way", ". The traffic is with {now}"),
    DecisionOutcome.STANDBYS: (
        "It attached or drained standbys",
        ". The traffic stays with {now} (epoch {epoch})",
    ),
    DecisionOutcome.CONFIGURED: (
        "It applied a newer configuration",
        ": {now} carries traffic (epoch {epoch})",
    ),
}
"""What was done, and where the traffic is: the second part only by what was read."""

_PATCHED: Mapping[str, str] = {
    Phase.VERIFIED: "This call patched the load balancer and read it back: it was as decided.",
    Phase.UNVERIFIED: "This call patched the load balancer, and what it read back was NOT as"
    " decided. The next tick looks again.",
    Phase.APPLIED: "This call patched the load balancer. It did not read the result back.",
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
        verified = entry.get("phase") == Phase.VERIFIED
        return _Where(names) if verified else _Where(None, _wants(wanted))
    seen = read_view(entry.get("traffic", entry.get("traffic_before")))
    if seen is None:
        return _Where(None, f" {capital(told(None, [wanted]))}.")
    if seen.attached:
        return _Where(names, _also(seen))
    as_wanted = bool(seen.regions) and set(seen.regions) == set(names)
    also = _also(seen) if as_wanted else f"{_wants(wanted)}{_also(seen)}"
    return _Where(seen.regions, also, "no configured region")


def _wants(wanted: str) -> str:
    return f" The document wants {wanted} to carry the traffic."


def _also(seen: TrafficShares) -> str:
    listed = ", ".join(map(str, seen.unclaimed))
    return f" {listed} carries traffic too, and no region claims it." if listed else ""


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def headline(entry: Json) -> str:
    """What a decision came to, in a sentence, and where the traffic was read to be."""
    outcome, epoch = entry.get("outcome"), entry.get("epoch")
    if outcome == DecisionOutcome.MOVED:
        return _moved(entry)
    if outcome == SHIFTED:
        decided = f", decided as {entry['of']}" if entry.get("of") else ""
        return f"It decided nothing and carried out epoch {epoch}{decided}."
    done, clause = _OUTCOMES.get(str(outcome), (f"Outcome {outcome}", ": {now}"))
    where = _where(entry)
    known = clause.format(now=where.now, epoch=epoch) if where.now else ""
    look = (
        "bold yellow" if str(outcome) in {DecisionOutcome.HELD, DecisionOutcome.ABANDONED} else ""
    )
    return Line(f"{done}{known}.{where.also}", look)


def _moved(entry: Json) -> str:
    """A move, told as done only where it was read to be done."""
    where = _where(entry)
    if where.regions and set(where.regions) == set(_names(entry, "routing")):
        done = _change("It GAVE", "It MOVED", str(where.now), entry)
        return Line(f"{done}{where.also}", _WELL)
    text = _change("It decided to GIVE", "It decided to MOVE", _carriers(entry, "routing"), entry)
    if where.now is None:
        return f"{text}{'' if 'traffic' not in entry else where.also}"
    return f"{text} When it was last read, {where.now} carried traffic.{where.also}"


def _change(give: str, move: str, to: str, entry: Json) -> str:
    """The words of a move, from where to where. give: where no region had any traffic before."""
    before, known = _carriers(entry, "routing_before"), read_view(entry.get("traffic_before"))
    if known is not None and not known.attached:
        before = ", ".join(known.regions)
    epochs = f"(epoch {entry.get('epoch_before') or 0} to {entry.get('epoch')})"
    if before:
        return f"{move} the traffic from {before} to {to} {epochs}."
    return f"{give} {to} the traffic {epochs}. No region had any before."


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
    if came.kind is TriggerOrigin.COMMAND:
        return f"command {came.id} ({came.verb} {trigger.asked(came)})"
    return f"the decision on `{trigger.words(came)}`"


def came_in(entry: Json, doubted: Collection[str] = ()) -> str:
    """What a decision was about. doubted: ids of incidents whose region is in doubt."""
    came = trigger.read(entry.get("signal"))
    match came.kind, came.state:
        case TriggerOrigin.ALERT, IncidentState.OPEN if came.incident in doubted:
            return f"Cloud Monitoring opened incident {came.incident}, taken for {came.region}."
        case TriggerOrigin.ALERT, IncidentState.OPEN:
            return f"Cloud Monitoring opened incident {came.incident}: {came.region} fails."
        case TriggerOrigin.ALERT, IncidentState.CLOSED:
            return f"Cloud Monitoring closed incident {came.incident} of {came.region}."
        case TriggerOrigin.COMMAND, _:
            return f"Command {came.id}, {came.verb}: {trigger.asked(came)}."
        case TriggerOrigin.TICK, _:
            return "A tick looked at everything itself. No alert was involved."
    return f"What came in: {trigger.words(came)}."


def became_of(entry: Json) -> list[str]:
    """How far the shift of the decision's own epoch came, when the journal knows."""
    found, newer = entry.get("shifted"), entry.get("superseded_by")
    plans = found if isinstance(found, list) else []
    lines = [*_reached(entry, plans), *(f"Written: {plan}" for plan in plans)]
    if newer and plans:
        lines.append(f"Epoch {newer} has superseded this decision since.")
    elif newer:
        lines.append(
            f"This call did not patch the load balancer for it: epoch {newer} superseded it."
        )
    return lines


def _reached(entry: Json, plans: Sequence[object]) -> Iterator[str]:
    """The phase that was reached, and for which regions that is so."""
    phase = str(entry.get("phase"))
    said = (_PATCHED if plans else _NOT_PATCHED).get(phase)
    if said is None:
        return
    seen = read_view(entry.get("traffic"))
    if phase == Phase.VERIFIED and seen is not None and seen.unclaimed:
        said = f"{said} That holds for the regions of the file only.{_also(seen)}"
    yield said


def tell(entry: Json, now: datetime, service: str = "", doubted: Collection[str] = ()) -> list[str]:
    """A whole decision, a sentence a line.

    service: whose, for the commands to paste. doubted: ids of incidents whose region is in doubt.
    """
    if failure_words.is_failure(entry):
        at = when(entry.get("failed_at"), now)
        heading = f"Failure {entry.get('id')} of {at}."
        return [heading, came_in(entry, doubted), *failure_words.told(entry)]
    at = when(entry.get("at"), now)
    page = entry.get("page")
    return [
        f"Decision {entry.get('id')} of {at}.",
        came_in(entry, doubted),
        headline(entry),
        *indented(gates(entry)),
        *became_of(entry),
        *([Line(f"A human was paged: {page}.", "bold")] if page else []),
        *(Line(f"To do, {line}", "bold") for line in remedies(entry, service)),
    ]


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, two columns further right."""
    return [Line(f"  {one}", style_of(one)) for one in lines]
