"""The laws of automation, held against histories that nobody would write down.

A world in memory lives through alerts in any order, ticks, every command, freezes, probes that
change, other people's hands, new configurations, old documents put back, two orchestrators in each
other's gaps, and calls that are lost before or after they took effect. Every commit of the document
and every write to the load balancer is held against the laws at the moment it is made; at the end
the world is left with one region that is well, and must find it.

What is promised, exactly: automation moves only to where at least one region is up and answers;
while a region that carries traffic is down and stays, the decision names the rule that says so; and
when a human has acknowledged and nothing is frozen, the region that is well carries the traffic. At
epoch 0 automation leaves the load balancer to people, unless the primary is down. There it is
promised that a page names a command where nobody has traffic, and that a command gives the region
all of it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from orchestrator.adapters.folder.memory import MemoryObjects
from orchestrator.core.document import codec, trigger
from orchestrator.core.exceptions import FailoverError, Unavailable
from orchestrator.core.model import (
    NO_MARK,
    AlertClosed,
    AlertOpened,
    Command,
    DecisionOutcome,
    Doubt,
    Mark,
    Move,
    NoAnswer,
    NoLag,
    Probe,
    Signal,
    State,
    Status,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.moves.switch import MARGIN
from orchestrator.core.policy import Mode, Policy
from orchestrator.core.rule import Rule
from orchestrator.core.rules import AHEAD, freeze
from orchestrator.core.traffic.fence import read_mark
from orchestrator.flow.pipeline import Report
from orchestrator.flow.preview import preview
from orchestrator.flow.rescue.adopt import adopt
from tests.support.examples import examples
from tests.support.fakes import (
    FAILING,
    HEALTHY,
    REGIONS,
    START,
    Flaky,
    Lab,
    group,
    lab,
    service,
)

POLICY: dict[str, Any] = {
    "cooldown": "10m",
    "failback": "auto",
    "failback_after": "1m",
    "ramp_step": "2m",
    "max_auto_failovers": {"count": 2, "within": "1h"},
}
POLICIES: tuple[dict[str, Any], ...] = (
    POLICY,
    {**POLICY, "ramp": [0.3, 1.0], "min_incidents": 2},
    {"max_auto_failovers": {"count": 1, "within": "1h"}, "cooldown": "2m"},
    {**POLICY, "max_replication_lag": "60s"},
)
FAR_BEHIND = Probe(Verdict.HEALTHY, 200, dict.fromkeys(REGIONS, 300.0))
CAUGHT_UP = Probe(Verdict.HEALTHY, 200, dict.fromkeys(REGIONS, 0.0))
LAG_UNKNOWN = Probe(Verdict.HEALTHY, 200, lag_unreadable=True)
HEARTBEAT_STALLED = Probe(Verdict.HEALTHY, 200, dict.fromkeys(REGIONS, None))
ANSWERS = (
    HEALTHY,
    FAILING,
    Probe(Verdict.FAILING, NoAnswer.TIMEOUT),
    Probe(Verdict.SILENT, 403),
    FAR_BEHIND,
    LAG_UNKNOWN,
    HEARTBEAT_STALLED,
)
region = st.sampled_from(REGIONS)
wishes = st.fixed_dictionaries(
    {
        "wish": st.sampled_from([*Wish]),
        "where": region,
        "ago": st.sampled_from([0, 0, 30, 1000, -60]),
        "now": st.booleans(),
        "override": st.sampled_from(["", "", "target_healthy", "replication_lag"]),
    }
)
seconds = st.sampled_from([1, 20, 60, 61, 130, 300, 700, 4000])


class Inline(ThreadPoolExecutor):
    """An executor that does it at once: the same history is the same every time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Done when it returns."""
        made: Future[Any] = Future()
        try:
            made.set_result(fn(*args, **kwargs))
        except FailoverError as error:
            made.set_exception(error)
        return made


class Watched(MemoryObjects):
    """A state folder that shows each new document, and lets somebody in before it is written."""

    def __init__(self, seen: Callable[[State | None, State], None]) -> None:
        super().__init__()
        self.before_put: list[Callable[[], None]] = []
        self.documents: list[bytes] = []
        self._seen = seen

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Write it, then show it."""
        if name != "checkout.json":
            return super().put(name, data, generation)
        if self.before_put:
            self.before_put.pop()()
        before = self.get(name)
        made = super().put(name, data, generation)
        self.documents.append(data)
        old = codec.decode(before[0], "checkout") if before else None
        self._seen(old, codec.decode(data, "checkout"))
        return made


class Histories(RuleBasedStateMachine):
    """Anything that may happen to one service."""

    def __init__(self) -> None:
        super().__init__()
        self.desired: dict[Mark, frozenset[str]] = {}
        self.carried_out: set[str] = set()
        self.commands: list[Command] = []
        self.serial = 1
        self.off = timedelta(0)

    @initialize(
        mode=st.sampled_from(["active-passive", "active-active"]),
        lever=st.sampled_from([None, "membership"]),
        policy=st.sampled_from(POLICIES),
    )
    def begin(self, mode: str, lever: str | None, policy: dict[str, Any]) -> None:
        """A service in one of the two modes, by one of the two levers."""
        self.start(lever, mode=mode, policy=policy)

    def start(self, lever: str | None, **options: Any) -> None:
        """A watched world with these options."""
        self.options: dict[str, Any] = options
        if lever:
            self.options["lever"] = lever
        self.world = lab(**self.options)
        self.world.executor.shutdown()
        self.world.executor = Inline()
        self.objects = Watched(self.committed)
        self.world.objects = self.objects
        change = self.world.traffic.change
        self.world.traffic.change = lambda body: self.written(body, change)  # type: ignore[method-assign]  # watched
        self.older = self.acting = self.world.service
        self.send(Tick())

    # --- what happens ----------------------------------------------------------------------------

    def send(self, signal: Signal, **ports: Any) -> Report | None:
        """One signal; what a redelivery would cure is let be."""
        others, self.acting = self.acting, ports.get("service", self.world.service)
        try:
            report = self.world.handle(signal, **ports)
        except FailoverError as error:
            self.raised(error)
            return None
        finally:
            self.acting = others
        self.answered(signal, report)
        return report

    @rule(
        where=region,
        number=st.integers(0, 2),
        ago=seconds,
        doubts=st.lists(st.sampled_from([None, None, *Doubt]), min_size=1, max_size=2),
    )
    def open(self, where: str, number: int, ago: int, doubts: list[Doubt | None]) -> None:
        """An alert, and perhaps a copy of it, of which one may be in doubt."""
        for doubt in doubts:
            told = self.world.opened(where, f"{number}.{where}", ago)
            self.send(replace(told, doubt=doubt))

    @rule(where=region)
    def fail(self, where: str) -> None:
        """A region fails, and an alert says so."""
        self.world.prober.answers[where] = FAILING
        self.send(self.world.opened(where, f"{self.world.clock.at:%H%M%S}.{where}"))

    @rule()
    def fail_what_carries(self) -> None:
        """The first region that gets traffic fails, and an alert says so."""
        if self.world.state_exists:
            self.world.clock.rest(130)
            self.fail(self.world.state.primary)

    @rule(times=st.integers(1, 8))
    def recover(self, times: int) -> None:
        """Every region answers again, and ticks see it."""
        self.world.prober.answers.clear()
        self.rest(times)

    @rule(where=region, number=st.integers(0, 2), ago=seconds)
    def close(self, where: str, number: int, ago: int) -> None:
        """A close, perhaps of what was never opened."""
        self.send(self.world.closed(where, f"{number}.{where}", ago))

    @rule(times=st.integers(1, 6), every=seconds)
    def tick(self, times: int, every: int) -> None:
        """Time passes, and ticks come."""
        for _ in range(times):
            self.world.clock.rest(every)
            self.send(Tick())

    @rule(where=region, answer=st.sampled_from(ANSWERS))
    def answer(self, where: str, answer: Probe) -> None:
        """From now on a region answers so."""
        self.world.prober.answers[where] = answer

    def wish(self, wish: Wish, where: str, ago: int, override: str, *, now: bool) -> Command:
        """A command with an id of its own."""
        at = self.world.clock.at
        asked = where if wish in {Wish.FAILOVER, Wish.EVACUATE} else ""
        until = at + timedelta(minutes=10) if wish is Wish.FREEZE else None
        issued = at - timedelta(seconds=ago)
        number = f"c{len(self.commands):04}"
        made = Command(number, wish, "alice", "", issued, asked, until, now, override)
        self.commands.append(made)
        return made

    @rule(told=wishes)
    def command(self, told: dict[str, Any]) -> None:
        """A human's wish."""
        self.send(self.wish(**told))

    @rule(
        where=region,
        answer=st.sampled_from([HEALTHY, FAR_BEHIND, LAG_UNKNOWN]),
        times=st.integers(1, 7),
    )
    def planned_move(self, where: str, answer: Probe, times: int) -> None:
        """A human moves the traffic gracefully, to a replica that may be far behind."""
        self.world.prober.answers[where] = answer
        self.send(self.wish(Wish.FAILOVER, where, 0, "", now=False))
        self.rest(times)

    @precondition(lambda self: self.commands)
    @rule(number=st.integers(0, 50))
    def command_again(self, number: int) -> None:
        """A copy of a command of before."""
        self.send(self.commands[number % len(self.commands)])

    @rule(off=st.sampled_from([-86400, -45, 45, 86400]), told=wishes, commands=st.booleans())
    def wrong_clock(self, off: int, told: dict[str, Any], commands: bool) -> None:
        """Somebody whose clock is off gives a command from there, or ticks."""
        self.off = timedelta(seconds=off)
        signal: Signal = Tick()
        if commands:
            made = self.wish(**told)
            until = made.until + self.off if made.until else None
            signal = replace(made, issued_at=made.issued_at + self.off, until=until)
            self.commands[-1] = signal
        self.send(signal, now=lambda: self.world.clock.at + self.off)
        self.off = timedelta(0)

    @rule(
        fails=region,
        gap=st.sampled_from(["before_read", "before_patch", "after_patch", "before_put"]),
        told=wishes,
    )
    def somebody_in_the_gap(self, fails: str, gap: str, told: dict[str, Any]) -> None:
        """A second orchestrator takes a signal in the gap of the first one's next handling."""
        port: Any = self.objects if gap == "before_put" else self.world.traffic
        alert = self.world.opened(told["where"], f"gap.{len(self.commands)}")
        signals: list[Signal] = [Tick(), alert, self.wish(**told)]
        theirs = signals[len(told["override"]) % 3]
        getattr(port, gap).append(lambda: void(self.send(theirs)))
        self.fail(fails)
        getattr(port, gap).clear()

    @rule(
        port=st.sampled_from(["objects", "traffic"]),
        at=st.integers(1, 6),
        when=st.sampled_from(["before", "after"]),
        told=wishes,
    )
    def lost_call(self, port: str, at: int, when: str, told: dict[str, Any]) -> None:
        """A call is lost, before or after it took effect."""
        flaky = Flaky(getattr(self.world, port), at, when, lambda: Unavailable("lost"))
        signal = self.wish(**told) if told["now"] else Tick()
        self.send(signal, **{port: flaky})

    @rule(where=region, scaler=st.sampled_from([0.0, 0.4, 1.0]), wipes=st.booleans())
    def another_hand(self, where: str, scaler: float, wipes: bool) -> None:
        """Somebody edits the load balancer, and may wipe our mark."""
        resource = self.world.traffic.resource
        for backend in resource["backends"]:
            if backend["group"].endswith(where) and len(resource["backends"]) > 1:
                backend["capacityScaler"] = scaler
        if wipes:
            resource["description"] = "mine"
        resource["fingerprint"] += "!"

    @rule(where=region, scaler=st.sampled_from([None, 0.0, 1.0]))
    def controller(self, where: str, scaler: float | None) -> None:
        """A controller attaches a group that no region claims, scales it, or takes it away."""
        resource, path = self.world.traffic.resource, group(where, zone="c")
        path = path.replace("checkout-", "k8s-")
        kept = [b for b in resource["backends"] if b["group"] != path]
        if "lever" in self.options:  # a serverless backend service holds no instance group
            return
        made = [] if scaler is None else [{"group": path, "capacityScaler": scaler}]
        resource["backends"] = [*kept, *made]
        resource["fingerprint"] += "!"

    @rule(
        gone=st.sampled_from([None, *REGIONS]),
        mode=st.sampled_from(["active-passive", "active-active"]),
        policy=st.sampled_from(POLICIES),
    )
    def configure(self, gone: str | None, mode: str, policy: dict[str, Any]) -> None:
        """A newer configuration: a region more or less, the other mode, another policy."""
        self.serial += 1
        names = tuple(name for name in REGIONS if name != gone)
        self.options |= {"mode": mode, "policy": policy, "regions": names, "serial": self.serial}
        self.older = self.world.service
        self.world.service = service(**self.options)

    @rule()
    def older_instance(self) -> None:
        """An instance with the configuration of before takes a tick."""
        self.send(Tick(), service=self.older)

    @precondition(lambda self: len(self.objects.documents) > 1)
    @rule(number=st.integers(0, 50))
    def old_document(self, number: int) -> None:
        """Somebody puts an older document back by hand."""
        got = self.objects.get("checkout.json")
        data = self.objects.documents[number % len(self.objects.documents)]
        MemoryObjects.put(self.objects, "checkout.json", data, got[1] if got else 0)
        self.carried_out.clear()

    @precondition(lambda self: self.world.state_exists)
    @rule(where=region, both=st.booleans(), signal=st.sampled_from(["tick", "open", "command"]))
    def edited_by_hand(self, where: str, signal: str, *, both: bool) -> None:
        """Somebody edits the primary, or the routing too: nothing moves until it is put back."""
        good, state = self.objects.get("checkout.json"), self.world.state
        assert good is not None
        routed = both and state.shift is not None and state.shift.routing is not None
        if where == state.primary or (where in state.routing and not routed):
            return
        document = {**json.loads(good[0]), "primary": where}
        document |= {"routing": {where: 1.0}} if routed else {}
        wish = self.wish(Wish.FAILOVER, where, 0, "", now=True)
        signals: dict[str, Signal] = {
            "tick": Tick(),
            "open": self.world.opened(where, "edited"),
            "command": wish,
        }
        edited = json.dumps(document).encode()
        generation = MemoryObjects.put(self.objects, "checkout.json", edited, good[1])
        before = len(self.world.traffic.applied)
        newest = self.world.prober.newest
        self.world.prober.newest = lambda: state  # applications go by what they could read
        with pytest.raises(Unavailable, match="corrupt") as told:
            self.world.handle(signals[signal])
        self.world.prober.newest = newest
        assert told.value.page
        assert self.objects.get("checkout.json") == (edited, generation)
        assert len(self.world.traffic.applied) == before
        MemoryObjects.put(self.objects, "checkout.json", good[0], generation)

    @rule()
    def lost_document(self) -> None:
        """Somebody deletes the document beside a mark: only a human has one made again."""
        if read_mark(self.world.traffic.resource["description"], "checkout") == NO_MARK:
            return
        lost, _ = self.objects._objects.pop("checkout.json")
        self.send(Tick())
        assert not self.world.state_exists
        self.carried_out.clear()
        try:
            adopt(self.world.service, "alice", self.world.context())
        except FailoverError:  # the traffic is with nobody who is configured
            if not self.world.state_exists:
                MemoryObjects.put(self.objects, "checkout.json", lost, 0)

    # --- the laws of one commit ------------------------------------------------------------------

    def committed(self, old: State | None, new: State) -> None:
        """Hold one commit against the laws."""
        assert codec.decode(codec.encode(new), "checkout") == new
        assert new.routing
        assert set(new.routing) <= set(new.regions)
        assert new.primary in new.routing
        wanted = self.desired.setdefault(new.mark, self.wanted(new))
        assert new.epoch == 0 or wanted == self.wanted(new)
        fenced = {name for name, entry in new.regions.items() if entry.fenced_until}
        assert fenced == ({new.switch.left} if new.switch else set())
        if old is None or new.history[:1] == old.history[:1]:
            assert old is None or new.epoch == old.epoch
            return
        made = Made(self.acting.policy, old, new, self.world.prober.answers)
        assert new.mark >= old.mark
        if (new.primary, new.routing) != (old.primary, old.routing) and new.epoch:
            assert made.reasons
        self.once(made)
        for law in (held, moved, optional, frozen, switched, in_order, timely):
            law(made)

    def wanted(self, state: State) -> frozenset[str]:
        """Whom this document gives traffic."""
        return frozenset(state.routing)

    def once(self, made: Made) -> None:
        """A command is carried out at most once."""
        idle = {DecisionOutcome.HELD, DecisionOutcome.HEALTH, DecisionOutcome.UNCHANGED}
        if made.commanded and made.outcome not in idle:
            assert made.trigger.id not in self.carried_out
            self.carried_out.add(made.trigger.id)

    # --- the laws of one write to the load balancer ----------------------------------------------

    def written(self, body: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
        """Hold one write against the laws: some region gets traffic, and the fence only rises."""
        before = read_mark(self.world.traffic.resource["description"], "checkout")
        after = read_mark(body["description"], "checkout")
        assert after >= before
        assert after in self.desired
        getting = {b["group"].rsplit("checkout-", 1)[-1] for b in body["backends"] if given(b)}
        assert getting & self.desired[after]
        assert strays(body["backends"]) == strays(self.world.traffic.resource["backends"])
        change(body)

    # --- the laws of one answer ------------------------------------------------------------------

    def answered(self, signal: Signal, report: Report) -> None:
        """Every refusal names its rule, and no region that is down is kept without one."""
        decision = report.decision
        refusals = {reason.rule for reason in decision.reasons if not reason.passed}
        assert all(reason.rule and reason.value for reason in decision.reasons)
        if decision.outcome is DecisionOutcome.HELD:
            assert refusals
        shifted = any(made.mark == decision.state.mark for made in report.plans)
        left = any(given(b) for b in strays(self.world.traffic.resource["backends"]))
        if decision.outcome is DecisionOutcome.MOVED and shifted and left:
            assert "unclaimed" in {page.rule for page in decision.pages}
        switch = report.stored.state.switch if report.stored.state else None
        if switch and isinstance(signal, Tick) and "routing" not in refusals:
            assert self.world.clock.at + self.off <= switch.until - MARGIN
        asked = isinstance(signal, Command)
        known = set(self.world.service.names) & set(decision.state.routing)
        down = [name for name in known if is_down(decision.state, name)]
        if down and not asked and decision.outcome is not DecisionOutcome.ABANDONED:
            assert refusals

    def raised(self, error: FailoverError) -> None:
        """No document of ours is unreadable."""
        assert "corrupt" not in str(error)

    # --- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        """One region is well: it is found, and then nothing is written any more."""
        if not hasattr(self, "world"):
            return
        self.send(self.wish(Wish.UNFREEZE, "", 0, "", now=False))
        names = self.world.service.names
        well = names[len(self.commands) % len(names)]
        self.world.prober.answers = dict.fromkeys(REGIONS, FAILING)
        self.world.prober.answers[well] = CAUGHT_UP
        self.rest(2)
        self.send(self.wish(Wish.ACK, "", 0, "", now=False))
        self.until(lambda: self.is_over(well))
        self.until(self.at_rest)

    def is_over(self, well: str) -> bool:
        """Whether the region is found, or cannot be.

        At epoch 0 the load balancer may have anything, and what should carry the traffic alone is
        given it by a human. A primary that is down is left there as at any other epoch.
        """
        over = self.found(well) or not self.can_carry(well) or self.is_stuck()
        if not over and self.world.state.epoch == 0 and well in self.world.state.routing:
            self.first_decision(well)
        return over

    def first_decision(self, well: str) -> None:
        """The command of the page that no region gets traffic, word for word; else a failover."""
        decision = preview(self.world.service, Tick(), self.world.context()).decision
        command = next(
            (page.command for page in decision.pages if page.rule == Rule.NO_TRAFFIC), ""
        )
        command = command or f"failoverctl failover checkout --to {well}"
        _, verb, _, *options = shlex.split(command)
        where = options[options.index("--to") + 1] if "--to" in options else ""
        self.send(self.wish(Wish(verb), where, 0, "", now="--now" in options))

    def until(self, holds: Callable[[], bool]) -> None:
        """Ticks until it holds: an hour of proof, and what goes before, at most."""
        for _ in range(90):
            if holds():
                return
            self.rest(1)
        raise AssertionError(f"never {holds}")

    def found(self, well: str) -> bool:
        """Whether the region that is well carries the traffic."""
        ours = self.ours()
        alone = self.world.service.mode is Mode.ACTIVE_PASSIVE
        return ours == {well} if alone else well in ours

    def ours(self) -> set[str]:
        """Those that get traffic and that the orchestrator answers for.

        What a lost document knew to be retired is nobody's from then on, and is left as it is.
        """
        names, retired = self.world.service.names, self.world.state.retired
        return {n for n in self.getting() if n in names or any(n in one for one in retired)}

    def is_stuck(self) -> bool:
        """Whether it holds and pages because the traffic is with nobody that is configured.

        A newer epoch than the document's gave it there, so no automation may take it away.
        """
        decision = preview(self.world.service, Tick(), self.world.context()).decision
        return bool(decision.page) and any(
            reason.rule == "routing" and not reason.passed for reason in decision.reasons
        )

    def at_rest(self) -> bool:
        """Whether ticks write nothing any more, except once that a page's condition still holds.

        It is seen anew every five minutes, and these ticks may always be the ones that do so.
        """
        documents, applied = len(self.objects.documents), len(self.world.traffic.applied)
        self.rest(3)
        last, *new = self.objects.documents[documents - 1 :]
        same = all(lasting(data) == lasting(last) for data in new)
        return same and len(new) <= 1 and applied == len(self.world.traffic.applied)

    def rest(self, minutes: int) -> None:
        """Ticks, a minute apart."""
        for _ in range(minutes):
            self.world.clock.rest(60)
            self.send(Tick())

    def getting(self) -> set[str]:
        """The regions that get traffic."""
        backends = self.world.traffic.resource["backends"]
        claimed = [b for b in backends if b not in strays(backends)]
        return {b["group"].rsplit("checkout-", 1)[-1] for b in claimed if given(b)}

    def can_carry(self, name: str) -> bool:
        """Whether the region has a backend that the lever can move, and any region has one."""
        backends = self.world.traffic.resource["backends"]
        attached = {b["group"].rsplit("checkout-", 1)[-1] for b in backends}
        known = attached & set(self.world.service.names)
        return name in known or (bool(known) and "lever" in self.options)


class Made:
    """One decision as it was committed."""

    def __init__(self, policy: Policy, old: State, new: State, answers: dict[str, Probe]) -> None:
        self.policy, self.old, self.new, self.answers = policy, old, new, answers
        entry = json.loads(json.dumps(new.history[0]))
        self.outcome, self.trigger = (
            DecisionOutcome(entry["outcome"]),
            trigger.read(entry["signal"]),
        )
        self.reasons: list[dict[str, Any]] = entry["reasons"]
        self.carried = (entry.get("traffic_before") or {}).get("regions") or []
        self.at = datetime.fromisoformat(entry["at"])
        fresh = [move.epoch for move in new.moves[:1]] != [move.epoch for move in old.moves[:1]]
        self.move: Move | None = new.moves[0] if fresh and new.moves else None

    @property
    def commanded(self) -> bool:
        """Whether a human asked."""
        return self.trigger.kind is trigger.TriggerOrigin.COMMAND


def held(made: Made) -> None:
    """What is held changes no routing, unless an older document is brought up to the routing."""
    adopts = any(reason["rule"] == "adopt" for reason in made.reasons)
    if adopts and not made.commanded:
        assert made.new.switch is None
        assert made.new.ramp is None
    gives_up = any(reason["rule"] == "clock" for reason in made.reasons)
    if made.commanded and made.outcome is DecisionOutcome.HELD and not adopts and not gives_up:
        assert made.new.switch == made.old.switch  # a command that is refused ends nothing
        assert (made.new.ramp is None) == (made.old.ramp is None)
    if made.outcome in {
        DecisionOutcome.HELD,
        DecisionOutcome.HEALTH,
        DecisionOutcome.UNCHANGED,
        DecisionOutcome.OBEYED,
    }:
        assert made.new.epoch == made.old.epoch or adopts


def moved(made: Made) -> None:
    """An automatic move is allowed by its number and goes to a region that is up and answers."""
    if made.move is None:
        return
    new, limits = made.new, made.policy.max_auto_failovers
    assert new.switch is None
    assert new.ramp is None
    since = max(made.at - limits.within, new.acknowledged_at or START - limits.within)
    assert sum(1 for move in new.moves if move.at > since) <= limits.count
    assert any(
        new.regions[name].status is Status.UP
        and made.answers.get(name, HEALTHY).verdict is Verdict.HEALTHY
        for name in made.move.to
    )
    for name in set(made.move.to) - set(made.old.routing):
        left = [move.at for move in made.old.moves if name in move.left]
        rested = not left or made.at - max(left) >= made.policy.cooldown
        proven_at = new.regions[name].proven_at
        assert rested or (proven_at is not None and proven_at > max(left))
        if name not in made.carried:
            near(made, name)


def near(made: Made, name: str) -> None:
    """Nobody is moved to a replica that is too far behind, or whose lag is unknown."""
    for left in made.move.left if made.move else ():
        behind = made.answers.get(name, HEALTHY).behind(left)
        assert behind is not NoLag.UNKNOWN
        assert behind is not NoLag.NOT_TOLD or not made.policy.lag_required
        if isinstance(behind, float):
            assert behind <= made.policy.max_replication_lag.total_seconds()


def optional(made: Made) -> None:
    """What nobody needs begins outside the cooldown of every automatic move."""
    begins = made.outcome in {DecisionOutcome.SWITCHING, DecisionOutcome.RAMPED}
    under_way = made.old.switch or made.old.ramp
    if begins and not under_way and not made.commanded:
        assert all(made.at - move.at >= made.policy.cooldown for move in made.new.moves)
        assert made.old.given_up_at is None or (
            made.at - made.old.given_up_at >= made.policy.cooldown
        )


def frozen(made: Made) -> None:
    """While frozen automation moves nothing of its own."""
    stands = freeze(made.new.freeze, made.at)
    human = made.commanded or (made.old.switch is not None and made.old.switch.command)
    if stands and made.new.epoch != made.old.epoch and not human:
        assert made.outcome is DecisionOutcome.ADOPTED


def switched(made: Made) -> None:
    """A graceful switch moves within its time or not at all."""
    switch, graceful = made.old.switch, made.policy.graceful
    if switch is None or made.commanded or made.outcome is not DecisionOutcome.MOVED or made.move:
        return
    if any(reason["rule"] == "switch" and reason["passed"] for reason in made.reasons):
        assert switch.since + graceful.max_staleness + graceful.request_timeout <= made.at
        assert made.at <= switch.until - MARGIN


def in_order(made: Made) -> None:
    """The newest obeyed command of a family is never replaced by an older one."""
    for family, given in made.old.order.items():
        if given.at <= made.at + AHEAD:  # else a wrong clock gave it
            assert made.new.order[family] >= given


def timely(made: Made) -> None:
    """Nothing goes on that would last as long as some clock was wrong."""
    latest = made.at + AHEAD
    assert made.new.switch is None or made.new.switch.since <= latest
    assert made.new.freeze is None or made.new.freeze.since <= latest
    fences = [entry.fenced_until for entry in made.new.regions.values() if entry.fenced_until]
    assert all(until <= latest + made.policy.graceful.deadline for until in fences)
    assert all(move.at <= latest for move in made.new.moves)


def lasting(data: bytes) -> dict[str, Any]:
    """A document without who wrote it when, and without when its pages' conditions were seen."""
    document: dict[str, Any] = json.loads(data)
    pages = document.get("pages", {})
    for one in (document, *pages.values()):
        for key in ("updated_at", "revision", "writer", "seen"):
            one.pop(key, None)
    return document


def is_down(state: State, name: str) -> bool:
    """Whether the region is down by the document."""
    return name in state.regions and state.regions[name].status is Status.DOWN


def strays(backends: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The backends that no region claims."""
    return [backend for backend in backends if "/k8s-" in backend["group"]]


def given(backend: dict[str, Any]) -> bool:
    """Whether the backend gets traffic."""
    return bool(backend.get("capacityScaler", 1.0) > 0)


def void(_: object) -> None:
    """Forget a value."""


BRIEF = settings(max_examples=examples(80), stateful_step_count=25, derandomize=True, deadline=None)


@pytest.mark.timeout(120)  # a busy machine
def test_no_history_breaks_a_law() -> None:
    run(Histories, settings=BRIEF)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_long_history_breaks_a_law() -> None:
    run(Histories, settings=settings(BRIEF, max_examples=150, stateful_step_count=50))


messages = st.lists(
    st.builds(
        lambda opens, where, ago, doubt: (
            AlertOpened(f"{ago}.{where}", where, START - timedelta(seconds=ago), doubt)
            if opens
            else AlertClosed(f"{ago}.{where}", where, START - timedelta(seconds=ago), START)
        ),
        st.booleans(),
        region,
        st.sampled_from([0, 1000, 90000]),
        st.sampled_from([None, *Doubt]),
    ),
    min_size=1,
    max_size=6,
)


@over(heard=messages, failing=st.sets(region), dice=st.randoms(use_true_random=False))
@settings(BRIEF, max_examples=examples(60))
def test_health_is_the_same_for_every_order_and_number_of_the_same_messages(
    heard: list[AlertOpened | AlertClosed], failing: set[str], dice: Any
) -> None:
    """Also where the messages come through two orchestrators and move the traffic on their way."""
    worlds = []
    for copies in (heard, dice.sample([*heard, *heard], 2 * len(heard))):
        world = lab(mode=dice.choice(["active-passive", "active-active"]))
        world.executor.shutdown()
        world.executor = Inline()
        world.down(*failing)
        for message in copies:
            world.handle(message)
        worlds.append(world)
    found, again = (health(world) for world in worlds)
    assert found == again


def health(world: Lab) -> tuple[dict[str, Status], dict[str, Any]]:
    """Every region's status, and what is known of each incident."""
    state = world.state
    known = {key: replace(one, refused=()) for key, one in state.incidents.items()}
    return {name: entry.status for name, entry in state.regions.items()}, known
