"""The addresses of a health host share the time: one silent address does not make a region fail.

127.0.0.x are addresses of their own on one port: one that listens, one that refuses, and one whose
queue is full, which takes no connection and says nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from orchestrator.adapters.probe import HttpProber
from orchestrator.addresses import Address, Resolve, by_turns
from orchestrator.core.model import NoAnswer, Probe, Verdict
from orchestrator.core.policy import Region
from orchestrator.local.process.loopback import free_port
from tests.support.health_server import Server, answer, hang, reset, serve, silent

__all__ = ["serve"]  # a fixture

HEALTHY = Probe(Verdict.HEALTHY, 200)
TIMEOUT = Probe(Verdict.FAILING, NoAnswer.TIMEOUT)


def named(*hosts: str) -> Resolve:
    """A resolver that gives these addresses for every name."""

    def resolve(host: str, port: int) -> tuple[Address, ...]:
        assert host == "checkout.test"
        return tuple(Address(socket.AF_INET, (one, port)) for one in hosts)

    return resolve


def look(port: int, resolve: Resolve, timeout: float = 2.0, attempts: int = 2) -> Probe:
    """One probe of a host of that name."""
    url = f"http://checkout.test:{port}/healthz"
    region = Region("r", "dynamodb.example.com", url, None, ())
    return HttpProber(timeout, attempts, resolve=resolve).probe([region])["r"]


@pytest.mark.parametrize("timeout", [0.6, 2.0])
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_silent_address_before_a_good_one_does_not_make_the_region_fail(
    serve: Callable[..., Server], timeout: float, attempts: int
) -> None:
    good = serve(answer(200), host="127.0.0.3")
    with silent("127.0.0.2", good.port):
        found = look(good.port, named("127.0.0.2", "127.0.0.3"), timeout, attempts)
    assert found == HEALTHY
    (head,) = good.requests
    assert f"Host: checkout.test:{good.port}".encode() in head


def test_several_silent_addresses_leave_time_for_the_good_one(
    serve: Callable[..., Server],
) -> None:
    good = serve(answer(200), host="127.0.0.7")
    with ExitStack() as stack:
        for last in range(2, 7):
            stack.enter_context(silent(f"127.0.0.{last}", good.port))
        hosts = [f"127.0.0.{last}" for last in range(2, 8)]
        assert look(good.port, named(*hosts)) == HEALTHY


def test_an_address_that_connects_and_says_nothing_leaves_time_for_the_others(
    serve: Callable[..., Server],
) -> None:
    """Each gets a try that begins with it, also where there are more of them than attempts."""
    good = serve(answer(200), host="127.0.0.4")
    first = serve(hang, host="127.0.0.2", port=good.port)
    second = serve(hang, host="127.0.0.3", port=good.port)
    assert look(good.port, named("127.0.0.2", "127.0.0.3", "127.0.0.4")) == HEALTHY
    assert [first.connections, second.connections, good.connections] == [1, 1, 1]


@pytest.mark.parametrize("bad", ["refused", "reset"])
def test_an_address_that_refuses_or_resets_is_passed_over(
    serve: Callable[..., Server], bad: str
) -> None:
    good = serve(answer(200), host="127.0.0.3")
    if bad == "reset":
        serve(reset, host="127.0.0.2", port=good.port)
    assert look(good.port, named("127.0.0.2", "127.0.0.3")) == HEALTHY


def test_a_quick_first_address_is_the_only_one_asked(serve: Callable[..., Server]) -> None:
    first = serve(answer(200), host="127.0.0.2")
    second = serve(answer(200), host="127.0.0.3", port=first.port)
    assert look(first.port, named("127.0.0.2", "127.0.0.3")) == HEALTHY
    assert (first.connections, second.connections) == (1, 0)


def test_a_host_whose_addresses_are_all_silent_fails_by_timeout() -> None:
    port = free_port()
    with silent("127.0.0.2", port), silent("127.0.0.3", port):
        assert look(port, named("127.0.0.2", "127.0.0.3"), timeout=0.6) == TIMEOUT


def test_a_host_whose_addresses_all_refuse_is_refused() -> None:
    assert look(free_port(), named("127.0.0.2", "127.0.0.3")).detail == "connection refused"


def test_a_family_that_this_machine_does_not_have_is_passed_over(
    serve: Callable[..., Server],
) -> None:
    good = serve(answer(200), host="127.0.0.3")

    def resolve(host: str, port: int) -> tuple[Address, ...]:
        del host
        nowhere = Address(socket.AF_INET6, ("100::1", port, 0, 0))
        return (nowhere, Address(socket.AF_INET, ("127.0.0.3", port)))

    assert look(good.port, resolve) == HEALTHY


def test_a_resolver_that_hangs_is_bounded_by_the_round() -> None:
    over, looks = threading.Event(), []

    def resolve(host: str, port: int) -> tuple[Address, ...]:
        looks.append(host)
        over.wait(20)
        return (Address(socket.AF_INET, ("127.0.0.2", port)),)

    assert look(free_port(), resolve, timeout=0.4) == TIMEOUT
    assert len(looks) == 2
    over.set()


@pytest.mark.parametrize("fault", ["no name", "refused"])
def test_a_failure_is_final_after_a_second_attempt_and_does_not_wait_for_the_timeout(
    fault: str,
) -> None:
    """By the times at which the name is looked up: half of an hour is never waited for."""
    looks = []

    def resolve(host: str, port: int) -> tuple[Address, ...]:
        looks.append(host)
        if fault == "no name":
            raise socket.gaierror("no such name")
        return (Address(socket.AF_INET, ("127.0.0.1", port)),)

    found = look(free_port(), resolve, timeout=3600)
    assert found == Probe(
        Verdict.FAILING, NoAnswer.NAME if fault == "no name" else NoAnswer.REFUSED
    )
    assert len(looks) == 2


def test_silence_is_tried_again_at_half_the_timeout_and_further_addresses_after_that() -> None:
    prober = HttpProber(2.0, 2)
    assert [prober._share(turn, 2) for turn in range(3)] == [0, 0.5, 1.0]
    assert [prober._share(turn, 3) for turn in range(4)] == [0, 0.5, 0.75, 1.0]
    assert [HttpProber(2.0, 1)._share(turn, 4) for turn in range(5)] == [0, 0.25, 0.5, 0.75, 1.0]


def test_families_take_turns_and_not_too_many_addresses_are_looked_at() -> None:
    six = [Address(socket.AF_INET6, (f"100::{n}", 80, 0, 0)) for n in range(9)]
    four = [Address(socket.AF_INET, (f"127.0.0.{n}", 80)) for n in range(2)]
    mixed = by_turns([*six, *four])
    assert mixed[:4] == (six[0], four[0], six[1], four[1])
    assert len(mixed) == 8
