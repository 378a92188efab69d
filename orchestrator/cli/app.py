"""The verbs of `failoverctl`, their arguments and help; what they do is in the modules beside."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from orchestrator.cli.advice import advice_on
from orchestrator.cli.session import Session, meant
from orchestrator.config import load
from orchestrator.core.errors import FailoverError
from orchestrator.core.model import Verdict
from orchestrator.core.reading import read_time

Verb = Callable[..., bool]
PROGRAM = "failoverctl"


class Verbs(click.Group):
    """A group that knows which verb was meant, and lists its verbs in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are defined."""
        del ctx
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb; a misspelt one is named with the one that was meant."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(f"there is no verb {args[0]!r}{meant(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(PROGRAM, cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look into the region failover orchestrator, and tell it what to do.

    A verb that changes something prints what it would do, and does it only with --apply. Exit
    status: 0 done, 1 refused or failed, 2 the command itself is wrong.
    """


def verb(group: click.Group, name: str = "") -> Callable[[Verb], click.Command]:
    """A verb with --config and --json; its errors are answers, and never a traceback."""

    def made(function: Verb) -> click.Command:
        @click.option("--config", metavar="FILE", help=_CONFIG_HELP)
        @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
        @functools.wraps(function)
        def run(config: str | None, *, as_json: bool, **arguments: Any) -> None:  # click's values
            session = Session(config, as_json=as_json)
            try:
                done = function(session, **arguments)
            except FailoverError as error:
                session.fail(error, advice_on(error, session.environ))
                done = False
            except KeyboardInterrupt:
                done = True
            raise SystemExit(0 if done else 1)

        return group.command(name or function.__name__)(run)

    return made


_CONFIG_HELP = "The configuration, a path or gs:// URL; else FAILOVER_CONFIG, else failover.yaml."


def _service_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the services of the configuration at hand."""
    source = ctx.params.get("config") or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
    try:
        names = load(Path(source).read_text(encoding="utf-8"), source).services
    except (OSError, FailoverError):
        return []
    return [name for name in names if name.startswith(incomplete)]


service_argument = click.argument("service", required=False, shell_complete=_service_names)
file_type = click.Path(exists=True, dir_okay=False, path_type=Path)
apply_option = click.option("--apply", is_flag=True, help="Do it; without, only say what would be.")


@verb(cli)
@service_argument
@click.option("--apply", is_flag=True, help="Make the state document if there is none.")
def check(session: Session, service: str | None, *, apply: bool) -> bool:
    """Hold the configuration against the world: would a failover work?"""
    from orchestrator.cli import check as verb_check  # a verb pays for itself alone

    return verb_check.check(session, service, apply=apply)


@verb(cli)
@service_argument
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option("--every", type=click.FloatRange(0.2), default=2.0, help="Seconds between looks.")
def status(session: Session, service: str | None, *, watch: bool, every: float) -> bool:
    """Show where the traffic goes, and how every region stands."""
    from orchestrator.cli import look

    return look.status(session, service, watch=watch, every=every)


@verb(cli)
@service_argument
@click.argument("identity", metavar="[ID]", required=False)
def explain(session: Session, service: str | None, identity: str | None) -> bool:
    """Say why it moved, or why it did not: the last decision, or that of an ID.

    ID is a decision's (see `history`) or an incident's.
    """
    from orchestrator.cli import explain as verb_explain

    return verb_explain.explain(session, service, identity)


@verb(cli)
@service_argument
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="How many, newest first.")
@click.option("--journal", is_flag=True, help="All that the journal keeps, not the last 20.")
def history(session: Session, service: str | None, *, limit: int, journal: bool) -> bool:
    """List the decisions of a service."""
    from orchestrator.cli import look

    return look.history(session, service, limit=limit, journal=journal)


@verb(cli)
@service_argument
def plan(session: Session, service: str | None) -> bool:
    """Show what a tick would do now, with every rule's value."""
    from orchestrator.cli import look

    return look.plan(session, service)


@verb(cli)
@service_argument
@apply_option
@click.option("--direct", is_flag=True, help="From here, with your own rights, not by Pub/Sub.")
def tick(session: Session, service: str | None, *, apply: bool, direct: bool) -> bool:
    """Have the orchestrator look at the world now: finish, repair, prove, find."""
    from orchestrator.cli import tick as verb_tick

    return verb_tick.tick(session, service, apply=apply, direct=direct)


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
    from orchestrator.cli import look

    return look.parse(session, file)


def _probes(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Verdict]:
    found = {}
    for text in given:
        region, _sign, verdict = text.partition("=")
        if verdict not in set(Verdict):
            raise click.BadParameter(f"{text!r} is not REGION={'|'.join(Verdict)}")
        found[region] = Verdict(verdict)
    return found


def _time(_: click.Context, __: click.Parameter, given: str | None) -> datetime | None:
    try:
        return read_time(given) if given else None
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 2026-11-23T05:00:00Z") from error


@verb(cli)
@click.argument("files", type=file_type, nargs=-1, required=True)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="REGION=healthy|failing|silent",
    callback=_probes,
    help="What our own probe says of a region; else it agrees with the alerts.",
)
@click.option("--at", metavar="TIME", callback=_time, help="Take every message at this time.")
def replay(
    session: Session, files: tuple[Path, ...], probes: dict[str, Verdict], at: datetime | None
) -> bool:
    """Play alert FILES through the real decisions, over a world in memory."""
    from orchestrator.cli import replay as verb_replay

    return verb_replay.replay(session, files, probes, at)


@verb(cli)
@click.option("--lever", type=click.Choice(["capacity", "membership"]), default="capacity")
@click.option(
    "--mode", type=click.Choice(["active-passive", "active-active"]), default="active-passive"
)
@click.option("--pace", type=click.FloatRange(1, 600), default=60.0, help="Monitoring's speed-up.")
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
