"""Kill it, race it, lose its answers: the right end state all the same, on real parts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.push import Delivery
from orchestrator.local.rpc.proxy import (
    Hold,
    OwnAnswer,
    Request,
    ResetAfter,
    ResetBefore,
    RunBeside,
    Treatment,
)
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import (
    alert,
    close,
    fail,
    fault,
    heal,
    is_commit,
    is_patch,
    once,
    put_service,
    settled,
)

pytestmark = [pytest.mark.long, pytest.mark.world, pytest.mark.timeout(180)]

DENIED = (
    b'{"error": {"code": 403, "message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}}'
)


@pytest.fixture(scope="module")
def shared() -> Iterator[LaptopWorld]:
    with LaptopWorld(traffic_rate=0, proxies=True, operation_seconds=0.1) as made:
        yield made


@pytest.fixture(scope="module")
def first(shared: LaptopWorld) -> dict[str, Any]:
    """The backend service as it was deployed."""
    found: dict[str, Any] = shared.backend_service()
    return found


@pytest.fixture
def world(shared: LaptopWorld, first: dict[str, Any]) -> LaptopWorld:
    """The shared world, as it was on the first day."""
    _reset(shared, first)
    return shared


def hook(world: LaptopWorld, made: Callable[[Request], Treatment | None] | None) -> None:
    """Have both proxies of the first function ask this hook."""
    world.gcs_proxies[0].hook = world.compute_proxies[0].hook = made


def test_one_patch_and_one_epoch_come_of_a_hundred_copies_shuffled_with_their_close() -> None:
    with LaptopWorld(traffic_rate=0, functions=2) as world:
        fail(world, "us-east-1")
        opened = [alert(world, "us-east-1", "0.many", ago=30)] * 100
        closed = [close(world, "us-east-1", "0.many", ago=30)] * 20
        bodies = [*opened, *closed]
        random.Random(7).shuffle(bodies)
        first = bodies.index(opened[0])
        bodies[0], bodies[first] = bodies[first], bodies[0]
        world.push(bodies[0])
        sent = [world.send(body, index % 2) for index, body in enumerate(bodies[1:])]
        assert all(delivery.result(60).acknowledged for delivery in sent)
        settled(world, "us-west-2", 1)
        assert len(world.patches()) == 1
        assert len(world.document()["incidents"]) == 1
        assert world.document()["regions"]["us-east-1"]["status"] == "recovering"


def test_thirty_concurrent_deliveries_for_two_regions_to_three_functions() -> None:
    """No health update is lost, and traffic is never sent to the dead second region."""
    with LaptopWorld(traffic_rate=0, functions=3) as world:
        fail(world, "us-east-1", "us-west-2")
        with ThreadPoolExecutor(30) as pool:
            sent = [
                pool.submit(
                    world.push, alert(world, ("us-east-1", "us-west-2")[index % 2]), index % 3
                )
                for index in range(30)
            ]
            assert all(delivery.result(60).acknowledged for delivery in sent)
        document = world.document()
        settled(world, "eu-west-1", document["epoch"])
        assert {name for name, r in document["regions"].items() if r["healthy"]} == {"eu-west-1"}
        assert set(document["incidents"]) == {"0.us-east-1", "0.us-west-2"}
        for patch in world.patches():
            open_groups = [b["group"] for b in patch["body"]["backends"] if b["capacityScaler"]]
            assert not any("us-west-2" in group for group in open_groups)


def _reset(world: LaptopWorld, first: dict[str, Any]) -> None:
    """The first day again: the service as deployed, no state, all regions well, nothing logged."""
    hook(world, None)
    heal(world)
    put_service(world, description=first["description"], backends=first["backends"])
    assert world.gcs is not None
    for name in world.gcs.names():
        world.gcs.delete(name)
    assert ask(f"{world.load_balancer.api_url}/_laptop/log", "DELETE").ok


def _over(delivery: Future[Delivery], killed: threading.Event) -> None:
    """Wait until the function was killed, or came through unharmed."""
    wait_until(lambda: delivery.done() or killed.is_set(), 30, "the kill")


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_function_killed_at_any_request_is_made_good_by_the_redelivery(
    world: LaptopWorld, first: dict[str, Any], when: str
) -> None:
    """SIGKILL before and after every request that one failover makes, each time from the start."""
    victim = world.functions[0]
    number = 0
    while True:
        number += 1
        _reset(world, first)
        fail(world, "us-east-1")
        count, killed = [0], threading.Event()

        def judge(
            _: Request,
            target: int = number,
            count: list[int] = count,
            killed: threading.Event = killed,
        ) -> Treatment | None:
            count[0] += 1
            if count[0] != target:
                return None

            def kill() -> None:
                victim.kill()
                killed.set()

            if when == "after":
                return RunBeside(after=kill)
            kill()
            return ResetBefore()

        hook(world, judge)
        delivery = world.send(alert(world, "us-east-1", f"0.kill{number}"))
        _over(delivery, killed)
        if not killed.is_set():
            assert delivery.result(30).acknowledged
            break
        victim.start()
        assert delivery.result(60).acknowledged, number
        settled(world, "us-west-2", 1)
        assert len(world.document()["history"]) == 1
    assert number > 8  # state, service, older file, commit, patch, wait, both again, phase, journal


def test_a_patch_whose_answer_was_lost_is_recognised_and_not_repeated(world: LaptopWorld) -> None:
    fail(world, "us-east-1")
    hook(world, once(is_patch, ResetAfter()))
    delivery = world.push(alert(world, "us-east-1"))
    settled(world, "us-west-2", 1, delivery)
    assert len(delivery.attempts) == 1
    assert len(world.patches()) == 1


def test_a_commit_whose_answer_was_lost_is_recognised_as_our_own(world: LaptopWorld) -> None:
    fail(world, "us-east-1")
    hook(world, once(is_commit, ResetAfter()))
    delivery = world.push(alert(world, "us-east-1"))
    settled(world, "us-west-2", 1, delivery)
    assert len(delivery.attempts) == 1
    assert [entry["outcome"] for entry in world.document()["history"]] == ["moved"]


@pytest.mark.parametrize(
    "verdict",
    [OwnAnswer(403, DENIED), OwnAnswer(503, b"{}"), OwnAnswer(429, b"{}"), ResetBefore()],
    ids=["403 rateLimitExceeded", "503", "429", "reset"],
)
@pytest.mark.parametrize("what", [is_commit, is_patch], ids=["commit", "patch"])
def test_a_request_that_fails_once_is_made_good_within_the_invocation(
    world: LaptopWorld, what: Callable[[Request], bool], verdict: Treatment
) -> None:
    fail(world, "us-east-1")
    hook(world, once(what, verdict))
    delivery = world.push(alert(world, "us-east-1"))
    settled(world, "us-west-2", 1, delivery)
    assert len(delivery.attempts) == 1
    assert len(world.patches()) == 1


def test_an_operation_that_ends_in_error_is_raised_and_done_again(world: LaptopWorld) -> None:
    fail(world, "us-east-1")
    fault(world, "operation_error")
    delivery = world.push(alert(world, "us-east-1"))
    settled(world, "us-west-2", 1, delivery)
    assert len(delivery.attempts) == 1
    said = " ".join(line["message"] for line in world.functions[0].log_lines())
    assert "INTERNAL_ERROR" in said


@pytest.mark.long
def test_an_api_that_stays_down_is_answered_with_5xx_and_the_commit_stands(
    world: LaptopWorld,
) -> None:
    """The decision is kept; when the API is back, the redelivery carries it out, once."""
    fail(world, "us-east-1")
    down, said = threading.Event(), len(world.functions[0].log_lines())
    hook(world, lambda r: OwnAnswer(503, b"{}") if is_patch(r) and not down.is_set() else None)
    delivery = world.send(alert(world, "us-east-1"))
    wait_until(lambda: (world.document() or {}).get("epoch") == 1, 30, "the commit")
    assert world.routed_regions == ("us-east-1",)
    wait_until(
        lambda: any("redelivered" in x["message"] for x in world.functions[0].log_lines()[said:]),
        40,
        "the function to give up",
    )
    down.set()
    done = delivery.result(60)
    assert [attempt.acknowledged for attempt in done.attempts][-1]
    assert len(done.attempts) > 1
    settled(world, "us-west-2", 1)
    assert len(world.patches()) == 1


@pytest.mark.parametrize("how", ["held on the way", "stopped"])
def test_a_late_patch_never_lands_after_a_newer_one(how: str) -> None:
    """A stands between its commit and its patch while B fails over further."""
    with LaptopWorld(traffic_rate=0, functions=2, proxies=True, operation_seconds=0.1) as world:
        late, reached = threading.Event(), threading.Event()
        a = world.functions[0]

        def stop() -> None:
            a.stop_signal()
            reached.set()

        def judge(request: Request) -> Treatment | None:
            if how == "stopped" and is_commit(request) and not reached.is_set():
                return RunBeside(after=stop)
            if how != "stopped" and is_patch(request) and not reached.is_set():
                reached.set()
                return Hold(late)
            return None

        world.compute_proxies[0].hook = world.gcs_proxies[0].hook = judge
        fail(world, "us-east-1")
        delivery = world.send(alert(world, "us-east-1"))
        assert reached.wait(20)
        assert world.document()["epoch"] == 1
        fail(world, "us-west-2")
        settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2"), 1))
        late.set()
        a.cont_signal()
        assert delivery.result(60).acknowledged
        settled(world, "eu-west-1", 2)
        statuses = [e.status for e in world.compute_proxies[0].log if is_patch(e)]
        assert statuses == [412]
        assert len(world.patches()) == 1


def test_a_reset_description_between_two_failovers_does_not_let_an_old_handler_in() -> None:
    """Terraform wipes the mark while A is late: A must read the state again, and stops."""
    with LaptopWorld(traffic_rate=0, functions=2, proxies=True, operation_seconds=0.1) as world:
        late, reached = threading.Event(), threading.Event()

        def judge(request: Request) -> Treatment | None:
            if is_patch(request) and not reached.is_set():
                reached.set()
                return Hold(late)
            return None

        world.compute_proxies[0].hook = judge
        fail(world, "us-east-1")
        delivery = world.send(alert(world, "us-east-1"))
        assert reached.wait(20)
        fail(world, "us-west-2")
        settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2"), 1))
        put_service(world, description="managed by terraform")
        late.set()
        assert delivery.result(60).acknowledged
        settled(world, "eu-west-1", 2)
        assert "managed by terraform" in world.backend_service()["description"]


def test_the_next_failover_after_a_reset_description_takes_the_next_epoch(
    world: LaptopWorld,
) -> None:
    fail(world, "us-east-1")
    settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
    put_service(world, description="managed by terraform")
    fail(world, "us-west-2")
    settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2")))


def test_a_state_restored_to_yesterday_adopts_what_the_routing_says(world: LaptopWorld) -> None:
    """The traffic stays where it is, above every epoch seen; the old wish is not done."""
    assert world.gcs is not None
    fail(world, "us-east-1")
    settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
    yesterday = world.gcs.read("checkout.json")
    assert yesterday is not None
    fail(world, "us-west-2")
    settled(world, "eu-west-1", 2, world.push(alert(world, "us-west-2")))
    revision = world.document()["revision"]
    world.gcs.write("checkout.json", yesterday)
    assert world.push(alert(world, "us-west-2", "0.later", ago=5)).acknowledged
    settled(world, "eu-west-1", 3)
    assert world.document()["revision"] > revision
    assert world.document()["history"][0]["outcome"] == "adopted"


def test_two_configurations_during_a_deployment_do_not_fight(world: LaptopWorld) -> None:
    """The newer serial takes an epoch; the older instance decides nothing and answers 5xx."""
    text = world.config.read_text()
    fail(world, "us-east-1")
    settled(world, "us-west-2", 1, world.push(alert(world, "us-east-1")))
    world.config.write_text(text.replace("serial: 1", "serial: 2"))
    world.functions[0].kill()
    world.functions[0].start()
    assert world.push(close(world, "us-east-1", ago=5)).acknowledged
    settled(world, "us-west-2", 2)
    assert world.document()["config"]["serial"] == 2
    world.config.write_text(text)
    world.functions[0].kill()
    world.functions[0].start()
    before = world.document()
    fail(world, "us-west-2")
    delivery = world.send(alert(world, "us-west-2"))
    wait_until(
        lambda: any(
            "configuration serial 1" in x["message"] for x in world.functions[0].log_lines()
        ),
        30,
        "the older instance to refuse",
    )
    assert world.document() == before
    world.config.write_text(text.replace("serial: 1", "serial: 2"))
    settled(world, "eu-west-1", 3, delivery.result(60))
    world.config.write_text(text)
    world.functions[0].kill()
    world.functions[0].start()
