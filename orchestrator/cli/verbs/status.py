"""`status`: where the traffic goes, and how every region stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

import click

from orchestrator.cli.arguments import service_argument
from orchestrator.cli.failures import error_of, show_error
from orchestrator.cli.session import Session, side_by_side
from orchestrator.cli.verb import verb
from orchestrator.cli.words import conditions
from orchestrator.cli.words.times import short
from orchestrator.cli.words.views import status_view
from orchestrator.core.claims import short_name
from orchestrator.core.document.ground import orphaned
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json, Observed, Stored
from orchestrator.core.policy import Service, Standby
from orchestrator.core.traffic.shares import names
from orchestrator.flow.observe import observe
from orchestrator.wiring import Deployment


@verb
@service_argument
@click.option("--watch", is_flag=True, help="Repeat until Ctrl-C. In JSON: one line each time.")
@click.option(
    "--every",
    type=click.FloatRange(0.2),
    default=2.0,
    metavar="SECONDS",
    help="With --watch: how long to wait before the next time.",
)
def status(session: Session, service: str | None, *, watch: bool, every: float) -> bool:
    """Show where the traffic goes and the state of each region."""
    world = session.world()
    services = session.services(service, world.config)
    try:
        while True:
            fine = _look(session, services, world, watch=watch)
            if not watch:
                return fine
            world.context.rest(every)
    except KeyboardInterrupt:
        if watch:
            return True
        raise


def _look(session: Session, services: Iterable[Service], world: Deployment, *, watch: bool) -> bool:
    """Show every service once. True when all of it could be read."""
    asked = {service.name: partial(_status, service, world) for service in services}
    found = side_by_side(asked)
    views = [_status_view(seen, session) for seen in found.values()]
    now = world.context.now()
    if watch and session.console.is_terminal:
        session.console.clear()
    if session.as_json:
        session.answer({"services": views}, one_line=watch)
    else:
        for view in views:
            _show_status(session, view, now)
    if watch and not session.as_json:
        _end_frame(session, now)
    return all("error" not in view for view in views)


def _status(service: Service, world: Deployment) -> tuple[Json, FailoverError | None]:
    try:
        observed = observe(service, world.context)
    except FailoverError as error:
        return _without_document(service, world), error
    orphan = None
    if observed.stored.state is None and observed.routing is not None:
        orphan = orphaned(service, observed.routing)
    return status_view(service, observed, world.context.now()), observed.lost or orphan


def _without_document(service: Service, world: Deployment) -> Json:
    """What can be seen without the document: the load balancer and the regions themselves."""
    context = world.context
    read = context.executor.submit(context.traffic.read, service.backend_service)
    probes = context.prober.probe(service.regions)
    try:
        routing = read.result()
    except FailoverError:
        routing = None
    observed = Observed(Stored(None, 0), routing, probes)
    view = status_view(service, observed, context.now())
    return {**view, "document": None}


def _status_view(seen: tuple[Json, FailoverError | None] | FailoverError, session: Session) -> Json:
    """What was seen of a service. What could not be read is its `error`, with what to do."""
    if isinstance(seen, FailoverError):
        raise seen
    view, lost = seen
    return {**view, "error": error_of(lost, session)} if lost else view


def _show_status(session: Session, view: Json, now: datetime) -> None:
    balancer = view["load_balancer"]
    session.say(f"{view['service']} ({view['mode']})", "bold")
    session.say(*_document_line(view))
    session.say(f"  load balancer: {_balancer_words(view)}")
    for line in _differing(view):
        session.say(f"  {line}", "bold yellow")
    for line in _unclaimed(balancer):
        session.say(f"  {line}", "bold red")
    if view.get("error"):
        show_error(session, view["error"])
    for line in conditions.under_way(view, now):
        session.say(f"  {line}", "yellow")
    for line in conditions.paged_lines(view, now):
        session.say(f"  {line}", "bold")
    _show_regions(session, view)


def _balancer_words(view: Json) -> str:
    """Which regions the load balancer gives traffic, and the mark that it carries."""
    balancer = view["load_balancer"]
    if not isinstance(balancer, dict):
        return "cannot be read, so where the traffic goes is unknown"
    what = "capacity" if view["standby"] == Standby.ATTACHED else "traffic"
    mark = f"epoch {balancer['epoch']}" if balancer["epoch"] else "no mark"
    return f"{balancer['name']} gives {names(balancer['carrying'])} {what} and carries {mark}"


def _document_line(view: Json) -> tuple[str, str]:
    """What there is to say of the document, and its style."""
    if view["document"] is None:
        return "  document:      cannot be read", "bold red"
    if view["document"]:
        routing = view["routing"]
        carrying = ", ".join(routing) if isinstance(routing, dict) else ""
        return (
            f"  document:      epoch {view['epoch']}, primary {view['primary']}, wants traffic in"
            f" {carrying}, {view['phase'] or 'nothing moved yet'}, written"
            f" {short(view['updated_at'])}"
        ), ""
    if _is_missing(view):
        return "  document:      missing, and the load balancer carries its mark", "bold red"
    line = "none yet. The first signal makes it, or `failoverctl check --apply`"
    return f"  document:      {line}", ""


def _is_missing(view: Json) -> bool:
    """Whether the load balancer carries the mark of a document that is not there."""
    balancer = view["load_balancer"]
    return isinstance(balancer, dict) and bool(balancer["epoch"])


def _differing(view: Json) -> Iterator[str]:
    """A line where the load balancer gives other regions traffic than the document wants."""
    found = view["differs"]
    if isinstance(found, dict):
        read, wanted = names(found["read"]), names(found["wanted"])
        what = "capacity" if view["standby"] == Standby.ATTACHED else "traffic"
        yield (
            f"load balancer and document differ: {read} has {what}, and the document wants"
            f" {wanted}. `failoverctl plan {view['service']}` says what a tick does about it"
        )


def _unclaimed(balancer: object) -> Iterator[str]:
    """A line for each backend that gets traffic and that no region claims."""
    found = balancer["unclaimed"] if isinstance(balancer, dict) else ()
    for one in found:
        of = "of a region that is no longer configured" if one["retired"] else "NO REGION CLAIMS IT"
        share = f"{one['share']:.0%}, " if isinstance(one["share"], float) else ""
        yield (f"also carries:  {short_name(one['group'])} ({share}scaler {one['scaler']:g}): {of}")


def _end_frame(session: Session, now: datetime) -> None:
    """When this look was. In a pipe with a gap, so that one look differs visibly from the next."""
    session.say(f"as of {now:%Y-%m-%d %H:%M:%S} UTC", "dim")
    if not session.console.is_terminal:
        session.say()


def _status_word(region: Json) -> str:
    """The region's status. One that is up only because a human chose it is not proven well."""
    word = str(region["status"] or "-")
    return f"{word} (chosen)" if region["chosen"] else word


def _show_regions(session: Session, view: Json) -> None:
    regions = view["regions"]
    found = [dict(region) for region in regions] if isinstance(regions, list) else []
    columns: tuple[str, ...] = (
        "region",
        "status",
        "traffic",
        "probe now",
        "open incidents",
        "since",
    )
    rows = [_row(region) for region in found]
    if view["standby"] == Standby.ATTACHED:
        columns = (*columns[:4], "role now", "capacity", *columns[4:])
        rows = [
            (*row[:4], *_second(region), *row[4:]) for row, region in zip(rows, found, strict=True)
        ]
    session.table("", columns, rows)


def _row(region: Json) -> tuple[str, ...]:
    probe, share, incidents = region["probe"] or {}, region["share"], region["open_incidents"]
    assert isinstance(probe, dict)  # as `status_view` makes it
    assert isinstance(incidents, list)
    return (
        str(region["region"]),
        _status_word(region),
        _share(share, region["wanted_share"]),
        f"{probe.get('verdict', '-')} ({probe.get('detail', '')})",
        ", ".join(incidents) or "-",
        short(region["since"]),
    )


def _share(read: object, wanted: object) -> str:
    """The share as read. Where it was not read, what the document wants."""
    if isinstance(read, float):
        return f"{read:.0%}"
    return f"unknown (wants {wanted:.0%})" if isinstance(wanted, float) else "-"


def _second(region: Json) -> tuple[str, str]:
    """What the second path of a failover rests on: the region's own word, and its capacity."""
    role = region["role"] or {}
    assert isinstance(role, dict)  # as `status_view` makes it
    told = f"{role.get('part', '-')} ({role.get('detail', '')}, epoch {role.get('epoch', '-')})"
    kept = "attached" if region["attached"] else "not yet seen" if region["attach"] else "drained"
    return told, f"{kept}, to be drained ({region['leave']})" if region["leave"] else kept
