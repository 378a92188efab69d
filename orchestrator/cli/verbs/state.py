"""`state show` and `state restore`: the document as it is, and the last good one back."""

from __future__ import annotations

import click

from orchestrator.cli.arguments import apply_option, service_argument
from orchestrator.cli.session import Session, actor
from orchestrator.cli.verb import Verbs, verb
from orchestrator.core.document.codec import LONGEST
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Json
from orchestrator.core.outside.reading import read_json
from orchestrator.core.policy import Service
from orchestrator.flow.observe import document_name
from orchestrator.flow.rescue.restore import (
    KeptVersion,
    Restoration,
    carry_out,
    kept_versions,
    prepare,
)
from orchestrator.wiring import Deployment


class NoDocument(FailoverError):
    """There is no document, or no such version of it."""


@click.group(cls=Verbs)
def state() -> None:
    """Show the state document, or restore an older version."""


@verb
@service_argument
@click.option("--versions", is_flag=True, help="List the versions that are kept.")
@click.option("--generation", type=int, help="Show this version.")
def show(session: Session, service: str | None, *, versions: bool, generation: int | None) -> bool:
    """Show the document as it is, even if it cannot be read."""
    if versions and generation is not None:
        raise click.UsageError("--versions lists all, --generation shows one: use one of them")
    world = session.world()
    one = session.service(service, world.config)
    if versions:
        _show_versions(session, one, tuple(kept_versions(one.name, world.archive)))
        return True
    data = _bytes(one, world, generation)
    if data is None:
        raise _none(one, generation)
    try:
        session.answer(read_json(data, LONGEST))
    except ValueError as error:
        _show_rubbish(session, data, error)
        return False
    return True


def _none(service: Service, generation: int | None) -> NoDocument:
    if generation is None:
        return NoDocument(
            f"there is no {document_name(service.name)}. The first signal makes one, or"
            f" `failoverctl check {service.name} --apply`"
        )
    return NoDocument(
        f"{document_name(service.name)} has no generation {generation}. `failoverctl state show"
        f" {service.name} --versions` lists what is kept"
    )


def _show_rubbish(session: Session, data: bytes, error: ValueError) -> None:
    text = data.decode("utf-8", "replace")
    if session.as_json:
        session.answer({"error": {"kind": "Corrupt", "message": str(error), "bytes": text}})
        return
    session.note(f"corrupt, shown as it is: {error}", "red")
    for line in text.split("\n"):
        session.say(line)


def _bytes(service: Service, world: Deployment, generation: int | None) -> bytes | None:
    name = document_name(service.name)
    if generation is not None:
        return world.archive.version(name, generation)
    got = world.context.objects.get(name)
    return got[0] if got else None


def _show_versions(session: Session, service: Service, kept: tuple[KeptVersion, ...]) -> None:
    if session.as_json:
        session.answer({"service": service.name, "versions": [_version(one) for one in kept]})
        return
    if not kept:
        session.say(f"{document_name(service.name)}: no version is kept. No signal has come yet.")
    rows = [
        (
            one.version.generation,
            one.version.at.strftime("%Y-%m-%d %H:%M:%S"),
            one.version.size,
            one.state.epoch if one.state else "-",
            one.state.primary if one.state else "-",
            one.fault or "ok",
        )
        for one in kept
    ]
    columns = ("generation", "written (UTC)", "bytes", "epoch", "primary", "readable")
    if rows:
        session.table(document_name(service.name), columns, rows)


def _version(one: KeptVersion) -> Json:
    return {
        "generation": one.version.generation,
        "at": one.version.at.isoformat(),
        "bytes": one.version.size,
        "epoch": one.state.epoch if one.state else None,
        "primary": one.state.primary if one.state else None,
        "fault": one.fault,
    }


@verb
@service_argument
@click.option(
    "--generation", type=int, help="Restore this version. Default: the newest that can be read."
)
@apply_option
def restore(session: Session, service: str | None, *, generation: int | None, apply: bool) -> bool:
    """Restore the last good version of the document, with a new epoch.

    The traffic stays as the load balancer has it. Health and incidents are those of that version.
    """
    world = session.world()
    one = session.service(service, world.config)
    found = prepare(one, generation, world.context, world.archive)
    if not apply:
        _tell(session, one, found, "would be committed. Nothing was changed. Add --apply")
        return True
    report = carry_out(one, found, actor(), world.context)
    _tell(session, one, found, f"was committed. The tick after it: {report.decision.outcome}")
    return True


def _tell(session: Session, service: Service, found: Restoration, what: str) -> None:
    state = found.decision.state
    view = {
        "service": service.name,
        "live": found.live or "readable",
        "from_generation": found.source.version.generation,
        "replaces_generation": found.generation,
        "epoch": state.epoch,
        "primary": state.primary,
        "routing": dict(state.routing),
        "said": what,
    }
    if session.as_json:
        session.answer(view)
        return
    if found.live:
        session.say(f"{document_name(service.name)} cannot be used as it is: {found.live}")
    session.say(
        f"Generation {found.source.version.generation} ({found.source.version.at:%Y-%m-%d %H:%M:%S}"
        f" UTC, epoch {found.source.state.epoch if found.source.state else '-'}) {what}"
    )
    session.say(
        f"epoch {state.epoch}, primary {state.primary}: the traffic as the load balancer has it now"
        f" ({', '.join(state.routing)}), health and incidents as that version has them"
    )


for one in (show, restore):
    state.add_command(one)
