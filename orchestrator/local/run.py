"""`make run`: the main job on the laptop world, told as it happens.

Users come in, a customer logs in and orders; the primary region dies with its data, its alert is
published, traffic moves, the customer goes on; then the second primary dies too. The screen shows
who served the users when, what was decided and why, what was not copied, and the seconds from the
first failed request to sustained success. Ends with 1 when the users were not served again. This
module tells the story; the world and the orchestrator do the work.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.core.document import trigger
from orchestrator.core.model import DecisionOutcome
from orchestrator.core.outside.shown import shown
from orchestrator.core.rule import recorded_line
from orchestrator.core.rules import counted
from orchestrator.local.blueprint import SERVICE, LeverName, ModeName
from orchestrator.local.process.ask import ask
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.google_emulator import EmulatorMissing
from orchestrator.local.users.customer import Customer
from orchestrator.local.users.traffic_record import Outage, Sample, outages, segments, served
from orchestrator.local.world import LaptopWorld

CALM = 40
"""User requests in a row that must succeed before the story goes on."""

PACE = 60.0
"""Seconds of Cloud Monitoring that pass in one of the laptop."""

PATIENCE = 60.0
"""Seconds after which the users are given up."""


class Story:
    """One run: the world, the screen, and the time since the first user."""

    def __init__(self, world: LaptopWorld, console: Console) -> None:
        self._world = world
        self._console = console
        self._customer = Customer(world.load_balancer.url, "ada")
        self._begin = time.monotonic()
        self._told = 0

    def say(self, text: str, style: str = "") -> None:
        """One line with the seconds since the beginning."""
        at = f"{time.monotonic() - self._begin:6.1f} s"
        self._console.print(f"[dim]{at}[/]  {plain(text)}", style=style, highlight=False)

    def calm(self, region: str | None) -> None:
        """Wait until users are served again, by this region if one is named."""

        def settled(samples: Sequence[Sample]) -> bool:
            last = samples[-CALM:]
            wanted = {region} if region else {s.region for s in last}
            return len(last) == CALM and all(s.ok and s.region in wanted for s in last)

        self._world.traffic.wait_for(settled, PATIENCE, "users to be served again")

    def shop(self) -> None:
        """The customer logs in and makes an order."""
        self._customer.log_in()
        self._customer.order("tea")
        self._copied()
        wait_until(self._lag_is_known, PATIENCE, "every region to know its replication lag")
        self.say("a customer has logged in and ordered, and every region has a copy")

    def _lag_is_known(self) -> bool:
        """Whether every living region tells how far it is behind each of the others."""
        return all(
            isinstance(lags.get(other), int | float)
            for name in self._living
            for lags in [self._lags(name)]
            for other in self._living
            if other != name
        )

    def _lags(self, region: str) -> Mapping[str, object]:
        answer = ask(self._world.regions[region].health_url)
        try:
            told = answer.json().get("replication_lag_seconds") if answer.ok else None
        except ValueError:
            told = None
        return told if isinstance(told, dict) else {}

    def _copied(self) -> None:
        """Wait until all living regions have what was written so far."""
        assert self._world.replicator is not None  # `main` asks for it
        self._world.replicator.wait_drained(PATIENCE, self._living)

    @property
    def _living(self) -> tuple[str, ...]:
        regions = self._world.regions
        return tuple(name for name, region in regions.items() if region.application.running)

    def shop_again(self) -> None:
        """The customer comes back: still logged in, the orders are there, and one more is made."""
        customer = self._customer
        wait_until(customer.is_known, PATIENCE, "the customer to be known")
        lost, total = len(customer.missing()), len(customer.orders)
        customer.order("more tea")
        self.say(
            f"the customer is still logged in and finds {total - lost} of {total} orders",
            "bold red" if lost else "bold green",
        )
        self._copied()

    def fail(self, region: str) -> None:
        """Kill a region, wait until it is detected, and tell what was decided and why."""
        self.say(f"{region} dies: its processes are killed", "bold red")
        killed = time.monotonic()
        self._world.regions[region].kill()
        self._tell_loss(region)
        self._world.traffic.wait_for(
            lambda samples: not samples[-1].ok, PATIENCE, "users to notice"
        )
        assert self._world.monitoring is not None  # `main` asks for it
        incident = self._world.monitoring.wait_for_open(region, PATIENCE)
        detected = time.monotonic() - killed
        self.say(
            f"the alert policy opens incident {incident.incident_id} after {detected:.1f} s"
            f" ({detected * PACE:.0f} s without the speed-up) and publishes it"
        )
        self._explain(incident.incident_id)

    def _tell_loss(self, dead: str) -> None:
        """What a failover now does without: the recovery point."""
        assert self._world.replicator is not None  # `main` asks for it
        for other in self._living:
            behind = self._world.replicator.pending(dead, other)
            age = f", the oldest {behind.seconds:.1f} s old" if behind.count else ""
            self.say(f"{counted(behind.count, 'write')} of {dead} not copied to {other} yet{age}")

    def _explain(self, incident: str) -> None:
        def told() -> Any:  # the document is JSON
            history = (self._world.document() or {}).get("history", [])
            return next((e for e in history if incident in trigger.read(e["signal"]).ids), None)

        decision = wait_until(told, PATIENCE, "the decision to be recorded")
        self.say(
            f"decision: {decision['outcome']}, epoch {decision['epoch_before'] or 0} to"
            f" {decision['epoch']}, primary is {decision['primary']}",
            "bold green" if decision["outcome"] == DecisionOutcome.MOVED else "bold yellow",
        )
        for reason in decision["reasons"]:
            self._console.print(f"            {_reason(reason)}", highlight=False)


def plain(value: object) -> str:
    """Text from outside as the screen shows it: no markup, and nothing that a terminal obeys."""
    return escape(shown(str(value)))


def _reason(reason: dict[str, Any]) -> str:
    """A rule's line as every other output has it, with the colour of its verdict."""
    line = plain(recorded_line(reason))
    return f"[{'green' if reason['passed'] else 'yellow'}]{line}[/]"


def _users(samples: Sequence[Sample]) -> Table:
    table = Table(title="Who served the users", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("from", "to", "region", "served", "failed"):
        table.add_column(name, justify="left" if name == "region" else "right")
    first = samples[0].started
    for part in segments(samples):
        table.add_row(
            f"{part.first - first:.1f} s",
            f"{part.last - first:.1f} s",
            plain(part.region or "nobody"),
            str(part.count),
            f"[red]{part.errors}[/]" if part.errors else "0",
        )
    return table


def _shares(samples: Sequence[Sample]) -> Table:
    table = Table(title="Who served the users", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("region")
    table.add_column("served", justify="right")
    for region, count in sorted(served(samples).items()):
        table.add_row(plain(region), str(count))
    return table


def _times(found: Sequence[Outage], first: float) -> Table:
    title = "From the first failed request to sustained success"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("at", "seconds", "failed requests"):
        table.add_column(name, justify="right")
    for outage in found:
        seconds = f"{outage.seconds:.2f}" if outage.recovery else "[red]not recovered[/]"
        at = f"{outage.first_failure.started - first:.1f} s"
        table.add_row(at, seconds, f"{outage.failed} of {outage.requests}")
    return table


def tell(world: LaptopWorld, console: Console, mode: ModeName) -> bool:
    """Tell the whole story; True when the users were served again each time."""
    story = Story(world, console)
    names = tuple(world.regions)
    passive = mode == "active-passive"
    story.calm(names[0] if passive else None)
    story.say(f"users are served by {', '.join(world.routed_regions)}")
    story.shop()
    for number, region in enumerate(names[:-1], 1):
        story.fail(region)
        story.calm(names[number] if passive else None)
        story.say(f"users are served by {', '.join(world.routed_regions)}", "bold green")
        story.shop_again()
    samples = world.traffic.samples
    found = outages(samples)
    console.print()
    console.print(_users(samples) if passive else _shares(samples))
    console.print(_times(found, samples[0].started))
    service = world.backend_service()
    document = world.document()
    console.print(f"load balancer: {plain(service['description'])}", highlight=False)
    console.print(
        f"document:      epoch={plain(document['epoch'])} primary={plain(document['primary'])}"
        f" phase={plain(document['shift']['phase'])}",
        highlight=False,
    )
    console.print(
        f"\nUptime checks and alert policy run {PACE:.0f} times as fast here. On Google Cloud an"
        " uptime alert takes 4 to 9 minutes from the fault to Pub/Sub. That is most of an outage.",
        style="dim",
    )
    return all(outage.recovery for outage in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the story; give the exit status."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__.splitlines()[0])
    parser.add_argument("--lever", choices=("capacity", "membership"), default="capacity")
    parser.add_argument(
        "--mode", choices=("active-passive", "active-active"), default="active-passive"
    )
    parser.add_argument(
        "--pubsub-emulator",
        action="store_true",
        help="deliver by Google's own emulator, if the Google Cloud CLI has installed it",
    )
    options = parser.parse_args(arguments)
    console = Console()
    console.print(
        f"[bold]Region failover on the laptop world[/]: service {SERVICE}, {options.mode}, lever"
        f" {options.lever}\nthree regions, each a shop over a DynamoDB that is copied between them;"
        " Envoy, a Cloud Storage server, a Compute API, the function under functions-framework\n",
        highlight=False,
    )
    lever, mode = cast("LeverName", options.lever), cast("ModeName", options.mode)
    try:
        emulator: bool = options.pubsub_emulator
        with LaptopWorld(
            lever=lever, mode=mode, pace=PACE, pubsub_emulator=emulator, data=True
        ) as world:
            served_again = tell(world, console, mode)
    except EmulatorMissing as error:
        console.print(f"[bold red]{plain(error)}[/]", highlight=False)
        return 2
    except TimeoutError as error:
        console.print(f"[bold red]The users were not served again:[/] {plain(error)}")
        return 1
    return 0 if served_again else 1


if __name__ == "__main__":
    sys.exit(main())
