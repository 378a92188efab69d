"""Commands are a sequence: however they are delivered, the end is what the order they were given
comes to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from orchestrator.core.document import trigger
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import Command, DecisionOutcome, Family, Wish
from tests.core.test_laws import Inline
from tests.support.fakes import REGIONS, START, Lab, lab

EAST, WEST, EUROPE = REGIONS
MINUTE = timedelta(minutes=1)
FUTURE = timedelta(seconds=90)


def command(wish: Wish, number: int, region: str = "", **changes: Any) -> Command:
    """The command of that number; each is given a minute after the one before."""
    at = START + number * MINUTE
    known = {"region": region, "issued_at": at, "published": at, **changes}
    return Command(f"c{number}", wish, "alice", "a drill", **known)


def frozen(number: int, minutes: int) -> Command:
    """A freeze that lasts so long."""
    until = START + (number + minutes) * MINUTE
    return command(Wish.FREEZE, number, until=until)


def later(minutes: float = 5, **overrides: Any) -> Lab:
    """A world in which that much time has passed since the first command was given."""
    world = lab(**overrides)
    world.tick()
    world.clock.at += minutes * MINUTE
    return world


def rules(report: Any) -> set[str]:
    """The rules that refused."""
    return {reason.rule for reason in report.decision.reasons if not reason.passed}


# --- moves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [True, False])
@pytest.mark.parametrize("order", [(0, 2), (2, 0)])
def test_two_failovers_that_the_outage_sent_back_end_with_the_later_one(
    order: tuple[int, int], now: bool
) -> None:
    world = later()
    to = {
        0: command(Wish.FAILOVER, 0, WEST, now=now),
        2: command(Wish.FAILOVER, 2, EUROPE, now=now),
    }
    world.traffic.is_gone = True
    for number in (0, 2):
        with pytest.raises(Unavailable):
            world.handle(to[number])
    world.traffic.is_gone = False
    for number in (*order, *order):
        world.handle(to[number])
    for _ in range(3):
        world.clock.rest(60)
        world.tick()
    assert world.state.primary == EUROPE
    assert world.traffic.scalers() == {EAST: 0.0, WEST: 0.0, EUROPE: 1.0}


def test_an_older_command_is_refused_by_the_rule_command_and_recorded_once() -> None:
    world = later()
    world.handle(command(Wish.FAILOVER, 2, EUROPE, now=True))
    report = world.handle(command(Wish.FAILOVER, 1, WEST, now=True))
    assert rules(report) == {"command"}
    assert report.decision.outcome is DecisionOutcome.HELD
    assert "before command c2, which is in force" in str(report.decision.reasons)
    assert world.state.primary == EUROPE
    entries = len(world.state.history)
    again = world.handle(command(Wish.FAILOVER, 1, WEST, now=True))
    assert again.decision.outcome is DecisionOutcome.UNCHANGED
    assert len(world.state.history) == entries


def test_a_copy_of_an_obeyed_command_writes_nothing_and_is_not_recorded_as_held() -> None:
    world = later()
    for wish in (command(Wish.FAILOVER, 1, WEST, now=True), frozen(2, 60)):
        world.handle(wish)
        revision, names = world.state.revision, world.objects.names("journal/")
        report = world.handle(wish)
        assert report.decision.outcome is DecisionOutcome.UNCHANGED
        assert world.state.revision == revision
        assert world.objects.names("journal/") == names


def test_a_copy_with_the_load_balancer_gone_is_not_recorded_as_held() -> None:
    world = later()
    world.handle(frozen(1, 60))
    world.traffic.is_gone = True
    entries = len(world.state.history)
    with pytest.raises(Unavailable):
        world.handle(frozen(1, 60))
    assert len(world.state.history) == entries


def test_a_command_that_overtakes_a_newer_one_that_was_refused_is_obeyed() -> None:
    world = later()
    world.down(EUROPE)
    assert rules(world.handle(command(Wish.FAILOVER, 2, EUROPE, now=True))) == {"target_healthy"}
    world.handle(command(Wish.FAILOVER, 1, WEST, now=True))
    assert world.state.primary == WEST


def test_the_place_of_a_command_is_the_earlier_of_issue_and_publication() -> None:
    world = later()
    world.handle(command(Wish.FAILOVER, 3, EUROPE, now=True))
    fast = START + 5 * MINUTE + timedelta(seconds=30)
    early = command(Wish.FAILOVER, 2, WEST, now=True, issued_at=fast)
    assert rules(world.handle(early)) == {"command"}
    assert world.state.primary == EUROPE


@pytest.mark.parametrize("wish", [Wish.FAILOVER, Wish.UNFREEZE, Wish.ACK])
def test_a_command_from_the_future_is_refused(wish: Wish) -> None:
    world = later()
    region = WEST if wish is Wish.FAILOVER else ""
    at = world.clock.at
    near = command(wish, 0, region, issued_at=at + timedelta(seconds=59), published=at)
    far = command(wish, 1, region, issued_at=at + FUTURE, published=at)
    assert rules(world.handle(far)) == {"command"}
    assert not rules(world.handle(near))


def test_an_instance_whose_clock_is_slow_obeys_no_older_command() -> None:
    """By its clock the newer one lies ahead; by the publication of the older one it does not."""
    world = lab()
    world.tick()
    given = world.clock.at + timedelta(seconds=60)
    world.clock.rest(130)
    world.command("failover", WEST, now=True, id="newer")
    published = world.clock.at
    world.clock.rest(-120)
    report = world.command(
        "failover", EUROPE, now=True, id="older", issued_at=given, published=published
    )
    assert report.decision.outcome is DecisionOutcome.HELD
    assert world.state.primary == WEST


def test_an_obeyed_place_that_a_wrong_clock_set_ahead_shuts_nobody_out() -> None:
    world = later()
    at = world.clock.at
    world.clock.at += timedelta(days=1)
    world.command("failover", WEST, now=True)
    world.clock.at = at
    world.handle(command(Wish.FAILOVER, 4, EUROPE, now=True))
    assert world.state.primary == EUROPE


# --- a switch that is under way ------------------------------------------------------------------


@pytest.mark.parametrize("why", ["older", "unhealthy", "unknown", "too old"])
def test_a_refused_move_ends_no_switch(why: str) -> None:
    world = later()
    world.handle(command(Wish.FAILOVER, 3, WEST))
    begun = world.state.switch
    assert begun is not None
    world.down(EUROPE)
    refused = {
        "older": command(Wish.FAILBACK, 2),
        "unhealthy": command(Wish.FAILOVER, 4, EUROPE),
        "unknown": command(Wish.FAILOVER, 4, "mars-north-1"),
        "too old": command(Wish.FAILOVER, 4, EUROPE, issued_at=START - 60 * MINUTE),
    }[why]
    report = world.handle(refused)
    assert report.decision.outcome is DecisionOutcome.HELD
    assert world.state.switch == begun
    assert world.state.regions[EAST].fenced_until == begun.until
    assert "this decision ends" not in str(report.decision.reasons)
    world.down()
    world.clock.rest(60)
    world.tick()
    assert world.state.primary == WEST


def test_an_older_freeze_ends_no_switch_and_a_newer_one_does() -> None:
    world = later()
    world.handle(command(Wish.UNFREEZE, 2))
    world.handle(command(Wish.FAILOVER, 3, WEST))
    world.handle(frozen(1, 60))
    assert world.state.switch is not None
    assert world.state.freeze is None
    world.handle(frozen(4, 60))
    assert world.state.switch is None


# --- freezes -------------------------------------------------------------------------------------


def test_a_delayed_older_freeze_does_not_replace_a_newer_one() -> None:
    world = later()
    world.handle(frozen(2, 120))
    assert rules(world.handle(frozen(1, 10))) == {"command"}
    assert world.state.freeze is not None
    assert world.state.freeze.until == START + 122 * MINUTE


def test_a_late_freeze_does_not_outlive_an_unfreeze() -> None:
    world = later()
    world.handle(command(Wish.UNFREEZE, 2))
    assert rules(world.handle(frozen(1, 60))) == {"command"}
    assert world.state.freeze is None


def test_a_late_unfreeze_does_not_end_a_freeze_of_a_document_without_order() -> None:
    world = later()
    world.handle(frozen(2, 60))
    document = {key: value for key, value in world.document.items() if key != "order"}
    put(world, document)
    assert rules(world.handle(command(Wish.UNFREEZE, 1))) == {"command"}
    assert world.state.freeze is not None
    world.handle(command(Wish.UNFREEZE, 3))
    assert world.state.freeze is None


def test_a_family_of_a_newer_version_survives() -> None:
    world = later()
    world.handle(command(Wish.ACK, 1))
    exercise = {"at": "2026-11-23T05:00:00Z", "id": "x", "more": 1}
    order = {**world.document["order"], "exercises": exercise}
    order["acks"]["more"] = 2
    put(world, {**world.document, "order": order})
    world.handle(command(Wish.ACK, 2))
    assert world.document["order"]["exercises"] == exercise
    assert world.document["order"]["acks"]["more"] == 2
    assert world.document["order"]["acks"]["id"] == "c2"


def put(world: Lab, document: dict[str, Any]) -> None:
    """The document as somebody wrote it."""
    got = world.objects.get("checkout.json")
    world.objects.put("checkout.json", json.dumps(document).encode(), got[1] if got else 0)


# --- every delivery ------------------------------------------------------------------------------

wish = st.one_of(
    st.tuples(st.just(Wish.FAILOVER), st.sampled_from(REGIONS), st.booleans()),
    st.tuples(st.just(Wish.EVACUATE), st.sampled_from(REGIONS), st.just(True)),
    st.tuples(
        st.sampled_from([Wish.FAILBACK, Wish.UNFREEZE, Wish.ACK]), st.just(""), st.just(True)
    ),
    st.tuples(st.just(Wish.FREEZE), st.just(""), st.just(True)),
)


def made(wishes: list[tuple[Wish, str, bool]]) -> list[Command]:
    """The commands, in the order they were given."""
    return [
        frozen(number, 60 + number)
        if verb is Wish.FREEZE
        else command(verb, number, region, now=now)
        for number, (verb, region, now) in enumerate(wishes)
    ]


def fresh(**overrides: Any) -> Lab:  # as `lab` takes them
    """A world that does everything in one thread."""
    world = later(10, **overrides)
    world.executor.shutdown()
    world.executor = Inline()
    return world


def end(world: Lab) -> dict[str, Any]:
    """What commands have come to."""
    state = world.state
    switch = state.switch
    return {
        "routing": dict(state.routing),
        "switch": switch and (switch.to, switch.left, switch.command),
        "freeze": state.freeze and (state.freeze.until, state.freeze.since),
        "acknowledged": state.acknowledged_at,
        "evacuated": state.evacuated,
        "order": state.order,
        "scalers": world.traffic.scalers(),
    }


def test_a_graceful_move_of_before_a_freeze_begins_no_switch_after_it() -> None:
    """The freeze would have ended it, had the two arrived in the order in which they were given."""
    world = fresh()
    move, freeze = made([(Wish.FAILOVER, WEST, False), (Wish.FREEZE, "", True)])
    world.handle(freeze)
    assert world.handle(move).decision.outcome == "held"
    assert world.state.switch is None
    assert world.state.freeze is not None


def test_a_failback_of_before_a_freeze_begins_no_ramp_after_it() -> None:
    world = fresh(mode="active-active")
    leave, back, freeze = made(
        [(Wish.EVACUATE, WEST, True), (Wish.FAILBACK, "", True), (Wish.FREEZE, "", True)]
    )
    world.handle(leave)
    world.handle(freeze)
    assert world.handle(back).decision.outcome == "held"
    assert world.state.ramp is None


@pytest.mark.timeout(300)
@over(
    wishes=st.lists(wish, min_size=1, max_size=6),
    ill=st.sets(st.sampled_from(REGIONS), max_size=1),
    dice=st.randoms(use_true_random=False),
)
@settings(max_examples=60, derandomize=True, deadline=None)
def test_any_delivery_ends_as_the_obeyed_commands_do_in_the_order_they_were_given(
    wishes: list[tuple[Wish, str, bool]], ill: set[str], dice: Any
) -> None:
    """Late, twice, in any order, and through an outage of the Compute API that sends them back."""
    commands = made(wishes)
    world = fresh()
    world.down(*ill)
    again: list[Command] = []
    for one in dice.sample([*commands, *commands], 2 * len(commands)):
        world.traffic.is_gone = dice.random() < 0.4
        try:
            world.handle(one)
        except Unavailable:
            again.append(one)
        world.traffic.is_gone = False
        world.clock.at += timedelta(seconds=dice.choice([0, 1, 20]))
    for one in dice.sample(again, len(again)):
        world.handle(one)
    held = {trigger.read(e["signal"]).id for e in world.state.history if e["outcome"] == "held"}
    obeyed = [one for one in commands if one.id not in held]
    straight = fresh()
    straight.down(*ill)
    for one in obeyed:
        straight.handle(one)
    assert end(world) == end(straight)
    freezes = [one for one in commands if one.family is Family.FREEZES]
    if freezes:  # none of these is ever refused for another reason, so the newest stands
        assert world.state.order[Family.FREEZES].id == freezes[-1].id
        assert bool(world.state.freeze) == (freezes[-1].wish is Wish.FREEZE)


def test_a_clock_that_is_a_day_ahead_forgets_no_command() -> None:
    """By its clock every id is a day old; a copy that comes back is a copy all the same."""
    world = lab()
    world.tick()
    given = world.clock.at
    world.command("failover", WEST, now=True, id="c-first")
    world.command("failover", EUROPE, now=True, id="c-second")
    world.clock.rest(86_400)
    world.command("failover", WEST, now=True, id="c-ahead")
    world.clock.rest(-86_400)
    world.command("failover", EUROPE, now=True, id="c-first", issued_at=given)
    assert world.state.primary == WEST
    assert {"c-first", "c-second"} <= set(world.state.commands)
