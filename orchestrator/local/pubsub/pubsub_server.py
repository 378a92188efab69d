"""The small Pub/Sub as a server: its topics, and the two ports on which publishers find them.

`host` is the gRPC one, which PUBSUB_EMULATOR_HOST names; it carries no scheme, for the library
hangs on one. `rest_url` is for curl. The ports can be closed and opened again, which is an outage
of Pub/Sub: the topics, and what is on its way, stay.
"""

from __future__ import annotations

from contextlib import ExitStack

from orchestrator.local.process.loopback import HOST, free_port, url_of
from orchestrator.local.pubsub.pubsub import Pubsub
from orchestrator.local.pubsub.pull import PullSubscriptions


class PubsubServer:
    """Serves the topics of `pubsub` from `start` until `stop`; `port` is the one for gRPC.

    Whoever wants to read a topic from outside makes a pull subscription.
    """

    def __init__(self, pubsub: Pubsub, port: int | None = None) -> None:
        self.pubsub = pubsub
        self.subscriptions = PullSubscriptions(pubsub)
        self._port, self._rest_port = port or free_port(), free_port()
        self._faces = ExitStack()

    @property
    def host(self) -> str:
        """Host and port for gRPC: the value of PUBSUB_EMULATOR_HOST."""
        return f"{HOST}:{self._port}"

    @property
    def rest_url(self) -> str:
        """The base URL for REST, without a slash at its end."""
        return url_of(self._rest_port)

    def start(self) -> None:
        """Open both ports. Google's library is imported here: most of a second, beside others."""
        from orchestrator.local.pubsub import publisher_methods as publisher
        from orchestrator.local.pubsub import subscriber_methods as subscriber
        from orchestrator.local.pubsub.pubsub_grpc import GrpcFace
        from orchestrator.local.pubsub.pubsub_rest import RestFace

        publish = publisher.publisher_methods(self.pubsub)
        subscribe = subscriber.subscriber_methods(self.subscriptions)
        services = {publisher.SERVICE: publish, subscriber.SERVICE: subscribe}
        with ExitStack() as faces:
            faces.callback(GrpcFace(services, self._port).close)
            faces.callback(RestFace({**publish, **subscribe}, self._rest_port).close)
            self._faces = faces.pop_all()

    def stop(self) -> None:
        """Close both ports; what was published goes on being delivered. Idempotent."""
        self._faces.close()
