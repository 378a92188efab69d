"""Push delivery: again and again with one message id, until acknowledged or given up."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orchestrator.local.loopback import HOST, free_port, url_of
from orchestrator.local.push import Delivery, Form, Subscription, Topic


class Receiver:
    """A push endpoint: records requests and answers what `answer` says for the n-th (from 1)."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.answer: Callable[[int], int] = lambda _: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = {name.lower(): value for name, value in self.headers.items()}
                receiver.seen.append((given, json.loads(body)))
                self.send_response(receiver.answer(len(receiver.seen)))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = url_of(self.server.server_port)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A push endpoint that acknowledges."""
    found = Receiver()
    yield found
    found.close()


def deliver(body: object, subscription: Subscription) -> Delivery:
    """Publish one message to one subscription and wait for the end of its delivery."""
    with Topic("alerts", subscription) as topic:
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


def test_redelivery_has_the_same_message_id(receiver: Receiver) -> None:
    """A refused message comes again, the same in every byte, until it is acknowledged."""
    receiver.answer = lambda number: 500 if number < 4 else 204
    delivery = deliver({}, Subscription("f", receiver.url, min_backoff=0.01))
    assert delivery.acknowledged
    assert [attempt.status for attempt in delivery.attempts] == [500, 500, 500, 204]
    assert all(body == receiver.seen[0][1] for _, body in receiver.seen)
    assert len(receiver.seen) == 4


def test_the_back_off_doubles_up_to_its_limit() -> None:
    """The pauses between attempts double from the least to the greatest."""
    subscription = Subscription("f", "http://127.0.0.1:1", min_backoff=0.1, max_backoff=0.5)
    assert [subscription.backoff(n) for n in range(1, 6)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_a_slow_receiver_is_a_failed_attempt(receiver: Receiver) -> None:
    """An answer later than the acknowledgement deadline is none, and the message comes again."""
    release = threading.Event()
    receiver.answer = lambda number: 200 if number > 1 or release.wait(5) else 500
    subscription = Subscription("f", receiver.url, ack_deadline=0.1, min_backoff=0.01)
    delivery = deliver({}, subscription)
    release.set()
    assert [attempt.error for attempt in delivery.attempts] == ["timeout", None]
    assert delivery.attempts[0].seconds >= 0.1


def test_nobody_there_is_a_failed_attempt() -> None:
    """Delivery to a function that is down is given up after the attempts that are allowed."""
    url = url_of(free_port())
    delivery = deliver({}, Subscription("f", url, min_backoff=0.01, max_attempts=3))
    assert not delivery.acknowledged
    assert [attempt.error for attempt in delivery.attempts] == ["ConnectionRefusedError"] * 3


def test_delivery_has_a_deadline() -> None:
    """Delivery is given up when the next attempt would come after the deadline."""
    url = url_of(free_port())
    started = time.monotonic()
    assert not deliver({}, Subscription("f", url, min_backoff=0.05, deadline=0.2)).acknowledged
    assert time.monotonic() - started < 1


def test_every_subscription_gets_every_message(receiver: Receiver) -> None:
    """Many messages go to all subscriptions at once, each with its id in all of them."""
    lot = threading.Barrier(8, timeout=5)
    receiver.answer = lambda _: 200 if lot.wait() >= 0 else 500
    two = (Subscription("f0", receiver.url), Subscription("f1", receiver.url))
    with Topic("alerts", *two) as topic:
        futures = [future for number in range(4) for future in topic.publish({"n": number})]
        assert all(future.result(10).acknowledged for future in futures)
    ids = sorted(body["message"]["messageId"] for _, body in receiver.seen)
    assert len(set(ids)) == 4
    assert ids[0] == ids[1]


def test_closing_gives_up_what_is_pending() -> None:
    """Leaving the topic ends deliveries that wait for their next attempt."""
    url = url_of(free_port())
    with Topic("alerts", Subscription("f", url, min_backoff=30, max_backoff=30)) as topic:
        (future,) = topic.publish({})
    assert not future.result(1).acknowledged
