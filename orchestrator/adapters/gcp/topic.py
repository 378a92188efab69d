"""A Pub/Sub topic that we publish to, by google-cloud-pubsub.

The library's plain client of the API, one request for one message: its batching publisher works in
threads that a function's instance does not run once it has answered. It is imported by the first
message, which is sent after the shift.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.gcp.error_kinds import kind_of
from orchestrator.core.exceptions import Cloud, FailoverError, Unavailable

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

TIMEOUT = 5.0
"""Seconds for one message: the failover is done, and its own message waits to be acknowledged."""

_LASTING = frozenset({"NotFound", "PermissionDenied", "Forbidden", "Unauthenticated"})
"""The library's errors that no second try cures."""


class PubSubTopic:
    """Implements `orchestrator.ports.Topic`.

    name: the topic's short name. emulator: `host:port` of one, which needs no credentials.
    """

    def __init__(
        self,
        project: str,
        name: str,
        credentials: Callable[[], Credentials | None],
        emulator: str | None,
    ) -> None:
        self._path = f"projects/{project}/topics/{name}"
        self._credentials = credentials
        self._emulator = emulator
        self._lock = threading.Lock()
        self._made: Any = None  # the library's client, which carries no types

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish one message and give its id. Raises Unavailable."""
        try:
            answer = self._client().publish(
                topic=self._path,
                messages=[{"data": data, "attributes": dict(attributes)}],
                retry=None,
                timeout=TIMEOUT,
            )
            return str(answer.message_ids[0])
        except FailoverError:
            raise
        except Exception as error:
            raise self._translated(error) from error

    def exists(self) -> bool:
        """Whether the topic is there. Raises Unavailable."""
        try:
            self._client().get_topic(topic=self._path, retry=None, timeout=TIMEOUT)
        except FailoverError:
            raise
        except Exception as error:
            if type(error).__name__ == "NotFound":
                return False
            raise self._translated(error) from error
        return True

    def _client(self) -> Any:  # the library carries no types
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:  # as above
        from google.pubsub_v1 import PublisherClient  # a fifth of a second: not before the shift

        if not self._emulator:
            return PublisherClient(credentials=self._credentials())
        import grpc  # as above
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        channel = grpc.insecure_channel(self._emulator)
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    def _translated(self, error: Exception) -> Unavailable:
        kind = type(error).__name__
        text = f"{self._path}: {kind}: {str(error)[:300].rstrip('.')}"
        if kind in _LASTING:
            text += ". Create the topic, or grant roles/pubsub.publisher on it"
        return Unavailable(text, page=kind in _LASTING, kind=kind_of(error), cloud=Cloud.PUBSUB)
