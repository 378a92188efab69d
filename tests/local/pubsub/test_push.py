"""One push: what a subscriber is sent, and which answers acknowledge."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from orchestrator.local.pubsub.dead_letters import DeadLetterPolicy
from orchestrator.local.pubsub.push import Attempt, Delivery, Form, Subscription, envelope
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


def test_the_envelope_is_that_of_a_push_subscription(receiver: Receiver) -> None:
    """A message arrives as Pub/Sub pushes it, with its data in base64 and both spellings."""
    delivery = deliver({"incident": {}}, Subscription("function-0", receiver.url))
    ((headers, body),) = receiver.seen
    message = body["message"]
    assert json.loads(base64.b64decode(message["data"])) == {"incident": {}}
    assert message["messageId"] == message["message_id"] == delivery.message_id
    assert message["publishTime"] == message["publish_time"]
    assert datetime.fromisoformat(message["publishTime"]) <= datetime.now(UTC)
    assert message["attributes"] == {}
    assert body["subscription"] == "projects/laptop/subscriptions/function-0"
    assert headers["content-type"] == "application/json"
    assert not [name for name in headers if name.startswith("ce-")]


def test_the_cloud_event_form(receiver: Receiver) -> None:
    """As a CloudEvent the same body comes with the event's attributes in headers."""
    subscription = Subscription("function-0", receiver.url, Form.CLOUD_EVENT)
    delivery = deliver(b"not JSON", subscription)
    ((headers, body),) = receiver.seen
    assert base64.b64decode(body["message"]["data"]) == b"not JSON"
    assert headers["ce-id"] == delivery.message_id
    assert headers["ce-source"] == "//pubsub.googleapis.com/projects/laptop/topics/alerts"
    assert headers["ce-type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-time"] == body["message"]["publishTime"]


def test_the_envelope_tells_what_only_some_messages_have() -> None:
    """An ordering key is told where there is one, the attempt where dead letters are counted."""
    topic = PushTopic("alerts")
    plain, ordered = topic.message(b"x"), topic.message(b"x", ordering_key="checkout")
    once = Subscription("f", "http://127.0.0.1:1")
    counted = Subscription("f", "http://127.0.0.1:1", dead_letters=DeadLetterPolicy(topic))
    assert "deliveryAttempt" not in envelope(plain, once, 3)
    assert envelope(plain, counted, 3)["deliveryAttempt"] == 3
    assert '"orderingKey": "checkout"' in json.dumps(envelope(ordered, once))
    assert "orderingKey" not in json.dumps(envelope(plain, once))


@pytest.mark.parametrize(
    ("status", "acknowledged"),
    [(102, True), (200, True), (204, True), (203, False), (206, False), (302, False), (500, False)],
)
def test_which_answers_acknowledge(status: int, acknowledged: bool) -> None:
    """Pub/Sub documents five statuses; another success is none."""
    assert Attempt(0.0, 0.0, status).acknowledged is acknowledged


def test_no_answer_acknowledges_nothing() -> None:
    assert not Attempt(0.0, 0.0, None, "timeout").acknowledged


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = lambda _: 302
    delivery = deliver({}, Subscription("f", receiver.url, max_attempts=1))
    assert [attempt.status for attempt in delivery.attempts] == [302]
