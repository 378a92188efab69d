"""What each phrase of a timeline does to the world, and the messages that it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Protocol

from orchestrator.core.model import AlertClosed, AlertOpened, Command, Signal, Wish
from orchestrator.drill.phrases import Act, length
from orchestrator.drill.world import FAILING, TIMEOUT, Killed, World, after


class Stage(Protocol):
    """Where acts are carried out. began: when each incident did. ids: for commands."""

    world: World
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
    if "alert " in act.form:
        _send(_alert(act, stage), act, stage)
    elif " commands" in act.form:
        _send(_command(act, stage), act, stage)
    else:
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


def _alert(act: Act, stage: Stage) -> Signal:
    """The message of an incident; it began when it was first spoken of, unless it says when."""
    name, region, now = act.values["name"], act.values["region"], stage.world.now
    began = stage.began.setdefault(name, now - act.tail("begun DURATION ago"))
    if "opens" in act.form:
        return AlertOpened(name, region, began)
    return AlertClosed(name, region, began, now)


def _command(act: Act, stage: Stage) -> Command:
    wish = act.form.removeprefix("ACTOR commands ").partition(" ")[0]
    now = stage.world.now
    until = now + length(act.values["length"]) if "length" in act.values else None
    return Command(
        id=f"c{next(stage.ids)}",
        wish=Wish(wish),
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


def _fails(act: Act, stage: Stage) -> None:
    answer = TIMEOUT if "does not answer" in act.form else FAILING
    stage.world.health.update(dict.fromkeys(_meant(act, stage), answer))


def _recovers(act: Act, stage: Stage) -> None:
    for name in _meant(act, stage):
        stage.world.health.pop(name, None)


def _reach(act: Act, stage: Stage) -> None:
    numbers = [int(act.values["number"])] if "number" in act.values else [1, 2]
    pairs = {(number, name) for number in numbers for name in _meant(act, stage)}
    if "cannot" in act.form:
        stage.world.unreached |= pairs
    else:
        stage.world.unreached -= pairs


def _clock(act: Act, stage: Stage) -> None:
    ahead = length(act.values["length"]) if "length" in act.values else timedelta(0)
    numbers = [int(act.values["number"])] if "number" in act.values else [1, 2]
    stage.world.ahead.update(dict.fromkeys(numbers, ahead))


def _users(act: Act, stage: Stage) -> None:
    if "cannot" in act.form:
        stage.world.cut_off.update(_meant(act, stage))
    else:
        stage.world.cut_off.difference_update(_meant(act, stage))


def _lags(act: Act, stage: Stage) -> None:
    seconds = length(act.values["length"]).total_seconds()
    for name in _meant(act, stage):
        stage.world.lag.setdefault(name, {})[act.values["other"]] = seconds


def _lag_unknown(act: Act, stage: Stage) -> None:
    for name in _meant(act, stage):
        stage.world.lag.setdefault(name, {})[act.values["other"]] = None


def _reads(act: Act, stage: Stage) -> None:
    for name in _meant(act, stage):
        if "no document" in act.form:
            stage.world.held[name] = stage.world.known(name)
        else:
            stage.world.held.pop(name, None)


# --- other hands and clouds ----------------------------------------------------------------------


def _given(act: Act, stage: Stage) -> None:
    stage.world.give(act.values["regions"].split(" and "))


def _edited(act: Act, stage: Stage) -> None:
    stage.world.edit(primary=act.values["region"])


def _restores(act: Act, stage: Stage) -> None:
    stage.restore(act.values["actor"])


def _attaches(act: Act, stage: Stage) -> None:
    attached = act.form.startswith("a controller attaches")
    stage.world.attach(act.values["name"], act.values["zone"], attached=attached)


def _gone(act: Act, stage: Stage) -> None:
    cloud = act.form.partition(" is gone")[0]
    stage.world.gone[cloud] = after(length(act.values["time"]))


def _killed(_: Act, __: Stage) -> None:
    raise Killed


_ACTS: Mapping[str, Callable[[Act, Stage], None]] = {
    "REGION fails": _fails,
    "REGION does not answer": _fails,
    "REGION recovers": _recovers,
    "ORCHESTRATOR cannot reach REGION": _reach,
    "ORCHESTRATOR reaches REGION again": _reach,
    "the clock of ORCHESTRATOR is DURATION ahead": _clock,
    "the clock of ORCHESTRATOR is right again": _clock,
    "users cannot reach REGION": _users,
    "users reach REGION again": _users,
    "REGION is DURATION behind OTHER": _lags,
    "REGION does not know its lag behind OTHER": _lag_unknown,
    "REGION reads no document": _reads,
    "REGION reads the document again": _reads,
    "tick": lambda _, stage: stage.tick(),
    "another hand gives REGIONS the traffic": _given,
    "a controller attaches NAME in ZONE": _attaches,
    "a controller detaches NAME in ZONE": _attaches,
    "terraform apply": lambda _, stage: stage.world.deploy(),
    "somebody edits the document's primary to REGION": _edited,
    "ACTOR restores the document": _restores,
    "the state bucket is gone until TIME": _gone,
    "the Compute API is gone until TIME": _gone,
    "Pub/Sub is gone until TIME": _gone,
    "Monitoring is gone until TIME": _gone,
    "the orchestrator is killed": _killed,
}
