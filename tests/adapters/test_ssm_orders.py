"""The SSM mirror in every order of several writers' requests: the highest revision stays."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orchestrator.adapters.aws.mirror import SsmMirror
from orchestrator.core.exceptions import Unavailable

pytestmark = pytest.mark.long  # many orders against a real server

NAME = "/failover/checkout"


class Turns:
    """Lets one request of one writer through at a time, chosen by dice when all of them wait."""

    def __init__(self, writers: int, seed: int) -> None:
        self._changed = threading.Condition()
        self._dice = random.Random(seed)
        self._running = writers
        self._waiting: list[int] = []
        self._chosen: int | None = None

    def take(self, writer: int) -> None:
        """Wait for this writer's next turn."""
        with self._changed:
            self._waiting.append(writer)
            self._choose()
            self._changed.wait_for(lambda: self._chosen == writer)
            self._waiting.remove(writer)
            self._chosen = None

    def leave(self) -> None:
        """This writer has ended."""
        with self._changed:
            self._running -= 1
            self._choose()

    def _choose(self) -> None:
        if self._chosen is None and self._waiting and len(self._waiting) == self._running:
            self._chosen = self._dice.choice(self._waiting)
            self._changed.notify_all()


class Store:
    """One parameter with its versions, as the Parameter Store keeps them."""

    def __init__(self) -> None:
        self.versions: list[str] = []

    @property
    def revision(self) -> int:
        """Of what stands there."""
        return int(json.loads(self.versions[-1])["revision"])


class Client:
    """One writer's client of it, as far as the mirror uses boto3's; its requests take turns.

    loses: its first put is carried out, and then the writer dies without the answer.
    """

    def __init__(self, store: Store, turn: Callable[[], None], *, loses: bool = False) -> None:
        self._store = store
        self._turn = turn
        self._loses = loses

    def get_parameter(self, Name: str) -> dict[str, Any]:  # noqa: N803  # the library's names
        self._turn()
        if not self._store.versions:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        version = len(self._store.versions)
        return {"Parameter": {"Name": Name, "Version": version, "Value": self._store.versions[-1]}}

    def put_parameter(self, *, Value: str, Overwrite: bool, **_: str) -> dict[str, int]:  # noqa: N803  # as above
        self._turn()
        if self._store.versions and not Overwrite:
            raise ClientError({"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter")
        self._store.versions.append(Value)
        if self._loses:
            raise ConnectionResetError("the answer is lost")
        return {"Version": len(self._store.versions)}

    def get_paginator(self, _: str) -> Client:
        return self

    def paginate(self, **_: object) -> Iterator[dict[str, Any]]:
        self._turn()
        kept = [{"Version": n, "Value": v} for n, v in enumerate(self._store.versions, 1)]
        yield {"Parameters": kept}


class Session:
    """Gives that client, whatever is asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def client(self, *_: object, **__: object) -> Client:
        return self._client


def mirror(client: Client) -> SsmMirror:
    """The adapter over a client that is no boto3."""
    return SsmMirror(NAME, "us-east-1", lambda: Session(client))  # type: ignore[arg-type,return-value]  # see above


def document(revision: int) -> bytes:
    return json.dumps({"revision": revision}).encode()


def played(revisions: list[int], seed: int, losing: set[int]) -> Store:
    """One order of the requests of these writers. losing: those that die after their first put."""
    store, turns = Store(), Turns(len(revisions), seed)
    if seed % 2:
        store.versions.append(document(0).decode())

    def write(writer: int) -> None:
        client = Client(store, lambda: turns.take(writer), loses=writer in losing)
        try:
            mirror(client).publish("checkout", revisions[writer], document(revisions[writer]))
        except Unavailable:
            assert writer in losing
        finally:
            turns.leave()

    with ThreadPoolExecutor(len(revisions)) as pool:
        for done in [pool.submit(write, writer) for writer in range(len(revisions))]:
            done.result()
    return store


@pytest.mark.parametrize("writers", [2, 3, 4])
def test_in_every_order_of_their_requests_the_highest_revision_stays(writers: int) -> None:
    seen = set()
    for seed in range(400):
        revisions = random.Random(seed).sample(range(1, 20), writers)
        store = played(revisions, seed, set())
        assert store.revision == max(revisions), (seed, store.versions)
        seen.add(len(store.versions))
    assert max(seen) > writers + 1  # somebody had to settle


def test_after_writers_that_died_the_next_publication_brings_the_highest_back() -> None:
    lower = 0
    for seed in range(400):
        revisions = random.Random(seed).sample(range(1, 20), 3)
        store = played(revisions, seed, {0, 1})
        lower += store.revision < max(revisions)
        tick = mirror(Client(store, lambda: None))
        tick.publish("checkout", max(revisions), document(max(revisions)))
        assert store.revision == max(revisions), (seed, store.versions)
    assert lower  # the tick had something to repair
