"""A topic: every message to every subscription, kept to be read, and mishaps on demand."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.local.process.loopback import free_port, url_of
from orchestrator.local.pubsub.push import Subscription
from orchestrator.local.pubsub.push_topic import Mishap, PushTopic
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A push endpoint that acknowledges."""
    with Receiver() as found:
        yield found


@pytest.fixture
def topic(receiver: Receiver) -> Iterator[PushTopic]:
    """A topic that is pushed to the receiver."""
    with PushTopic("alerts", Subscription("f", receiver.url, min_backoff=0.01)) as found:
        yield found


def test_every_subscription_gets_every_message(receiver: Receiver) -> None:
    """Many messages go to all subscriptions at once, each with its id in all of them."""
    lot = threading.Barrier(8, timeout=30)
    receiver.answer = lambda _: 200 if lot.wait() >= 0 else 500
    two = (Subscription("f0", receiver.url), Subscription("f1", receiver.url))
    with PushTopic("alerts", *two) as topic:
        futures = [future for number in range(4) for future in topic.publish({"n": number})]
        assert all(future.result(10).acknowledged for future in futures)
    ids = sorted(receiver.ids)
    assert len(set(ids)) == 4
    assert ids[0] == ids[1]


def test_what_is_published_can_be_read() -> None:
    """Messages are kept in order, with their attributes, also where nobody listens."""
    with PushTopic("events") as topic:
        assert topic.publish({"type": "moved"}, attributes={"service": "checkout"}) == ()
        assert topic.publish(b"not JSON") == ()
    first, second = topic.messages
    assert (first.json(), first.attributes) == ({"type": "moved"}, {"service": "checkout"})
    assert second.data == b"not JSON"
    assert first.message_id != second.message_id


def test_a_message_is_delivered_twice_on_demand(topic: PushTopic, receiver: Receiver) -> None:
    """The same id comes twice although it was acknowledged, and only that once."""
    topic.befall(Mishap(deliveries=2))
    futures = topic.publish({}) + topic.publish({})
    assert all(future.result(10).acknowledged for future in futures)
    twice, once = topic.messages
    assert sorted(receiver.ids) == sorted([twice.message_id, twice.message_id, once.message_id])


def test_a_publisher_publishes_twice_on_demand(topic: PushTopic, receiver: Receiver) -> None:
    """Two messages with the same data have two ids: nothing in them says that they are one."""
    topic.befall(Mishap(copies=2))
    futures = topic.publish({"n": 1})
    assert all(future.result(10).acknowledged for future in futures)
    assert len(set(receiver.ids)) == 2
    assert [message.json() for message in topic.messages] == [{"n": 1}] * 2


def test_a_message_is_late_on_demand(topic: PushTopic, receiver: Receiver) -> None:
    """A later message overtakes one that is delayed."""
    topic.befall(Mishap(delay=1.0))
    (late,), (prompt,) = topic.publish({}), topic.publish({})
    assert prompt.result(10).acknowledged
    assert late.result(10).acknowledged
    assert receiver.ids == [prompt.result().message_id, late.result().message_id]


def test_messages_come_in_the_order_that_is_asked_for(topic: PushTopic, receiver: Receiver) -> None:
    """What is held is published but not delivered; then each waits for the one before."""
    receiver.answer = lambda number: 500 if number == 1 else 200
    topic.hold()
    futures = [future for number in range(4) for future in topic.publish({"n": number})]
    first, second, third, fourth = (message.message_id for message in topic.messages)
    assert not any(future.done() for future in futures)
    topic.release((2, 0, 3, 1))
    assert all(future.result(10).acknowledged for future in futures)
    assert receiver.ids == [third, third, first, fourth, second]


def test_after_a_release_messages_go_their_way_again(topic: PushTopic) -> None:
    topic.hold()
    topic.release()
    (future,) = topic.publish({})
    assert future.result(10).acknowledged


@pytest.mark.parametrize("order", [(0,), (0, 0), (0, 2), (0, 1, 2)])
def test_an_order_must_name_every_message_once(topic: PushTopic, order: tuple[int, ...]) -> None:
    """What it does not name would be lost without a word; nothing is released then."""
    topic.hold()
    futures = topic.publish({}) + topic.publish({})
    with pytest.raises(ValueError, match="each of 2 messages once"):
        topic.release(order)
    topic.release()
    assert all(future.result(10).acknowledged for future in futures)


def test_many_threads_publish_at_once(topic: PushTopic, receiver: Receiver) -> None:
    """Every one of 400 messages from eight threads has an id of its own and is delivered once."""
    with ThreadPoolExecutor(8) as pool:
        lots = list(pool.map(lambda n: topic.publish({"n": n}), range(400)))
    assert all(future.result(20).acknowledged for lot in lots for future in lot)
    ids = {message.message_id for message in topic.messages}
    assert len(ids) == len(receiver.ids) == 400
    assert set(receiver.ids) == ids


def test_closing_gives_up_what_is_pending() -> None:
    """Leaving the topic ends deliveries that wait for their next attempt."""
    url = url_of(free_port())
    with PushTopic("alerts", Subscription("f", url, min_backoff=30, max_backoff=30)) as topic:
        (future,) = topic.publish({})
    assert not future.result(1).acknowledged


def test_closing_gives_up_what_is_held_or_delayed(receiver: Receiver) -> None:
    """What has not set out is never delivered, and its future says that nothing was attempted."""
    with PushTopic("alerts", Subscription("f", receiver.url)) as topic:
        topic.befall(Mishap(delay=30))
        futures = topic.publish({})
        topic.hold()
        futures += topic.publish({})
    assert [future.result(0).attempts for future in futures] == [(), ()]
    assert receiver.seen == []


def test_a_closed_topic_takes_nothing() -> None:
    """It says so instead of losing a message; closing it again is nothing."""
    topic = PushTopic("alerts")
    topic.hold()
    topic.close()
    topic.close()
    topic.release()
    with pytest.raises(RuntimeError, match="closed"):
        topic.publish({})
