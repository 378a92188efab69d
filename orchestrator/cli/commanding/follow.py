"""Following a command to its end: until somebody has carried it out, and its switch is over.

A look that fails is no answer: it is looked again, for as long as patience lasts, and what cannot
be seen then is said to be unknown, never to have failed. A switch counts as done only by an end
that is its own; one that another decision ended is a failure that names that decision.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.cli.explaining.entries import failures
from orchestrator.cli.session import Session
from orchestrator.cli.words import failure_words, gates, sentences
from orchestrator.core.document import trigger
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Command, DecisionOutcome, Json, State, Stored, Switch
from orchestrator.core.moves.switch import promise
from orchestrator.core.outside.reading import stamp_time
from orchestrator.core.policy import Service
from orchestrator.flow.journal.record import journal_place
from orchestrator.flow.observe import read_routing, read_state
from orchestrator.wiring import Deployment

PATIENCE = 90.0
"""Seconds that a published command is waited for. Pub/Sub needs one or two."""

LOOK, NUDGE = 0.5, 10.0
"""Seconds between two looks at the document, and between two ticks asked for during a switch."""


class NotCarriedOut(FailoverError):
    """The command was published, and nobody has carried it out in time."""


class NotSeen(FailoverError):
    """The command was given, and what came of it cannot be seen. It may be carried out."""


class SwitchEnded(FailoverError):
    """The command began a switch, and another decision ended it."""


class Follower:
    """Waits for one command of one service. nudge: has the orchestrator look again, in a switch."""

    def __init__(
        self,
        service: Service,
        made: Command,
        session: Session,
        world: Deployment,
        nudge: Callable[[], object],
    ) -> None:
        self._service, self._made = service, made
        self._session, self._context, self._nudge = session, world.context, nudge
        self._world = world
        self._began = self._seen = self._nudged = self._asked = self._context.monotonic()
        self._blind = False
        self._failure: Json = {}

    def follow(self) -> Json:
        """What came of it, as the history has it.

        Raises NotCarriedOut, NotSeen and SwitchEnded, each naming the command.
        """
        while True:
            stored = self._look()
            if stored is not None:
                state = stored.state
                if state is None or self._made.id not in state.commands:
                    self._await_somebody(state)
                elif state.switch is None or state.switch.command != self._made.id:
                    return conclusion(state, self._made)
                else:
                    self._keep_going(state.switch)
            self._context.rest(LOOK)

    def _look(self) -> Stored | None:
        """The document. None while it cannot be read."""
        try:
            stored = read_state(self._service.name, self._context)
        except FailoverError as error:
            if error.page or self._context.monotonic() - self._seen > PATIENCE:
                raise self._not_seen(str(error)) from error
            if not self._blind:
                self._blind = True
                self._session.note(f"{self._service.name}: cannot be read for now: {error}")
            return None
        self._seen, self._blind = self._context.monotonic(), False
        return stored

    def _not_seen(self, why: str) -> NotSeen:
        name, identity = self._service.name, self._made.id
        return NotSeen(
            f"{name}: command {identity} was given and may be carried out. What came of it"
            f" cannot be seen from here: {why.rstrip('.')}. Do not repeat it blindly:"
            " `failoverctl explain"
            f" {name} {identity}` tells it as soon as the state can be read"
        )

    def _await_somebody(self, state: State | None) -> None:
        """Say what was tried meanwhile. Raises NotCarriedOut when patience ends."""
        now = self._context.monotonic()
        if now - self._asked > NUDGE or now - self._began > PATIENCE:
            self._asked = now
            self._look_for_failure(state)
        if now - self._began > PATIENCE:
            raise NotCarriedOut(self._why_not())

    def _look_for_failure(self, state: State | None) -> None:
        """Note an invocation that was given this command and failed, as the journal has it."""
        place = {"epoch": state.epoch if state else 0, "at": stamp_time(self._made.given.at)}
        within = journal_place(place)
        try:
            found = failures(self._session, self._service.name, self._world, 5, within)
        except FailoverError:
            return  # it is only an explanation, and the document tells what came of the command
        own = next((entry for entry in found if entry.get("command") == self._made.id), None)
        if own and not self._failure:
            self._failure = own
            why = failure_words.why(own)
            self._session.note(
                f"{self._service.name}: an orchestrator took the command and failed: {why}. Pub/Sub"
                " delivers it again.",
                "yellow",
            )

    def _why_not(self) -> str:
        name, identity = self._service.name, self._made.id
        begins = f"{name}: nobody has carried out command {identity} within {PATIENCE:.0f} s"
        until = self._made.issued_at + self._service.policy.max_event_age
        tells = f"`failoverctl explain {name} {identity}` tells what came of it"
        late = (
            f"Pub/Sub delivers the command again, and it is obeyed if that ends before"
            f" {until:%H:%M:%S} UTC. {tells}. Nothing has moved so far"
        )
        if self._failure:
            return f"{begins}. It was tried and failed: {failure_words.why(self._failure)}. {late}"
        try:
            read_routing(self._service, self._context)
        except FailoverError as error:
            return f"{begins}. From here, {failure_words.unavailable(error)}. {late}"
        return (
            f"{begins}. It may still be carried out, until {until:%H:%M:%S} UTC. Or it was refused"
            f" as unreadable: look for `poison` in the functions' log. {tells}. Use --direct to"
            " do it from here"
        )

    def _keep_going(self, switch: Switch) -> None:
        """Ask for a tick now and then. One that fails is shown, and asked for again."""
        now = self._context.monotonic()
        if now - self._nudged <= NUDGE:
            return
        self._nudged = now
        self._session.note(
            f"{self._service.name}: {switch.step}: {promise(switch, self._service.policy.graceful)}"
        )
        try:
            self._nudge()
        except FailoverError as error:
            self._session.note(
                f"{self._service.name}: no tick could be asked for: {error}", "yellow"
            )


def conclusion(state: State, made: Command) -> Json:
    """What the history has of a command that is over: itself, or the end of its switch.

    Raises SwitchEnded and NotSeen.
    """
    asked = trigger.of(made)
    own = next((e for e in state.history if trigger.read(e.get("signal")).id == asked.id), None)
    if own is None:
        return {"signal": trigger.as_json(asked), "outcome": DecisionOutcome.UNCHANGED}
    if own.get("outcome") != DecisionOutcome.SWITCHING:
        return own
    later = reversed(state.history[: state.history.index(own)])
    end = next((e for e in later if _end_of(e, made.id)), None)
    if end is None:
        raise NotSeen(
            f"{state.service}: the switch of command {made.id} is over, and the history no longer"
            f" says how. `failoverctl history {state.service} --journal` keeps all"
        )
    reason = _end_of(end, made.id)
    if _is_own_end(end, reason):
        return end
    raise SwitchEnded(
        f"{state.service}: the switch to {reason.get('region')} of your command {made.id} was ended"
        f" by {sentences.cause(end)}; {sentences.whereabouts(end)}"
    )


def _is_own_end(end: Json, reason: Json) -> bool:
    """Whether a switch ended as its command meant it: done, given up, or moved there anyway."""
    arrived = end.get("outcome") == DecisionOutcome.MOVED and list(_routing(end)) == [
        reason.get("region")
    ]
    return bool(reason.get("passed")) or end.get("outcome") == DecisionOutcome.ABANDONED or arrived


def _end_of(entry: Json, identity: str) -> Json:
    """The reason with which a decision ended the switch of this command, or nothing."""
    return next((r for r in gates.reasons(entry) if gates.command_of(r) == identity), {})


def _routing(entry: Json) -> Json:
    found = entry.get("routing")
    return found if isinstance(found, dict) else {}
