"""Google's own Pub/Sub emulator, a Java program that the Google Cloud CLI installs.

It is found through the CLI, which says where it is installed, and started by the script that comes
with it: that becomes the Java process itself, so there is one process, and no wrapper that could
outlive it. The CLI is given a folder of its own for what it writes. The emulator gives back-off and
acknowledgement deadlines as it pleases; this module must not make up for that.
"""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from orchestrator.local.google.gcloud import Gcloud, installed
from orchestrator.local.process.ask import answers
from orchestrator.local.process.child import Child
from orchestrator.local.process.loopback import HOST, url_of
from orchestrator.local.pubsub.push import PROJECT, PushedMessage, Subscription

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient, SubscriberClient

COMPONENT = "pubsub-emulator"
_PROGRAM = Path("platform/pubsub-emulator/bin/cloud-pubsub-emulator")
_START_SECONDS = 60.0  # a Java program on a busy laptop
_CALL_SECONDS = 10.0
_SHORTEST_ACK_DEADLINE = 10
_PAGE = 1000


class EmulatorMissing(RuntimeError):
    """Google's emulator cannot be run here; the message says what to install."""


def emulator_program() -> Path:
    """The program that starts the emulator. Raises EmulatorMissing."""
    if (gcloud := installed()) is None:
        raise EmulatorMissing(_sentence("the Google Cloud CLI (https://cloud.google.com/sdk)"))
    program = _sdk_root(gcloud) / _PROGRAM
    if not program.exists():
        install = f"gcloud components install {COMPONENT}"
        raise EmulatorMissing(_sentence(f"the component {COMPONENT} ({install})"))
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise EmulatorMissing(_sentence("Java (a runtime, version 11 or newer)"))
    return program


class GoogleEmulator:
    """The emulator on `port`, which is gRPC and REST at once. `folder` takes its log.

    Raises EmulatorMissing at once if it is not installed.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        command = [str(emulator_program()), f"--host={HOST}", f"--port={port}"]
        self._child = Child("Google's Pub/Sub emulator", command, log=folder / "emulator.log")
        self._channel: Any = None  # grpc carries no types
        self._seen: dict[str, list[PushedMessage]] = {}

    @property
    def pid(self) -> int:
        """The id of its process, once it was started."""
        return self._child.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        import grpc

        self._child.start_ready(lambda: answers(url_of(self._port)), _START_SECONDS)
        self._channel = grpc.insecure_channel(f"{HOST}:{self._port}")

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._channel is not None:
            self._channel.close()
        self._child.stop(grace=0.5)  # it keeps nothing that it could save

    def create(self, topic: str, subscriptions: Iterable[Subscription]) -> None:
        """Make a topic with these push subscriptions, and one by which `messages` reads it."""
        self._publisher().create_topic(name=topic, timeout=_CALL_SECONDS)
        self._subscribe({"name": _reader(topic), "topic": topic})
        for each in subscriptions:
            retry = {
                "minimum_backoff": timedelta(seconds=each.min_backoff),
                "maximum_backoff": timedelta(seconds=each.max_backoff),
            }
            self._subscribe(
                {
                    "name": each.path,
                    "topic": topic,
                    "push_config": {"push_endpoint": each.url},
                    "ack_deadline_seconds": max(_SHORTEST_ACK_DEADLINE, round(each.ack_deadline)),
                    "retry_policy": retry,
                }
            )

    def publish(self, topic: str, data: bytes) -> str:
        """Publish one message and give its id."""
        from google.pubsub_v1.types import PubsubMessage

        messages = [PubsubMessage(data=data)]
        answer = self._publisher().publish(topic=topic, messages=messages, timeout=_CALL_SECONDS)
        return str(answer.message_ids[0])

    def messages(self, topic: str) -> tuple[PushedMessage, ...]:
        """All that was published to a topic of `create`, in the order in which it was read."""
        seen = self._seen.setdefault(topic, [])
        while received := self._pull(_reader(topic)):
            seen += [_message(each.message) for each in received]
            ids = [each.ack_id for each in received]
            self._subscriber().acknowledge(
                subscription=_reader(topic), ack_ids=ids, timeout=_CALL_SECONDS
            )
        return tuple(seen)

    def _pull(self, subscription: str) -> Any:
        """What can be had at once: the stub itself, for the library warns of asking for that."""
        from google.pubsub_v1.types import PullRequest

        request = PullRequest(
            subscription=subscription, max_messages=_PAGE, return_immediately=True
        )
        stub: Any = self._subscriber().transport.pull
        return stub(request, timeout=_CALL_SECONDS).received_messages

    def _subscribe(self, request: dict[str, object]) -> None:
        self._subscriber().create_subscription(request=request, timeout=_CALL_SECONDS)

    def _publisher(self) -> "PublisherClient":
        from google.pubsub_v1 import PublisherClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        return PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))

    def _subscriber(self) -> "SubscriberClient":
        from google.pubsub_v1 import SubscriberClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

        return SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))


@cache
def _sdk_root(program: str) -> Path:
    """Where the CLI whose `program` is first on the path is installed: it takes a second to say."""
    with TemporaryDirectory(prefix="gcloud-") as folder:
        gcloud = Gcloud(url_of(0), PROJECT, Path(folder))  # it asks no API
        said = gcloud.run("info", "--format=value(installation.sdk_root)")
    if said.status != 0 or not said.out.strip():
        raise EmulatorMissing(_sentence(f"a Google Cloud CLI that works ({program} info fails)"))
    return Path(said.out.strip())


def _sentence(need: str) -> str:
    return f"Google's Pub/Sub emulator needs {need}."


def _reader(topic: str) -> str:
    return topic.replace("/topics/", "/subscriptions/") + "-reader"


def _message(found: Any) -> PushedMessage:
    published = found.publish_time.astimezone(UTC)
    return PushedMessage(
        found.message_id, found.data, published, dict(found.attributes), found.ordering_key
    )
