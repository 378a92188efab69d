"""Standbys that stay attached: the load balancer's own health check of their role keeps them out.

With `traffic.standby: attached` every region has capacity, and users go where `/healthz/primary`
answers 200: to the region that is the primary by the newest document that its application could
read. So the commit alone moves the traffic, also while the Compute API is down; the write to the
load balancer that follows a move carries the mark and nothing else. Three things could go wrong:

- *A region without capacity becomes the primary: nobody serves.* So a target must be `attached`:
  seen to have capacity on a load balancer that carried the document's own epoch, which no epoch has
  taken from it since. Whoever still carries out an older epoch is fenced out by then, and no newer
  one takes it away; so no write under way can either. Attaching is an epoch before the move's.
- *The old primary is drained before the new one serves: nobody serves.* So draining is an epoch of
  its own, after the new primary was heard to say 200 by this epoch's document or a later one; and
  where the old one lives and may still have the users, `max_staleness` later at that.
- *Two regions serve, for one goes by an old document.* So the primary that failed is drained, and
  so is whoever goes on saying 200 by an older document. A region is attached again only when it is
  well and was heard to say, by this epoch's document or a later one, that it stands by.

A standby that fails is left as it is: its health check keeps it out, and it costs no epoch. The old
primary of a graceful switch, which lives and says so itself, stays attached too: it is the next
target.

The desired routing is still a function of the epoch: who is the primary, and who has capacity
(`attach`), change with a new epoch only. What was seen (`attached`) changes without one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import rules
from orchestrator.core.carried import carries
from orchestrator.core.choice import UNHEARD, Scene
from orchestrator.core.ground import Standing, standing
from orchestrator.core.model import (
    Command,
    Leave,
    Outcome,
    Part,
    Role,
    Routing,
    State,
    Status,
    Tick,
)
from orchestrator.core.plan import carrying, desired, seen_pair
from orchestrator.core.policy import Service, Standby
from orchestrator.core.rule import Reason, Rule
from orchestrator.core.wanted import Wanted, lives, overridden, to_be_drained


def noticed(state: State, service: Service, routing: Routing | None, now: datetime) -> State:
    """The state with what can be seen of capacity; as it was where nothing can be seen.

    On a load balancer that does not carry the document's epoch yet, capacity can only be missed.
    """
    if service.standby is not Standby.ATTACHED or routing is None:
        return state
    pointed = set(carrying(routing, service))
    kept = desired(state, service) if state.epoch else pointed
    current = carries(state, routing, service, now)
    regions = dict(state.regions)
    for name, entry in state.regions.items():
        seen = name in pointed and (name in kept if current else entry.attached)
        if seen is not entry.attached:
            regions[name] = replace(entry, attached=seen)
    return replace(state, regions=regions)


def moves_unseen(service: Service, before: State | None) -> bool:
    """Whether a move may be decided while the load balancer cannot be read.

    The document must have been made with this configuration: then it tells who is attached.
    """
    if service.standby is not Standby.ATTACHED or before is None:
        return False
    return standing(before.stamp, service.stamp) is Standing.SAME


def seated(state: State, scene: Scene) -> State:
    """The state of a new epoch, in which whoever has capacity keeps it, as does the primary.

    The primary that it leaves, unless that lives, is to be drained later.
    """
    if scene.service.standby is not Standby.ATTACHED:
        return state
    regions = {}
    for name, entry in state.regions.items():
        attach = entry.attach or entry.attached or name in state.routing
        leave = entry.leave
        if name in state.routing:
            leave = None
        elif name == scene.state.primary and not lives(scene, name):
            leave = leave or Leave.FAILED
        regions[name] = replace(entry, attach=attach, leave=leave)
    return replace(state, regions=regions)


def arrange(scene: Scene, current: tuple[str, ...]) -> Wanted:
    """Attach the standbys that may be, and drain those that must be, all in one epoch."""
    if not _is_due(scene):
        return Wanted(scene.state, current)
    state, told, waiting = scene.state, list[Reason](), list[Reason]()
    frozen = rules.freeze(state.freeze, scene.now)
    joining = [name for name in scene.service.names if _is_away(scene, name)]
    for name in joining:
        gates = _join(scene, name)
        if frozen or not all(gate.passed for gate in gates):
            waiting += [*gates, *([frozen] if frozen else [])]
            continue
        state = _with(state, name, attach=True, leave=None)
        told += [*gates, Reason(Rule.STANDBYS, True, f"{name} is attached again", "", name)]
    for name, why in _going(scene).items():
        failed = state.regions[name].leave is Leave.FAILED
        gates = (_leads(scene), *(() if failed else (_settled(scene),)))
        if frozen or not all(gate.passed for gate in gates):
            waiting += [*gates, *([frozen] if frozen else [])]
            continue
        kept = state.regions[name].leave or Leave.FAILED
        state = _with(state, name, attach=False, attached=False, leave=kept)
        told += [*gates, Reason(Rule.STANDBYS, True, f"{name} is drained: {why}", "", name)]
    outcome = Outcome.STANDBYS if told else None
    told += _unheeded(scene)
    return Wanted(_forgiven(scene, state), current, outcome, tuple(told), tuple(waiting))


def first(scene: Scene, current: tuple[str, ...], to: str, command: Command) -> Wanted:
    """Attach the region that a human wants to go to; the same command, once more, then goes there.

    So the command is not noted as carried out.
    """
    entry = scene.state.regions[to]
    joins = _join(scene, to)  # no override gives it a backend
    joins = overridden(joins, command) if scene.has_backend(to) else joins
    gates = [*joins, _carried_out(scene)]
    if entry.attach:
        value = "it is being attached; give the command again when it is"
        gates.append(Reason(Rule.ATTACHED, False, value, "attached", to))
    if not all(gate.passed for gate in gates):
        return Wanted(scene.state, current, None, tuple(gates))
    commands = {key: at for key, at in scene.state.commands.items() if key != command.id}
    state = replace(_with(scene.state, to, attach=True, leave=None), commands=commands)
    reason = Reason(Rule.STANDBYS, True, f"{to} is attached first", "", to)
    return Wanted(state, current, Outcome.STANDBYS, (*gates, reason))


def evacuated(scene: Scene, current: tuple[str, ...], name: str) -> Wanted:
    """Drain a standby for a human: now, or when it cannot be the one that still has the users."""
    entry = scene.state.regions[name]
    state = to_be_drained(scene.state, name, Leave.EVACUATED)
    gates = (_carried_out(scene), _leads(scene), _settled(scene))
    if not entry.attach and not entry.attached:
        told = Reason(Rule.STANDBYS, True, f"{name} is drained already", "", name)
        return Wanted(state, current, Outcome.OBEYED, (told,))
    if not all(gate.passed for gate in gates):
        told = Reason(Rule.STANDBYS, True, f"{name} is drained when that can be done", "", name)
        return Wanted(state, current, Outcome.OBEYED, (told,), gates)
    state = _with(state, name, attach=False, attached=False)
    told = Reason(Rule.STANDBYS, True, f"{name} is drained: evacuated", "", name)
    return Wanted(state, current, Outcome.STANDBYS, (*gates, told))


def freed(state: State) -> State:
    """The state in which no region is kept without capacity by a human's wish."""
    regions = {
        name: replace(entry, leave=None) if entry.leave is Leave.EVACUATED else entry
        for name, entry in state.regions.items()
    }
    return replace(state, regions=regions)


# --- who may be attached, and who must be drained ------------------------------------------------


def _is_due(scene: Scene) -> bool:
    """Whether standbys may be arranged now: by ticks, and by whatever finds the primary down.

    The load balancer must carry the document's epoch, and at epoch 0 it is left as it was deployed.
    """
    state = scene.state
    if scene.service.standby is not Standby.ATTACHED or state.switch is not None:
        return False
    if isinstance(scene.signal, Command) or not _carried_out(scene).passed:
        return False
    return _is_down(scene) or (isinstance(scene.signal, Tick) and state.epoch > 0)


def _carried_out(scene: Scene) -> Reason:
    """The load balancer can be read, and carries the epoch of a document whose primary is known."""
    state, limit = scene.state, f"epoch {scene.state.epoch}"
    if state.primary not in scene.service.names:
        return Reason(
            Rule.ATTACHED, False, f"{state.primary} is configured no more", "a new primary"
        )
    if scene.routing is None:
        return Reason(Rule.ATTACHED, False, "the load balancer cannot be read", limit)
    seen = seen_pair(scene.routing, scene.service)
    value = f"the load balancer carries epoch {seen.epoch}"
    there = carries(state, scene.routing, scene.service, scene.now)
    return Reason(Rule.ATTACHED, there, value, limit)


def _is_away(scene: Scene, name: str) -> bool:
    """Whether the region has no capacity, and no human took it; as a last resort, whoever did."""
    entry = scene.state.regions[name]
    if entry.attach or entry.attached or name in scene.state.routing:
        return False
    return entry.leave is not Leave.EVACUATED or _is_last_resort(scene)


def _is_last_resort(scene: Scene) -> bool:
    """Whether the primary is down, and nobody can take over: then evacuated regions may."""
    others = (name for name in scene.service.names if name not in scene.state.routing)
    return _is_down(scene) and not any(scene.fit(name).passed for name in others)


def _is_down(scene: Scene) -> bool:
    return scene.state.regions[scene.state.primary].status is Status.DOWN


def _join(scene: Scene, name: str) -> tuple[Reason, ...]:
    """The gates of being attached: well, with a backend, and standing by as it says itself."""
    return (scene.well(name), rules.stands_by(name, _role(scene, name), scene.state.epoch))


def _going(scene: Scene) -> dict[str, str]:
    """The regions that are to have no capacity any more, and why."""
    if not isinstance(scene.signal, Tick):
        return {}
    found = {}
    for name in scene.service.names:
        entry, role = scene.state.regions[name], _role(scene, name)
        if name in scene.state.routing or not (entry.attach or entry.attached):
            continue
        if entry.leave is not None and not _is_forgiven(scene, name):
            found[name] = f"{entry.leave}, and {scene.state.primary} has taken over"
        elif role.part is Part.LEADS and role.epoch < scene.state.epoch:
            found[name] = f"it still leads by the document of epoch {role.epoch}"
    return found


def _unheeded(scene: Scene) -> tuple[Reason, ...]:
    """Whether the primary stands by, by an older document, long after: then nobody serves."""
    primary = scene.state.primary
    role = _role(scene, primary)
    if role.part is not Part.STANDS_BY or role.epoch >= scene.state.epoch:
        return ()
    if not isinstance(scene.signal, Tick) or not _settled(scene).passed:
        return ()
    return (rules.leads(primary, role, scene.state.epoch),)


def _settled(scene: Scene) -> Reason:
    """Every application should know of this epoch by now, and the load balancer have heard it."""
    shift, patience = scene.state.shift, scene.service.policy.graceful.max_staleness
    if shift is None or shift.at is None:
        return Reason(Rule.STANDBYS, True, "this epoch is an old one")
    age, limit = scene.now - shift.at, f"more than {rules.duration(patience)}"
    whole = timedelta(seconds=round(age.total_seconds()))
    value = f"this epoch was decided {rules.duration(whole)} ago"
    return Reason(Rule.STANDBYS, age > patience, value, limit)


def _is_forgiven(scene: Scene, name: str) -> bool:
    """Whether a region that failed has recovered and stands by, before it was ever drained."""
    failed = scene.state.regions[name].leave is Leave.FAILED
    return failed and all(gate.passed for gate in _join(scene, name))


def _forgiven(scene: Scene, state: State) -> State:
    for name, entry in state.regions.items():
        if entry.attach and entry.leave and name in scene.service.names:
            state = _with(state, name, leave=None) if _is_forgiven(scene, name) else state
    return state


def _leads(scene: Scene) -> Reason:
    return rules.leads(scene.state.primary, _role(scene, scene.state.primary), scene.state.epoch)


def _role(scene: Scene, name: str) -> Role:
    return scene.roles.get(name, UNHEARD)


def _with(state: State, name: str, **changes: object) -> State:
    entry = replace(state.regions[name], **changes)  # type: ignore[arg-type]  # fields of the entry
    return replace(state, regions={**state.regions, name: entry})
