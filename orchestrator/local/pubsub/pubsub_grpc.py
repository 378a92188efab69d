"""The gRPC face of the small Pub/Sub: what PUBSUB_EMULATOR_HOST leads Google's clients to.

Generic handlers over the library's own messages, so that nothing has to be generated. It must not
know a rule of Pub/Sub.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from orchestrator.local.process.loopback import HOST
from orchestrator.local.pubsub.publisher_methods import Method
from orchestrator.local.pubsub.pubsub import Refused

_THREADS = 16
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on this port is an error, not a partner
    ("grpc.max_receive_message_length", -1),  # what is too large is for the rules to refuse
)


class GrpcFace:
    """Serves methods on `port` of the loopback interface, from the constructor until `close`.

    `services`: by the name of a service its methods, by their names.
    """

    def __init__(self, services: Mapping[str, Mapping[str, Method]], port: int) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pubsub-grpc")
        self._server = grpc.server(self._pool, options=_OPTIONS)
        for service, methods in services.items():
            handlers = {name: _handler(method) for name, method in methods.items()}
            generic = grpc.method_handlers_generic_handler(service, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._server.add_insecure_port(f"{HOST}:{port}")
        self._server.start()

    def close(self) -> None:
        """Cut every connection: who is waiting for an answer is told that the server is gone."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True)


def _handler(method: Method) -> Any:  # grpc carries no types
    return grpc.unary_unary_rpc_method_handler(
        _behaviour(method.answer),
        request_deserializer=method.request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


def _behaviour(answer: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def behave(request: Any, context: Any) -> Any:
        try:
            return answer(request)
        except Refused as refusal:
            context.abort(grpc.StatusCode[refusal.code.name], refusal.message)

    return behave
