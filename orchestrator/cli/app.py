"""The verbs of `failoverctl`, their arguments and help; what they do is in the modules beside."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from orchestrator.cli import arguments
from orchestrator.cli.session import Session, listed
from orchestrator.cli.verbs import Verb, Verbs, verb
from orchestrator.core.model import Verdict, Wish
from orchestrator.core.rule import OVERRIDABLE

PROGRAM = "failoverctl"


_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(PROGRAM, cls=Verbs, context_settings=_SETTINGS)
def cli() -> None:
    """Look into the region failover orchestrator, and tell it what to do.

    A verb that changes something prints what it would do, and does it only with --apply. Exit
    status: 0 done, 1 refused or failed, 2 the command itself is wrong.
    """


service_argument = click.argument("service", required=False, shell_complete=arguments.service_names)
file_type = click.Path(exists=True, dir_okay=False, path_type=Path)
apply_option = click.option("--apply", is_flag=True, help="Do it; without, only say what would be.")


@verb(cli)
@service_argument
@click.option("--apply", is_flag=True, help="Make the state document if there is none.")
@click.option(
    "--adopt",
    is_flag=True,
    help="With --apply: make it also where the load balancer carries an epoch whose document is"
    " gone, with the traffic as it is.",
)
def check(session: Session, service: str | None, *, apply: bool, adopt: bool) -> bool:
    """Hold the configuration against the world: would a failover work?"""
    from orchestrator.cli import check as verb_check  # a verb pays for itself alone

    if adopt and not apply:
        raise click.UsageError("--adopt makes a document: add --apply")
    return verb_check.check(session, service, apply=apply, adopt=adopt)


@verb(cli)
@service_argument
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C (JSON: a line each).")
@click.option(
    "--every", type=click.FloatRange(0.2), default=2.0, metavar="SECONDS", help="Between two looks."
)
def status(session: Session, service: str | None, *, watch: bool, every: float) -> bool:
    """Show where the traffic goes, and how every region stands."""
    from orchestrator.cli import status as verb_status

    return verb_status.status(session, service, watch=watch, every=every)


@verb(cli)
@service_argument
@click.argument("identity", metavar="[ID]", required=False, shell_complete=arguments.ids)
def explain(session: Session, service: str | None, identity: str | None) -> bool:
    """Say why it moved, or why it did not: the last decision, or that of an ID.

    ID is a decision's (see `history`), an incident's or a command's; it may stand alone.
    """
    from orchestrator.cli import explain as verb_explain

    return verb_explain.explain(session, service, identity)


@verb(cli)
@service_argument
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, metavar="N", help="The newest N."
)
@click.option(
    "--journal", is_flag=True, help="From the journal, which keeps all, not only the last 20."
)
def history(session: Session, service: str | None, *, limit: int, journal: bool) -> bool:
    """List the decisions of a service."""
    from orchestrator.cli import history as verb_history

    return verb_history.history(session, service, limit=limit, journal=journal)


@verb(cli)
@service_argument
def plan(session: Session, service: str | None) -> bool:
    """Show what a tick would do now, with every rule's value."""
    from orchestrator.cli import plans as verb_plans

    return verb_plans.plan(session, service)


@verb(cli)
@service_argument
@apply_option
@click.option("--direct", is_flag=True, help="From here, with your own rights, not by Pub/Sub.")
def tick(session: Session, service: str | None, *, apply: bool, direct: bool) -> bool:
    """Have the orchestrator look at the world now: finish, repair, prove, find."""
    from orchestrator.cli import tick as verb_tick

    return verb_tick.tick(session, service, apply=apply, direct=direct)


# --- the operator's hand --------------------------------------------------------------------------


def commanding(function: Verb) -> Verb:
    """The options of every command."""
    for option in (
        click.option("--no-wait", is_flag=True, help="Do not wait for what comes of it."),
        click.option("--direct", is_flag=True, help="From here, with your own rights."),
        apply_option,
        click.option(
            "--reason",
            default="",
            show_default=False,
            metavar="TEXT",
            help="Why; it stands in the history.",
        ),
    ):
        function = option(function)
    return function


override_option = click.option(
    "--override",
    type=click.Choice([rule.value for rule in OVERRIDABLE]),
    multiple=True,
    callback=arguments.one_rule,
    help="Move although this one rule refuses; it is recorded with your name.",
)
now_option = click.option("--now", is_flag=True, help="Do not wait for clients and replicas.")


@verb(cli)
@service_argument
@click.option(
    "--to", "region", required=True, metavar="REGION", shell_complete=arguments.region_names
)
@now_option
@override_option
@commanding
def failover(session: Session, service: str | None, **wishes: Any) -> bool:  # click's values
    """Move the traffic to a region: gracefully while the old primary lives, else at once."""
    return _command(session, service, Wish.FAILOVER, wishes)


@verb(cli)
@service_argument
@now_option
@override_option
@commanding
def failback(session: Session, service: str | None, **wishes: Any) -> bool:  # as above
    """Bring the traffic back to the preferred region, or a region back among the others."""
    return _command(session, service, Wish.FAILBACK, wishes)


@verb(cli)
@click.argument("region", shell_complete=arguments.region_names)
@click.option(
    "--service",
    metavar="SERVICE",
    help="Only this service.",
    shell_complete=arguments.service_names,
)
@now_option
@override_option
@commanding
def evacuate(session: Session, service: str | None, **wishes: Any) -> bool:  # as above
    """Take all traffic of every service away from a region."""
    return _command(session, service, Wish.EVACUATE, wishes)


@verb(cli)
@service_argument
@click.option("--all", "everything", is_flag=True, help="Every service.")
@click.option(
    "--for",
    "until",
    required=True,
    callback=arguments.length,
    metavar="DURATION",
    help="1s to 7d, as 2h.",
)
@commanding
def freeze(session: Session, service: str | None, *, everything: bool, **wishes: Any) -> bool:
    """Stop automation for a while. It always ends by itself; a human can still move."""
    return _command(session, _one_or(session, service, everything), Wish.FREEZE, wishes)


@verb(cli)
@service_argument
@click.option("--all", "everything", is_flag=True, help="Every service.")
@commanding
def unfreeze(session: Session, service: str | None, *, everything: bool, **wishes: Any) -> bool:
    """End a freeze."""
    return _command(session, _one_or(session, service, everything), Wish.UNFREEZE, wishes)


@verb(cli)
@service_argument
@commanding
def ack(session: Session, service: str | None, **wishes: Any) -> bool:  # as above
    """Acknowledge the automatic moves so far, so that automation may move again."""
    return _command(session, service, Wish.ACK, wishes)


def _one_or(session: Session, service: str | None, everything: bool) -> str | None:
    """The service named, the only one there is, or None for every one."""
    if service and everything:
        raise click.UsageError(f"{service} or --all: a name and --all together are two wishes")
    if service or everything:
        return service
    known = session.world().config.services
    if len(known) > 1:
        raise click.UsageError(f"which service? {listed(known)} Or say --all.")
    return next(iter(known))


def _command(session: Session, service: str | None, wish: Wish, wishes: dict[str, Any]) -> bool:
    from orchestrator.cli import command as verb_command

    manner = verb_command.Manner(
        wishes.pop("apply"), wishes.pop("direct"), not wishes.pop("no_wait")
    )
    order = verb_command.Order(wish, **wishes)
    return verb_command.command(session, service, order, manner)


# --- state, files, the laptop ---------------------------------------------------------------------


@cli.group(cls=Verbs)
def state() -> None:
    """The state document: show it, bring a good version back."""


@verb(state, "show")
@service_argument
@click.option("--versions", is_flag=True, help="List the versions that are kept.")
@click.option("--generation", type=int, help="Show this version.")
def state_show(
    session: Session, service: str | None, *, versions: bool, generation: int | None
) -> bool:
    """Show the document as it is, readable or not."""
    if versions and generation is not None:
        raise click.UsageError("--versions lists all, --generation shows one: say one of them")
    from orchestrator.cli import state as verb_state

    return verb_state.show(session, service, versions=versions, generation=generation)


@verb(state, "restore")
@service_argument
@click.option("--generation", type=int, help="This version, not the newest that can be read.")
@apply_option
def state_restore(
    session: Session, service: str | None, *, generation: int | None, apply: bool
) -> bool:
    """Bring the last good version back, above every epoch known.

    The traffic stays as the load balancer has it; health and incidents are that version's.
    """
    from orchestrator.cli import state as verb_state

    return verb_state.restore(session, service, generation=generation, apply=apply)


@verb(cli)
@click.argument("file", type=file_type)
def parse(session: Session, file: Path) -> bool:
    """Say what an alert FILE means: which service, which region, open or closed."""
    from orchestrator.cli import alert_file as verb_alert_file

    return verb_alert_file.parse(session, file)


@verb(cli)
@click.argument("files", type=file_type, nargs=-1, required=True)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="REGION=healthy|failing|silent",
    callback=arguments.probes,
    help="What our own probe says of a region; else it agrees with the alerts.",
)
@click.option(
    "--at", metavar="TIME", callback=arguments.time, help="Take every message at this time."
)
def replay(
    session: Session, files: tuple[Path, ...], probes: dict[str, Verdict], at: datetime | None
) -> bool:
    """Play alert FILES through the real decisions, over a world in memory."""
    from orchestrator.cli import replay as verb_replay

    return verb_replay.replay(session, files, probes, at)


@verb(cli)
@click.argument("files", type=file_type, nargs=-1, required=True)
def drill(session: Session, files: tuple[Path, ...]) -> bool:
    """Run scenario FILES through the real flow, in milliseconds: was the promise kept?

    A file is complete in itself; no configuration is read. See examples/drills/README.md.
    """
    from orchestrator.cli import drill as verb_drill

    return verb_drill.drill(session, files)


@verb(cli)
@click.option(
    "--lever",
    type=click.Choice(["capacity", "membership"]),
    default="capacity",
    help="Groups are scaled, or attached and detached.",
)
@click.option(
    "--mode",
    type=click.Choice(["active-passive", "active-active"]),
    default="active-passive",
    help="One region serves, or every one.",
)
@click.option(
    "--pace",
    type=click.FloatRange(1, 600),
    default=60.0,
    metavar="FACTOR",
    help="Monitoring's speed-up.",
)
@click.option("--pubsub-emulator", is_flag=True, help="Google's Pub/Sub emulator, not our own.")
def serve(session: Session, **wishes: Any) -> bool:  # click's values, handed on
    """Keep the laptop world up: regions, load balancer, clouds, function and users."""
    from orchestrator.cli import serve as verb_serve

    return verb_serve.serve(session, **wishes)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL: eval "$(failoverctl completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None  # the choices above are click's own shells
    click.echo(found(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())


def main() -> None:
    """The command `failoverctl`."""
    cli(prog_name=PROGRAM)
