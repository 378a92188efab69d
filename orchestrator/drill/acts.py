"""What each phrase of a timeline does to the world, and the messages that it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Protocol

from orchestrator.core.model import AlertClosed, AlertOpened, Command, Probe, Signal, Wish
from orchestrator.drill.phrases import Act, length
from orchestrator.drill.virtual_world import (
    COMPUTE_API,
    FAILING,
    MONITORING,
    PUBSUB,
    STATE_BUCKET,
    TIMEOUT,
    Killed,
    VirtualWorld,
    after,
)


class Stage(Protocol):
    """Where acts are carried out. began: when each incident did. ids: for commands."""

    world: VirtualWorld
    began: dict[str, datetime]
    ids: count[int]

    def at(self, time: datetime, what: Callable[[], None]) -> None:
        """Have this happen at that time."""

    def tick(self) -> None:
        """A tick, for every orchestrator."""

    def deliver(self, signal: Signal) -> None:
        """Every orchestrator takes this signal."""

    def restore(self, actor: str) -> None:
        """The last good version of the document is brought back."""


def perform(act: Act, stage: Stage) -> None:
    """Carry it out: now, or in the middle of the next commit or patch."""
    if act.before:
        stage.world.hooks[act.before].append(partial(_perform, act, stage))
    else:
        _perform(act, stage)


def _perform(act: Act, stage: Stage) -> None:
    _ACTS[act.form](act, stage)


# --- messages ------------------------------------------------------------------------------------


def _send(signal: Signal, act: Act, stage: Stage) -> None:
    if "lost" in act.tails:
        return
    late, now = act.tail("DURATION late"), stage.world.now
    if "again DURATION late" in act.tails:
        stage.at(now + act.tail("again DURATION late"), partial(stage.deliver, signal))
    for _ in range(int(act.tails.get("NUMBER times", "1"))):
        if late:
            stage.at(now + late, partial(stage.deliver, signal))
        else:
            stage.deliver(signal)


def _began(act: Act, stage: Stage) -> datetime:
    """When the incident began: when it was first named, unless it says when."""
    first = stage.world.now - act.tail("begun DURATION ago")
    return stage.began.setdefault(act.values["name"], first)


def _opens(act: Act, stage: Stage) -> None:
    alert = AlertOpened(act.values["name"], act.values["region"], _began(act, stage))
    _send(alert, act, stage)


def _closes(act: Act, stage: Stage) -> None:
    name, region, now = act.values["name"], act.values["region"], stage.world.now
    _send(AlertClosed(name, region, _began(act, stage), now), act, stage)


def _commands(act: Act, stage: Stage, wish: Wish) -> None:
    _send(_command(act, stage, wish), act, stage)


def _command(act: Act, stage: Stage, wish: Wish) -> Command:
    now = stage.world.now
    until = now + length(act.values["length"]) if "length" in act.values else None
    return Command(
        id=f"c{next(stage.ids)}",
        wish=wish,
        actor=act.values["actor"],
        reason="a drill",
        issued_at=now,
        published=now,
        region=act.values.get("region", ""),
        until=until,
        now="now" in act.tails,
        override=act.tails.get("overriding RULE", ""),
    )


# --- regions -------------------------------------------------------------------------------------


def _meant(act: Act, stage: Stage) -> tuple[str, ...]:
    region = act.values["region"]
    return stage.world.service.names if region == "every region" else (region,)


def _fails(act: Act, stage: Stage, answer: Probe) -> None:
    stage.world.health.update(dict.fromkeys(_meant(act, stage), answer))


def _recovers(act: Act, stage: Stage) -> None:
    for name in _meant(act, stage):
        stage.world.health.pop(name, None)


def _reach(act: Act, stage: Stage, *, reached: bool) -> None:
    numbers = [int(act.values["number"])] if "number" in act.values else [1, 2]
    pairs = {(number, name) for number in numbers for name in _meant(act, stage)}
    if reached:
        stage.world.unreached -= pairs
    else:
        stage.world.unreached |= pairs


def _clock(act: Act, stage: Stage) -> None:
    ahead = length(act.values["length"]) if "length" in act.values else timedelta(0)
    numbers = [int(act.values["number"])] if "number" in act.values else [1, 2]
    stage.world.ahead.update(dict.fromkeys(numbers, ahead))


def _users(act: Act, stage: Stage, *, served: bool) -> None:
    if served:
        stage.world.cut_off.difference_update(_meant(act, stage))
    else:
        stage.world.cut_off.update(_meant(act, stage))


def _lags(act: Act, stage: Stage) -> None:
    seconds = length(act.values["length"]).total_seconds()
    for name in _meant(act, stage):
        stage.world.lag.setdefault(name, {})[act.values["other"]] = seconds


def _lag_unknown(act: Act, stage: Stage) -> None:
    for name in _meant(act, stage):
        stage.world.lag.setdefault(name, {})[act.values["other"]] = None


def _reads(act: Act, stage: Stage, *, newest: bool) -> None:
    for name in _meant(act, stage):
        if newest:
            stage.world.held.pop(name, None)
        else:
            stage.world.held[name] = stage.world.known(name)


# --- other hands and clouds ----------------------------------------------------------------------


def _given(act: Act, stage: Stage) -> None:
    stage.world.give(act.values["regions"].split(" and "))


def _edited(act: Act, stage: Stage) -> None:
    stage.world.edit(primary=act.values["region"])


def _restores(act: Act, stage: Stage) -> None:
    stage.restore(act.values["actor"])


def _attaches(act: Act, stage: Stage, *, attached: bool) -> None:
    stage.world.attach(act.values["name"], act.values["zone"], attached=attached)


def _gone(act: Act, stage: Stage, cloud: str) -> None:
    stage.world.gone[cloud] = after(length(act.values["time"]))


def _killed(_: Act, __: Stage) -> None:
    raise Killed


_ACTS: Mapping[str, Callable[[Act, Stage], None]] = {
    "alert NAME opens for REGION": _opens,
    "alert NAME closes for REGION": _closes,
    "ACTOR commands failover to REGION": partial(_commands, wish=Wish.FAILOVER),
    "ACTOR commands failback": partial(_commands, wish=Wish.FAILBACK),
    "ACTOR commands evacuate REGION": partial(_commands, wish=Wish.EVACUATE),
    "ACTOR commands freeze for DURATION": partial(_commands, wish=Wish.FREEZE),
    "ACTOR commands unfreeze": partial(_commands, wish=Wish.UNFREEZE),
    "ACTOR commands ack": partial(_commands, wish=Wish.ACK),
    "REGION fails": partial(_fails, answer=FAILING),
    "REGION does not answer": partial(_fails, answer=TIMEOUT),
    "REGION recovers": _recovers,
    "ORCHESTRATOR cannot reach REGION": partial(_reach, reached=False),
    "ORCHESTRATOR reaches REGION again": partial(_reach, reached=True),
    "the clock of ORCHESTRATOR is DURATION ahead": _clock,
    "the clock of ORCHESTRATOR is right again": _clock,
    "users cannot reach REGION": partial(_users, served=False),
    "users reach REGION again": partial(_users, served=True),
    "REGION is DURATION behind OTHER": _lags,
    "REGION does not know its lag behind OTHER": _lag_unknown,
    "REGION reads no document": partial(_reads, newest=False),
    "REGION reads the document again": partial(_reads, newest=True),
    "tick": lambda _, stage: stage.tick(),
    "somebody gives REGIONS the traffic": _given,
    "a controller attaches NAME in ZONE": partial(_attaches, attached=True),
    "a controller detaches NAME in ZONE": partial(_attaches, attached=False),
    "terraform apply": lambda _, stage: stage.world.deploy(),
    "somebody edits the document's primary to REGION": _edited,
    "ACTOR restores the document": _restores,
    "the state bucket is gone until TIME": partial(_gone, cloud=STATE_BUCKET),
    "the Compute API is gone until TIME": partial(_gone, cloud=COMPUTE_API),
    "Pub/Sub is gone until TIME": partial(_gone, cloud=PUBSUB),
    "Monitoring is gone until TIME": partial(_gone, cloud=MONITORING),
    "the orchestrator is killed": _killed,
}
