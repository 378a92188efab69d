"""A person at a shell whose world is a `Lab`: commands by a control topic, on a clock we turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from orchestrator.cli.commanding.give import command
from orchestrator.cli.commanding.order import Manner, Order
from orchestrator.cli.session import Session
from orchestrator.config import load
from orchestrator.core.exceptions import Unavailable
from orchestrator.core.model import Wish
from orchestrator.intake.parse import Message, parse_control
from orchestrator.wiring import Deployment, by_servers
from tests.support.fakes import FakeTopic, Lab, configuration, lab


class Seen:
    """The state folder as the person sees it: it may be out of their sight.

    It tells its time, which is the lab's, with its answers.
    """

    def __init__(self, world: Lab) -> None:
        self.world = world
        self.error: Unavailable | None = None
        self.answered = False

    def server_time(self) -> datetime | None:
        """The lab's, after the first answer."""
        return self.world.clock.at if self.answered else None

    def get(self, name: str) -> tuple[bytes, int] | None:
        """What is there, or what the test set."""
        if self.error:
            raise self.error
        self.answered = True
        return self.world.objects.get(name)

    def names(self, prefix: str) -> tuple[str, ...]:
        """What is there, or what the test set."""
        if self.error:
            raise self.error
        return self.world.objects.names(prefix)

    def put(self, name: str, data: bytes, generation: int) -> int:
        """As the folder does it, or what the test set."""
        if self.error:
            raise self.error
        return self.world.objects.put(name, data, generation)


class Wire(FakeTopic):
    """A control topic with a function at its other end, unless nobody listens there."""

    def __init__(self, world: Lab) -> None:
        super().__init__()
        self.world, self.listens = world, True
        self.afterwards: list[Callable[[], object]] = []
        self.kept: list[Message] = []

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
        """The function takes it at once."""
        identity = super().publish(data, attributes)
        message = Message(data, identity, self.world.clock.at)
        if self.listens:
            self.deliver(message)
        self.kept.append(message)
        if self.afterwards:
            self.afterwards.pop(0)()
        return identity

    def deliver(self, message: Message) -> None:
        """The function takes this message."""
        services = {self.world.service.name: self.world.service}
        for to in parse_control(message, services):
            self.world.handle(to.signal)

    def exists(self) -> bool:
        """Unless it does not answer: then nobody knows."""
        if self.error:
            raise self.error
        return True


class Seat(Session):
    """A session over a lab. meanwhile: what happens at each rest of whoever waits, in turn.

    off: how far this person's own clock is ahead of the lab's.
    """

    def __init__(
        self, as_json: bool = False, off: timedelta = timedelta(0), **overrides: Any
    ) -> None:
        super().__init__(None, as_json=as_json)
        self.lab = lab(**overrides)
        self.seen, self.wire = Seen(self.lab), Wire(self.lab)
        self.meanwhile: list[Callable[[], object]] = []
        self.rests: list[float] = []
        self.off = off
        context = self.lab.context(
            now=partial(by_servers, (self.seen, self.lab.traffic), self.machine),
            objects=self.seen,
            rest=self._rest,
            new_id=lambda: f"told-{len(self.rests)}",
        )
        config = load(json.dumps(configuration(**overrides)), "test")
        self._world = Deployment(config, context, self.lab.objects, self.wire, self.machine)

    def machine(self) -> datetime:
        """This person's own clock."""
        return self.lab.clock.at + self.off

    def world(self) -> Deployment:
        """The lab's."""
        return self._world

    def deliver(self) -> None:
        """The function takes the last message that was published, now."""
        self.wire.deliver(self.wire.kept[-1])

    def lose_sight(self) -> None:
        """The state cannot be read from here any more."""
        self.seen.error = Unavailable("gs://laptop/checkout.json: ConnectionError: nobody answers")

    def see_again(self) -> None:
        """It can be."""
        self.seen.error = None

    def dies(self, *regions: str) -> None:
        """These regions fail, and an alert tells of the first."""
        self.lab.down(*regions)
        self.lab.handle(self.lab.opened(regions[0], "0.dead"))

    def _rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.lab.clock.rest(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def command(self, wish: str, manner: Manner | None = None, **order: Any) -> bool:
        """One command, applied and waited for unless told otherwise."""
        told = Order(Wish(wish), **{"reason": "a drill", **order})
        return command(self, "checkout", told, manner or Manner(True, False, True))
