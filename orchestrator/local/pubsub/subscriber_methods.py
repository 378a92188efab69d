"""Those of the Subscriber's methods that a person needs to read a topic, for gRPC and REST alike.

Pull subscriptions only: a push subscription is made by the world, and a streaming pull is not
served. The rules are in `pull`. It must not know how a request came.
"""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from orchestrator.local.pubsub.publisher_methods import Method
from orchestrator.local.pubsub.pubsub import Code, Refused
from orchestrator.local.pubsub.pull import LONGEST, PullSubscription, PullSubscriptions

SERVICE = "google.pubsub.v1.Subscriber"


def subscriber_methods(subscriptions: PullSubscriptions) -> dict[str, Method]:
    """The methods over these subscriptions, by their names in the service."""
    api = _Subscriber(subscriptions)
    return {
        "CreateSubscription": Method(types.Subscription.pb(), api.create),
        "GetSubscription": Method(types.GetSubscriptionRequest.pb(), api.get),
        "DeleteSubscription": Method(types.DeleteSubscriptionRequest.pb(), api.delete),
        "Pull": Method(types.PullRequest.pb(), api.pull),
        "Acknowledge": Method(types.AcknowledgeRequest.pb(), api.acknowledge),
        "ModifyAckDeadline": Method(types.ModifyAckDeadlineRequest.pb(), api.extend),
    }


class _Subscriber:
    """Requests and answers are protobuf messages, which carry no types."""

    def __init__(self, subscriptions: PullSubscriptions) -> None:
        self._all = subscriptions

    def create(self, request: Any) -> Any:
        if request.push_config.push_endpoint:
            raise Refused(Code.INVALID_ARGUMENT, "This server makes pull subscriptions only.")
        deadline = request.ack_deadline_seconds
        return _resource(self._all.create(request.name, request.topic, deadline))

    def get(self, request: Any) -> Any:
        return _resource(self._all.get(request.subscription))

    def delete(self, request: Any) -> Any:
        self._all.delete(request.subscription)
        return Empty()

    def pull(self, request: Any) -> Any:
        found = self._all.get(request.subscription).pull(request.max_messages)
        answer = types.PullResponse.pb()()
        for ack_id, message in found:
            received = answer.received_messages.add(ack_id=ack_id)
            received.message.data = message.data
            received.message.attributes.update(message.attributes)
            received.message.message_id = message.message_id
            received.message.publish_time.FromDatetime(message.published)
            received.message.ordering_key = message.ordering_key
        return answer

    def acknowledge(self, request: Any) -> Any:
        subscription = self._all.get(request.subscription)
        for ack_id in request.ack_ids:
            subscription.acknowledge(ack_id)
        return Empty()

    def extend(self, request: Any) -> Any:
        seconds = request.ack_deadline_seconds
        if not 0 <= seconds <= LONGEST:
            raise Refused(Code.INVALID_ARGUMENT, f"A deadline is 0 to {LONGEST} seconds.")
        subscription = self._all.get(request.subscription)
        for ack_id in request.ack_ids:
            subscription.extend(ack_id, seconds)
        return Empty()


def _resource(found: PullSubscription) -> Any:
    return types.Subscription.pb()(
        name=found.path, topic=found.topic.path, ack_deadline_seconds=found.ack_deadline
    )
