"""The faces of the small Pub/Sub: Google's clients publish to it unchanged, and so does curl."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import google.pubsub_v1
import grpc
import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    Cancelled,
    InvalidArgument,
    NotFound,
    ServiceUnavailable,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud.pubsub_v1 import PublisherClient as BatchingPublisher
from google.pubsub_v1.services.publisher.transports import (
    PublisherGrpcTransport,
    PublisherRestTransport,
)
from google.pubsub_v1.types import PubsubMessage

from orchestrator.local.process.ask import HttpAnswer, ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.pubsub import LARGEST, Pubsub
from orchestrator.local.pubsub.pubsub_server import PubsubServer
from orchestrator.local.pubsub.push import Subscription
from orchestrator.local.pubsub.push_topic import PushTopic
from tests.support.receiver import Receiver

PROJECT = "projects/laptop"
ALERTS = f"{PROJECT}/topics/alerts"
GONE = f"{PROJECT}/topics/gone"


@pytest.fixture
def topic() -> PushTopic:
    """The topic that is served."""
    return PushTopic("alerts")


@pytest.fixture
def server(topic: PushTopic) -> Iterator[PubsubServer]:
    """A server of that topic."""
    with serving(topic) as found:
        yield found


@contextmanager
def serving(*topics: PushTopic) -> Iterator[PubsubServer]:
    """A server of these topics."""
    with Pubsub(topics) as pubsub:
        server = PubsubServer(pubsub)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def client(server: PubsubServer) -> Iterator[google.pubsub_v1.PublisherClient]:
    """The library's plain client of the API over gRPC."""
    with grpc.insecure_channel(server.host) as channel:
        yield google.pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=channel))


def publish(found: google.pubsub_v1.PublisherClient, data: bytes, topic: str = ALERTS) -> str:
    """Publish one message, trying once; give its id."""
    messages = [PubsubMessage(data=data)]
    return found.publish(topic=topic, messages=messages, retry=None, timeout=20).message_ids[0]


def post(server: PubsubServer, body: bytes, topic: str = ALERTS) -> HttpAnswer:
    """What `curl -d BODY .../v1/TOPIC:publish` does."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return ask(f"{server.rest_url}/v1/{topic}:publish", "POST", body, form)


def test_the_batching_publisher_publishes_by_the_environment_alone(
    server: PubsubServer, topic: PushTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """google-cloud-pubsub's own publisher needs nothing but PUBSUB_EMULATOR_HOST."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
    publisher = BatchingPublisher()
    futures = [publisher.publish(ALERTS, b"%d" % n, number=str(n)) for n in range(20)]
    ids = [future.result(20) for future in futures]
    publisher.stop()
    publisher.transport.close()
    assert sorted(ids) == sorted(message.message_id for message in topic.messages)
    found = {(message.data, message.attributes["number"]) for message in topic.messages}
    assert found == {(b"%d" % n, str(n)) for n in range(20)}


def test_the_plain_client_calls_every_method_by_grpc(server: PubsubServer) -> None:
    with client(server) as found:
        assert found.create_topic(name=f"{PROJECT}/topics/events").name.endswith("/events")
        assert found.get_topic(topic=ALERTS).name == ALERTS
        names = [topic.name for topic in found.list_topics(project=PROJECT)]
        assert names == [ALERTS, f"{PROJECT}/topics/events"]
        found.delete_topic(topic=ALERTS)
        assert [topic.name for topic in found.list_topics(project=PROJECT)] == names[1:]


def test_the_plain_client_calls_every_method_by_rest(
    server: PubsubServer, topic: PushTopic
) -> None:
    transport = PublisherRestTransport(
        host=server.rest_url.removeprefix("http://"),
        url_scheme="http",
        credentials=AnonymousCredentials(),
    )
    found = google.pubsub_v1.PublisherClient(transport=transport)
    found.create_topic(name=f"{PROJECT}/topics/events")
    assert found.get_topic(topic=ALERTS).name == ALERTS
    assert publish(found, b"\x00\xff") == topic.messages[0].message_id
    assert topic.messages[0].data == b"\x00\xff"
    assert len(list(found.list_topics(project=PROJECT))) == 2
    found.delete_topic(topic=ALERTS)
    with pytest.raises(NotFound):
        publish(found, b"x")
    transport.close()  # type: ignore[no-untyped-call]  # the library says that it is typed


def test_lists_come_in_pages(server: PubsubServer) -> None:
    with client(server) as found:
        for number in range(4):
            found.create_topic(name=f"{PROJECT}/topics/topic-{number}")
        request = {"project": PROJECT, "page_size": 2}
        pages = list(found.list_topics(request=request).pages)
        assert [len(page.topics) for page in pages] == [2, 2, 1]
        with pytest.raises(InvalidArgument):
            found.list_topics(request={"project": PROJECT, "page_token": "rubbish"})


def test_grpc_refuses_as_the_real_one(server: PubsubServer, topic: PushTopic) -> None:
    """The client sees the exceptions that it would see on Google Cloud."""
    with client(server) as found:
        with pytest.raises(NotFound):
            publish(found, b"x", GONE)
        with pytest.raises(NotFound):
            found.get_topic(topic=GONE)
        with pytest.raises(InvalidArgument):
            publish(found, b"")
        with pytest.raises(InvalidArgument):
            publish(found, b"x", "rubbish")
        with pytest.raises(InvalidArgument):
            publish(found, bytes(LARGEST + 1))
        with pytest.raises(AlreadyExists):
            found.create_topic(name=ALERTS)
        publish(found, bytes(LARGEST))
    assert [len(message.data) for message in topic.messages] == [LARGEST]


def test_curl_publishes(server: PubsubServer, topic: PushTopic) -> None:
    """The answer is that of the documentation, whatever content type curl claims."""
    data = base64.b64encode(b"{}").decode()
    body = {"messages": [{"data": data, "attributes": {"a": "b"}, "orderingKey": "k"}]}
    answer = post(server, json.dumps(body).encode())
    (message,) = topic.messages
    assert (message.data, message.attributes, message.ordering_key) == (b"{}", {"a": "b"}, "k")
    assert answer.status == 200
    assert answer.json() == {"messageIds": [message.message_id]}


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{}",
            b"[]",
            b"null",
            b"5",
            b"NaN",
            b"rubbish",
            b"\xff\xfe",
            b"\x00",
            b"[" * 100_000,
        ),
        *(b'{"messages":5}', b'{"messages":{}}', b'{"messages":[5]}', b'{"messages":[null]}'),
        *(b'{"messages":[{}]}', b'{"messages":[{"data":5}]}', b'{"messages":[{"data":"hello!"}]}'),
        *(b'{"messages":[{"data":"aGkab"}]}', b'{"messages":[{"attributes":{"k":5}}]}'),
        *(b'{"messages":[{"data":"aGk=","rubbish":1}]}', b'{"messages":[{"data":"aGk="}],"x":1}'),
        *(b'{"messages":[{"attributes":{"k":"\\ud800"}}]}', b'{"messages":[{"data":"aGk="},{}]}'),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_rubbish_is_an_invalid_argument(
    server: PubsubServer, topic: PushTopic, body: bytes
) -> None:
    """Every bad body gets an answer in Google's form, and nothing is published."""
    answer = post(server, body)
    assert answer.status == answer.json()["error"]["code"] == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert topic.messages == ()


def test_rest_refuses_what_is_not_there(server: PubsubServer) -> None:
    good = b'{"messages":[{"data":"aGk="}]}'
    unknown = ask(f"{server.rest_url}/v1/{ALERTS}:rubbish", "POST", good)
    for answer in (post(server, good, GONE), unknown, ask(f"{server.rest_url}/v1/{GONE}")):
        assert answer.status == answer.json()["error"]["code"] == 404
        assert answer.json()["error"]["status"] == "NOT_FOUND"
    again = ask(f"{server.rest_url}/v1/{ALERTS}", "PUT", b"{}")
    assert (again.status, again.json()["error"]["status"]) == (409, "ALREADY_EXISTS")


def test_what_is_published_by_grpc_and_rest_is_pushed() -> None:
    with Receiver() as receiver:
        topic = PushTopic("alerts", Subscription("f", receiver.url))
        with serving(topic) as server, client(server) as found:
            arrived = threading.Semaphore(0)
            receiver.afterwards = arrived.release
            ids = [publish(found, b"x")]
            ids += post(server, b'{"messages":[{"data":"aGk="}]}').json()["messageIds"]
            assert all(arrived.acquire(timeout=10) for _ in range(2))
        assert sorted(receiver.ids) == sorted(ids)


def test_many_publishers_at_once(server: PubsubServer, topic: PushTopic) -> None:
    """Each of 500 messages from eight threads is published once, and its publisher told its id."""
    with client(server) as found, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: publish(found, b"%d" % n), range(500)))
    assert sorted(ids) == sorted(message.message_id for message in topic.messages)
    assert len(set(ids)) == 500
    assert {message.data for message in topic.messages} == {b"%d" % n for n in range(500)}


def test_an_outage_ends_calls_and_is_over_when_it_is_started_again(
    server: PubsubServer, topic: PushTopic
) -> None:
    """Stopped amid publishing it leaves no call hanging; whoever was told an id was not lied to."""
    told: list[str] = []

    def work(found: google.pubsub_v1.PublisherClient) -> None:
        with suppress(ServiceUnavailable, Cancelled):
            while True:
                told.append(publish(found, b"x"))

    with client(server) as found, ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work, found) for _ in range(8)]
        wait_until(lambda: len(told) >= 20, 30, "some messages to be published")
        server.stop()
        for future in futures:
            future.result(20)
        with pytest.raises(ServiceUnavailable):
            publish(found, b"x")
    assert set(told) <= {message.message_id for message in topic.messages}
    server.start()
    with client(server) as found:
        assert publish(found, b"again") == topic.messages[-1].message_id


def test_a_port_is_never_shared(server: PubsubServer) -> None:
    """A second server on the same port is an error, and leaves nothing open."""
    port = int(server.host.rpartition(":")[2])
    second = PubsubServer(Pubsub(), port)
    with pytest.raises(RuntimeError):
        second.start()
    second.stop()


def test_the_host_carries_no_scheme(server: PubsubServer) -> None:
    """The library hangs on one."""
    assert server.host.count(":") == 1
    assert "/" not in server.host
