"""The courier: again and again with one id, until acknowledged, given up or a dead letter."""

import threading
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest

from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.courier import AT_ONCE
from orchestrator.local.pubsub.dead_letters import DeadLetterPolicy
from orchestrator.local.pubsub.push import Delivery, PushedMessage, Subscription
from orchestrator.local.pubsub.push_topic import PushTopic
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A push endpoint that acknowledges."""
    with Receiver() as found:
        yield found


def deliver(body: object, subscription: Subscription) -> Delivery:
    """Publish one message to one subscription and wait for the end of its delivery."""
    with PushTopic("alerts", subscription) as topic:
        (future,) = topic.publish(body)
        return future.result(10)


def dead_letter_of(url: str, attempts: int) -> tuple[Delivery, PushedMessage]:
    """The delivery of a message to nobody, and what was then forwarded."""
    with PushTopic("dead-letters") as dead:
        policy = DeadLetterPolicy(dead, attempts)
        subscription = Subscription("function-0", url, min_backoff=0.001, dead_letters=policy)
        with PushTopic("alerts", subscription) as topic:
            (future,) = topic.publish(b"poison", attributes={"origin": "test"})
            delivery = future.result(10)
        (message,) = dead.messages
        return delivery, message


def test_redelivery_has_the_same_message_id(receiver: Receiver) -> None:
    """A refused message comes again, the same in every byte, until it is acknowledged."""
    receiver.answer = lambda number: 500 if number < 4 else 204
    delivery = deliver({}, Subscription("f", receiver.url, min_backoff=0.01))
    assert delivery.acknowledged
    assert [attempt.status for attempt in delivery.attempts] == [500, 500, 500, 204]
    assert all(body == receiver.bodies[0] for body in receiver.bodies)
    assert len(receiver.seen) == 4


def test_the_back_off_doubles_up_to_its_limit() -> None:
    """The pauses between attempts double from the least to the greatest."""
    subscription = Subscription("f", "http://127.0.0.1:1", min_backoff=0.1, max_backoff=0.5)
    assert [subscription.backoff(n) for n in range(1, 6)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_the_back_off_is_kept_between_attempts(receiver: Receiver) -> None:
    """No attempt begins before the pause after the one before has passed."""
    receiver.answer = lambda number: 500 if number < 4 else 200
    subscription = Subscription("f", receiver.url, min_backoff=0.02)
    pauses = [
        after.started - before.started - before.seconds
        for before, after in pairwise(deliver({}, subscription).attempts)
    ]
    assert all(
        pause >= subscription.backoff(number) * 0.99 for number, pause in enumerate(pauses, 1)
    )


def test_a_slow_receiver_is_a_failed_attempt(receiver: Receiver) -> None:
    """An answer later than the acknowledgement deadline is none, and the message comes again.

    On a slow machine the second answer may come late, too: then there is a third.
    """
    release = threading.Event()
    receiver.answer = lambda number: 200 if number > 1 or release.wait(30) else 500
    subscription = Subscription("f", receiver.url, ack_deadline=0.5, min_backoff=0.01)
    delivery = deliver({}, subscription)
    release.set()
    assert delivery.acknowledged
    *late, last = [attempt.error for attempt in delivery.attempts]
    assert late
    assert set(late) == {"timeout"}
    assert last is None
    assert delivery.attempts[0].seconds >= 0.5


def test_the_deadline_is_for_the_whole_answer(receiver: Receiver) -> None:
    """A receiver that answers at once and then never ends its answer has not acknowledged."""
    release = threading.Event()
    receiver.afterwards = lambda: release.wait(30)
    subscription = Subscription("f", receiver.url, ack_deadline=0.2, max_attempts=1)
    delivery = deliver({}, subscription)
    release.set()
    assert [attempt.error for attempt in delivery.attempts] == ["timeout"]


def test_nobody_there_is_a_failed_attempt() -> None:
    """Delivery to a function that is down is given up after the attempts that are allowed."""
    url = url_of(free_port())
    delivery = deliver({}, Subscription("f", url, min_backoff=0.01, max_attempts=3))
    assert not delivery.acknowledged
    assert [attempt.error for attempt in delivery.attempts] == ["ConnectionRefusedError"] * 3


def test_delivery_has_a_deadline() -> None:
    """Delivery is given up when the next attempt would come after the deadline, and else never."""
    url = url_of(free_port())
    delivery = deliver({}, Subscription("f", url, min_backoff=0.05, deadline=0.2))
    assert not delivery.acknowledged
    assert {attempt.error for attempt in delivery.attempts} == {"ConnectionRefusedError"}


def test_a_subscriber_that_hangs_holds_up_no_other(receiver: Receiver) -> None:
    """While one subscription has all its pushes under way, another one gets every message."""
    release = threading.Event()
    with Receiver() as hanging:
        hanging.answer = lambda _: 200 if release.wait(30) else 500
        two = (
            Subscription("hanging", hanging.url, ack_deadline=30),
            Subscription("well", receiver.url),
        )
        with PushTopic("alerts", *two) as topic:
            futures = [topic.publish({"n": number}) for number in range(AT_ONCE + 20)]
            assert all(well.result(20).acknowledged for _, well in futures)
            assert not any(stuck.done() for stuck, _ in futures)
            assert len(hanging.seen) <= AT_ONCE
            release.set()


def test_a_message_is_dead_after_exactly_the_attempts_that_are_allowed(receiver: Receiver) -> None:
    """It is forwarded as a new message with the old data, and its attributes say whence."""
    receiver.answer = lambda _: 500
    delivery, forwarded = dead_letter_of(receiver.url, 6)
    assert len(delivery.attempts) == len(receiver.seen) == 6
    assert [body["deliveryAttempt"] for body in receiver.bodies] == [1, 2, 3, 4, 5, 6]
    assert forwarded.data == b"poison"
    assert forwarded.message_id != delivery.message_id
    source = "CloudPubSubDeadLetterSource"
    published = forwarded.attributes[f"{source}TopicPublishTime"]
    assert dict(forwarded.attributes) == {
        "origin": "test",
        f"{source}DeliveryCount": "6",
        f"{source}Subscription": "function-0",
        f"{source}SubscriptionProject": "laptop",
        f"{source}TopicPublishTime": published,
    }
    given = receiver.bodies[0]["message"]["publishTime"]
    assert datetime.fromisoformat(published) == datetime.fromisoformat(given)


def test_what_never_answers_is_a_dead_letter_too() -> None:
    """An unreachable subscriber counts as one that refuses."""
    _, forwarded = dead_letter_of(url_of(free_port()), 5)
    assert forwarded.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_what_is_acknowledged_at_the_last_attempt_is_no_dead_letter(receiver: Receiver) -> None:
    receiver.answer = lambda number: 200 if number == 5 else 500
    with PushTopic("dead-letters") as dead:
        policy = DeadLetterPolicy(dead, 5)
        subscription = Subscription("f", receiver.url, min_backoff=0.001, dead_letters=policy)
        assert deliver({}, subscription).acknowledged
        assert dead.messages == ()


@pytest.mark.parametrize("attempts", [0, 4, 101])
def test_the_attempts_before_a_dead_letter_have_limits(attempts: int) -> None:
    with pytest.raises(ValueError, match="5 to 100"):
        DeadLetterPolicy(PushTopic("dead-letters"), attempts)


def test_closing_cuts_what_is_under_way(receiver: Receiver) -> None:
    """Closing does not wait for a subscriber that hangs, and its delivery ends unacknowledged."""
    release = threading.Event()
    receiver.answer = lambda _: 200 if release.wait(300) else 500
    with PushTopic("alerts", Subscription("f", receiver.url, ack_deadline=300)) as topic:
        (future,) = topic.publish({})
        wait_until(lambda: receiver.seen, 30, "the push to be under way")
    release.set()
    assert not future.result(0).acknowledged
