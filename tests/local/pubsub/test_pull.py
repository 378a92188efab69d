"""Pull subscriptions: what a person, or a client of Google's, reads a topic by."""

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from orchestrator.local.process.ask import ask, post_json
from orchestrator.local.pubsub.pubsub import Pubsub, Refused
from orchestrator.local.pubsub.pubsub_server import PubsubServer
from orchestrator.local.pubsub.pull import PullSubscription
from orchestrator.local.pubsub.push_topic import PushTopic

TOPIC = "projects/laptop/topics/events"
READER = "projects/laptop/subscriptions/reader"


@pytest.fixture
def topic() -> PushTopic:
    """The topic that is served."""
    return PushTopic("events")


@pytest.fixture
def server(topic: PushTopic) -> Iterator[PubsubServer]:
    """A server of that topic."""
    found = PubsubServer(Pubsub([topic]))
    found.start()
    yield found
    found.stop()


def subscribed(ack_deadline: int = 600) -> tuple[PushTopic, PullSubscription]:
    """A topic with three messages that a subscription has not handed out."""
    topic = PushTopic("events")
    topic.publish(b"before")
    subscription = PullSubscription(READER, topic, ack_deadline)
    for data in (b"1", b"2", b"3"):
        topic.publish(data)
    return topic, subscription


def test_only_what_is_published_later_is_handed_out_and_once_while_it_is_leased() -> None:
    _, subscription = subscribed()
    assert [message.data for _, message in subscription.pull(2)] == [b"1", b"2"]
    assert [message.data for _, message in subscription.pull(2)] == [b"3"]
    assert subscription.pull(2) == []


def test_what_is_not_acknowledged_in_time_comes_again() -> None:
    """With another lease; what was acknowledged never does."""
    _, subscription = subscribed(ack_deadline=0)
    (first, message), *_ = subscription.pull(3)
    subscription.acknowledge(first)
    again = subscription.pull(3)
    assert [message.data for _, message in again] == [b"2", b"3"]
    assert message.data == b"1"
    assert first not in [ack_id for ack_id, _ in again]


def test_a_lease_can_be_given_back_and_extended() -> None:
    _, subscription = subscribed()
    (first, _), (second, _), _ = subscription.pull(3)
    subscription.extend(first, 0)
    subscription.extend(second, 600)
    subscription.extend("unknown", 0)
    assert [message.data for _, message in subscription.pull(3)] == [b"1"]


def test_a_pull_of_nothing_is_refused() -> None:
    with pytest.raises(Refused):
        subscribed()[1].pull(0)


def test_googles_client_reads_a_topic(server: PubsubServer, topic: PushTopic) -> None:
    """google-cloud-pubsub's plain subscriber, over gRPC."""
    with grpc.insecure_channel(server.host) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        made = client.create_subscription(name=READER, topic=TOPIC)
        assert (made.topic, made.ack_deadline_seconds) == (TOPIC, 10)
        assert client.get_subscription(subscription=READER).name == READER
        before = datetime.now(UTC)
        topic.publish({"type": "moved"}, attributes={"a": "b"})
        (received,) = client.pull(subscription=READER, max_messages=10).received_messages
        assert received.message.message_id == topic.messages[0].message_id
        assert received.message.data == topic.messages[0].data
        assert dict(received.message.attributes) == {"a": "b"}
        assert before <= received.message.publish_time <= datetime.now(UTC)
        lease = {"subscription": READER, "ack_ids": [received.ack_id]}
        client.modify_ack_deadline(request={**lease, "ack_deadline_seconds": 600})
        client.acknowledge(request=lease)
        assert not client.pull(subscription=READER, max_messages=10).received_messages
        client.delete_subscription(subscription=READER)
        with pytest.raises(NotFound):
            client.pull(subscription=READER, max_messages=10)


def test_a_bad_subscription_is_refused(server: PubsubServer) -> None:
    with grpc.insecure_channel(server.host) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        good = {"name": READER, "topic": TOPIC}
        with pytest.raises(NotFound):
            client.create_subscription(request={**good, "topic": f"{TOPIC}-gone"})
        for change in (
            {"name": "reader"},
            {"topic": "events"},
            {"ack_deadline_seconds": 9},
            {"push_config": {"push_endpoint": "http://127.0.0.1:1"}},
        ):
            with pytest.raises(InvalidArgument):
                client.create_subscription(request={**good, **change})
        client.create_subscription(request=good)
        with pytest.raises(AlreadyExists):
            client.create_subscription(request=good)
        with pytest.raises(InvalidArgument):
            client.modify_ack_deadline(subscription=READER, ack_ids=["x"], ack_deadline_seconds=601)


def test_curl_reads_a_topic(server: PubsubServer, topic: PushTopic) -> None:
    reader = f"{server.rest_url}/v1/{READER}"
    assert ask(reader, "PUT", b'{"topic": "%s"}' % TOPIC.encode()).ok
    topic.publish(b"{}")
    (received,) = post_json(f"{reader}:pull", {"maxMessages": 5}).json()["receivedMessages"]
    assert received["message"]["data"] == "e30="
    assert post_json(f"{reader}:acknowledge", {"ackIds": [received["ackId"]]}).json() == {}
    assert post_json(f"{reader}:pull", {"maxMessages": 5}).json() == {}
    assert ask(reader, "DELETE").ok
    assert ask(reader).status == 404
