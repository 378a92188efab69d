"""The report of a run: every act, every decision that says something new, notes and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.core.document import trigger
from orchestrator.core.model import Json, Signal, Stored, Tick
from orchestrator.drill.expectations import refusals
from orchestrator.drill.virtual_world import START, VirtualWorld
from orchestrator.flow.journal import record
from orchestrator.flow.pipeline import Report


@dataclass(frozen=True, slots=True)
class ChronicleLine:
    """One line of what happened. kind: act, decision, note, error or broken."""

    at: timedelta
    kind: str
    text: str = ""
    decision: Json = field(default_factory=dict)


@dataclass
class Chronicle:
    """One run, told. newest: the decision that said something last. pages, said: all so far."""

    world: VirtualWorld
    lines: list[ChronicleLine] = field(default_factory=list)
    newest: Json = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _shapes: set[str] = field(default_factory=set)

    def note(self, kind: str, text: str) -> None:
        """One line."""
        self.lines.append(ChronicleLine(self.world.now - START, kind, text))

    def once(self, kind: str, text: str) -> None:
        """One line, unless the same was said before, whatever its numbers."""
        self.said.append(text)
        shape = re.sub(r"[\d.:]+", "0", text)
        if shape not in self._shapes:
            self._shapes.add(shape)
            self.note(kind, text)

    def log(self, severity: str, message: str, **fields: object) -> None:
        """What the flow says. A decision's own line appears as the decision."""
        if fields.get("page"):
            self.pages.append(message)
        if "outcome" in fields or severity in {"DEBUG", "INFO", "NOTICE"}:
            self.said.append(message)
        else:
            self.once("note", message)

    def collect(self, signal: Signal, report: Report | None) -> None:
        """The decisions that were recorded meanwhile, else a refusal that says something new."""
        for decision in self._recorded() or self._refused(signal, report):
            self._known.add(str(decision["id"]))
            self.newest = decision
            self.lines.append(ChronicleLine(self.world.now - START, "decision", "", decision))

    def _recorded(self) -> list[Json]:
        history = self.world.state.history if self.world.state else ()
        return [one for one in reversed(history) if str(one["id"]) not in self._known]

    def _refused(self, signal: Signal, report: Report | None) -> list[Json]:
        """A refusal that was not recorded; one of a tick only if it says something new."""
        if report is None or all(reason.passed for reason in report.decision.reasons):
            return []
        decision = self._unrecorded(signal, report)
        is_news = refusals(decision) != refusals(self.newest)
        return [decision] if is_news or not isinstance(signal, Tick) else []

    def _unrecorded(self, signal: Signal, report: Report) -> Json:
        state = report.decision.state
        routing = self.world.backends.read(self.world.service.backend_service)
        before = record.before(self.world.service, Stored(state, 0), routing)
        what = trigger.of(signal)
        identity = f"unrecorded-{trigger.words(what)}"
        return record.entry(report.decision, what, before, self.world.now, identity)
