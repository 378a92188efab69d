"""What the journal tells of an epoch is what became of that epoch, and no patch is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import Phase
from orchestrator.core.traffic.fence import read_mark
from tests.support.fakes import Flaky, Lab, lab

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"


def journal(world: Lab) -> list[dict[str, Any]]:
    """Every entry but those of invocations that failed, in the order of the epochs."""
    names = [n for n in world.objects.names("journal/checkout/") if "-failed-" not in n]
    found = [world.objects.get(name) for name in names]
    return [json.loads(got[0]) for got in found if got]


def decided(world: Lab, epoch: int) -> dict[str, Any]:
    """The entry of the decision that made this epoch."""
    (found,) = [
        e for e in journal(world) if e["epoch"] == epoch and e["epoch_before"] != e["epoch"]
    ]
    return found


def patched(world: Lab) -> list[int]:
    """The epochs that the load balancer was patched for, in order."""
    return [read_mark(body["description"], "checkout").epoch for body in world.traffic.applied]


def told(world: Lab) -> list[int]:
    """The epochs that the journal tells patches of, in order of epochs."""
    return [entry["epoch"] for entry in journal(world) for _ in entry["shifted"]]


def down_twice(world: Lab) -> Callable[[], None]:
    """East has failed; then west does, and another handler takes that alert."""
    world.down(EAST)

    def west_fails() -> None:
        world.down(EAST, WEST)
        world.handle(world.opened(WEST))

    return west_fails


def test_an_epoch_that_was_superseded_before_its_patch_does_not_claim_the_other_s_patch() -> None:
    """a commits epoch 1 and is refused; b commits epoch 2 and stops; a carries out epoch 2."""
    world = lab()
    b = down_twice(world)
    held: list[Callable[[], None]] = []

    class Stopped(Exception):
        """b stands still between its commit and its patch."""

    def b_commits_only() -> None:
        world.traffic.before_patch = [lambda: (_ for _ in ()).throw(Stopped)]
        with pytest.raises(Stopped):
            b()
        held.append(b)
        raise Unavailable("429 rateLimitExceeded")

    world.traffic.before_patch = [b_commits_only]
    world.handle(world.opened(EAST))
    assert held
    assert patched(world) == [2]
    first = decided(world, 1)
    assert first["superseded_by"] == 2
    assert first["shifted"] == []
    assert first["phase"] is None
    (other,) = [entry for entry in journal(world) if entry["outcome"] == "shifted"]
    assert other["epoch"] == 2
    assert other["phase"] == "verified"
    assert other["routing"] == {EUROPE: 1.0}
    assert other["of"] == world.state.history[0]["id"]
    assert told(world) == [2]


def test_the_decision_whose_patch_another_handler_made_says_that_it_was_read_back() -> None:
    """b commits epoch 2; before b patches, a carries it out; b reads it back."""
    world = lab()
    world.down(EAST)
    world.tick()
    first = world.opened(EAST)

    def a_carries_it_out() -> None:
        world.tick()

    world.traffic.before_patch = [a_carries_it_out]
    world.handle(first)
    assert patched(world) == [1]
    assert told(world) == [1]
    entry = decided(world, 1)
    assert entry["phase"] == "verified"


def test_an_epoch_that_was_carried_out_and_then_superseded_tells_both() -> None:
    world = lab()
    world.traffic.after_patch = [down_twice(world)]
    world.handle(world.opened(EAST))
    assert patched(world) == [1, 2]
    assert told(world) == [1, 2]
    entry = decided(world, 1)
    assert entry["superseded_by"] == 2
    assert entry["phase"] == "applied"
    assert decided(world, 2)["phase"] == "verified"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("port", ["objects", "traffic"])
def test_a_patch_whose_answer_was_lost_is_in_the_journal_all_the_same(port: str, when: str) -> None:
    """A 503 on the wait for an operation, a reset on the patch, a failed read: one by one."""
    for at in range(1, 30):
        world = lab()
        world.down(EAST)
        flaky = Flaky(getattr(world, port), at, when, lambda: Unavailable("503"))
        world.handle(world.opened(EAST), **{port: flaky})
        assert patched(world) == [1]
        if world.objects.names("journal/checkout/"):
            assert told(world) == [1]
            assert decided(world, 1)["phase"] == "verified"
        assert world.state.shift
        if not flaky.hit:
            return
    pytest.fail("the pipeline makes more calls than this test interrupts")


def test_a_patch_that_is_made_while_the_api_goes_silent_is_told_when_it_can_be_seen() -> None:
    """Every wait fails until patience ends: the last look finds the patch in effect."""
    world = lab()
    world.down(EAST)

    class Silent:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.traffic, name)

        def wait(self, operation: str) -> None:
            raise Unavailable(f"503 on {operation}", page=True)

    with pytest.raises(Unavailable):
        world.handle(world.opened(EAST), traffic=Silent())
    assert patched(world) == told(world) == [1]
    assert decided(world, 1)["phase"] == "applied"


def test_a_tick_that_finishes_what_a_crash_left_is_in_the_journal() -> None:
    world = lab()
    world.down(EAST)

    class Crash(BaseException):
        """The process is killed here."""

    with pytest.raises(Crash):
        world.handle(world.opened(EAST), traffic=Flaky(world.traffic, 2, "before", Crash))
    world.tick()
    assert patched(world) == told(world) == [1]
    (finished,) = [entry for entry in journal(world) if entry["outcome"] == "shifted"]
    assert finished["of"] == decided(world, 1)["id"]
    assert finished["signal"] == {"kind": "tick"}
    assert decided(world, 1)["phase"] == "verified"


def test_a_repair_of_drift_is_in_the_journal() -> None:
    world = lab()
    world.down(EAST)
    world.handle(world.opened(EAST))
    backends = [{**b, "capacityScaler": 0.5} for b in world.traffic.resource["backends"]]
    world.traffic.change({"backends": backends})
    world.tick()
    assert told(world) == [1, 1]


def test_a_tick_that_records_first_leaves_no_patch_untold() -> None:
    """A tick records the decision late while its handler still stands before its own record."""
    world = lab()
    world.down(EAST)

    def tick() -> None:
        world.tick()

    world.traffic.after_patch = [tick]
    world.handle(world.opened(EAST))
    assert patched(world) == told(world) == [1]


def test_drift_that_is_left_alone_is_not_told_to_be_verified() -> None:
    world = lab()
    world.down(EAST)
    world.handle(world.opened(EAST))
    world.freeze()
    unverified = {**world.document["shift"], "phase": "committed"}
    got = world.objects.get("checkout.json")
    assert got
    world.objects.put(
        "checkout.json", json.dumps({**world.document, "shift": unverified}).encode(), got[1]
    )
    backends = [{**b, "capacityScaler": 1.0} for b in world.traffic.resource["backends"]]
    world.traffic.change({"backends": backends})
    world.tick()
    assert world.state.shift
    assert world.state.shift.phase is Phase.COMMITTED


def test_a_health_change_while_the_load_balancer_cannot_be_read_claims_no_intent() -> None:
    world = lab()
    world.tick()
    world.traffic.is_gone = True
    world.down(WEST)
    with pytest.raises(Unavailable):
        world.handle(world.opened(WEST))
    (entry,) = journal(world)
    assert entry["outcome"] == "health"
    assert entry["phase"] is None
