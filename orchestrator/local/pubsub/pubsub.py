"""The topics of a small Pub/Sub by their full names, and the rules for refusing a publisher.

Limits and names are those of Google Cloud's documentation. It must not speak a protocol: gRPC and
REST are faces of it, and both answer with the refusals that are raised here.
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from orchestrator.local.pubsub.push_topic import PushTopic
from orchestrator.local.rpc.permissions import IamRole, denied

LARGEST = 10_000_000
"""Bytes of a message's data, and of a whole request."""

MOST_MESSAGES = 1000
_MOST_ATTRIBUTES = 100
_LONGEST_KEY, _LONGEST_VALUE = 256, 1024  # bytes
_NAME = re.compile(r"projects/([^/]+)/topics/((?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254})")


class Code(StrEnum):
    """Why a call is refused, in the words of gRPC."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"


class Refused(Exception):
    """A call is refused: the caller gets the code and the sentence."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as its publisher hands it over, without an id and a time."""

    data: bytes = b""
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""


class Pubsub:
    """A set of topics. A context manager; leaving it gives up all deliveries.

    role: what its publishers may do; None lets them do everything.
    """

    def __init__(self, topics: Iterable[PushTopic] = (), role: IamRole | None = None) -> None:
        self.role = role
        self._lock = threading.Lock()
        self._topics = {topic.path: topic for topic in topics}
        self._life = ExitStack()  # every topic that ever was, the last one closed first
        for topic in self._topics.values():
            self._life.callback(topic.close)

    def create(self, path: str) -> PushTopic:
        """A new topic, with no subscription."""
        project, name = _parsed(path)
        with self._lock:
            if path in self._topics:
                raise Refused(Code.ALREADY_EXISTS, f"Resource already exists (resource={name}).")
            topic = self._topics[path] = PushTopic(name, project=project)
            self._life.callback(topic.close)
            return topic

    def get(self, path: str) -> PushTopic:
        """The topic of this full name."""
        _, name = _parsed(path)
        with self._lock:
            if path not in self._topics:
                raise Refused(Code.NOT_FOUND, f"Resource not found (resource={name}).")
            return self._topics[path]

    def delete(self, path: str) -> None:
        """Forget a topic; what was published to it before is still delivered."""
        self.get(path)
        with self._lock:
            self._topics.pop(path, None)

    def paths(self, project: str) -> tuple[str, ...]:
        """The full names of the topics of `projects/...`, sorted."""
        with self._lock:
            return tuple(sorted(path for path in self._topics if path.startswith(f"{project}/")))

    def publish(self, path: str, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Publish all of them or, when one of them is bad, none; give their ids."""
        if self.role and (missing := self.role.missing("pubsub.topics.publish")):
            raise Refused(Code.PERMISSION_DENIED, denied(missing, path))
        topic = self.get(path)
        _check(drafts)
        messages = [topic.message(d.data, None, d.attributes, d.ordering_key) for d in drafts]
        for message in messages:
            topic.accept(message)
        return tuple(message.message_id for message in messages)

    def close(self) -> None:
        """Give up all deliveries. Idempotent."""
        self._life.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _parsed(path: str) -> tuple[str, str]:
    found = _NAME.fullmatch(path)
    if found is None:
        raise Refused(Code.INVALID_ARGUMENT, f"Invalid [topics] name: (name={path})")
    return found[1], found[2]


def _check(drafts: Sequence[Draft]) -> None:
    if not 0 < len(drafts) <= MOST_MESSAGES:
        raise _bad(f"{len(drafts)} messages: a request has 1 to {MOST_MESSAGES}.")
    for draft in drafts:
        _check_size(draft)
        _check_attributes(draft.attributes)
    if sum(len(draft.data) for draft in drafts) > LARGEST:
        raise _bad(f"The request is larger than {LARGEST} bytes.")


def _check_size(draft: Draft) -> None:
    if not draft.data and not draft.attributes:
        raise _bad("A message is empty: it needs data or at least one attribute.")
    if len(draft.data) > LARGEST:
        raise _bad(f"The data of a message is {len(draft.data)} bytes; the most is {LARGEST}.")


def _check_attributes(attributes: Mapping[str, str]) -> None:
    if len(attributes) > _MOST_ATTRIBUTES:
        raise _bad(f"A message has {len(attributes)} attributes; at most {_MOST_ATTRIBUTES}.")
    for key, value in attributes.items():
        if not 0 < len(key.encode()) <= _LONGEST_KEY:
            raise _bad(f"The key of an attribute is 1 to {_LONGEST_KEY} bytes long.")
        if len(value.encode()) > _LONGEST_VALUE:
            raise _bad(f"The value of an attribute is at most {_LONGEST_VALUE} bytes long.")


def _bad(message: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, message)
