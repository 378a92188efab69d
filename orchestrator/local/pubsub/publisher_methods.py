"""The Publisher's methods on the messages of Google's own library, for gRPC and REST alike.

What a method answers is said once, here; the rules are in `pubsub`. It must not know how a request
came. The library's classes carry their protobuf messages with them; those are what is used, because
they are what both faces read and write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from orchestrator.local.pubsub.pubsub import Code, Draft, Pubsub, Refused

SERVICE = "google.pubsub.v1.Publisher"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the protobuf class of its requests, and what answers one. Raises Refused."""

    request: Any  # protobuf's classes carry no types
    answer: Callable[[Any], Any]


def publisher_methods(pubsub: Pubsub) -> dict[str, Method]:
    """The methods over these topics, by their names in the service."""
    api = _Publisher(pubsub)
    return {
        "CreateTopic": Method(types.Topic.pb(), api.create),
        "GetTopic": Method(types.GetTopicRequest.pb(), api.get),
        "ListTopics": Method(types.ListTopicsRequest.pb(), api.list),
        "DeleteTopic": Method(types.DeleteTopicRequest.pb(), api.delete),
        "Publish": Method(types.PublishRequest.pb(), api.publish),
    }


class _Publisher:
    """Requests and answers are protobuf messages, which carry no types."""

    def __init__(self, pubsub: Pubsub) -> None:
        self._pubsub = pubsub

    def create(self, request: Any) -> Any:
        return types.Topic.pb()(name=self._pubsub.create(request.name).path)

    def get(self, request: Any) -> Any:
        return types.Topic.pb()(name=self._pubsub.get(request.topic).path)

    def list(self, request: Any) -> Any:
        paths = self._pubsub.paths(request.project)
        begin, size = _begin(request.page_token), max(request.page_size, 0) or _PAGE
        page = [types.Topic.pb()(name=path) for path in paths[begin : begin + size]]
        more = str(begin + size) if begin + size < len(paths) else ""
        return types.ListTopicsResponse.pb()(topics=page, next_page_token=more)

    def delete(self, request: Any) -> Any:
        self._pubsub.delete(request.topic)
        return Empty()

    def publish(self, request: Any) -> Any:
        drafts = [Draft(m.data, dict(m.attributes), m.ordering_key) for m in request.messages]
        ids = self._pubsub.publish(request.topic, drafts)
        return types.PublishResponse.pb()(message_ids=ids)


def _begin(token: str) -> int:
    if token and not (token.isascii() and token.isdecimal() and len(token) < 10):  # noqa: PLR2004 - far more topics than there can be
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid page token: {token}")
    return int(token or 0)
