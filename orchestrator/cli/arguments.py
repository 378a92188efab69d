"""The options that several verbs have, and how their values are read and completed.

Each function here is a decorator, or a callback of click's for a value or its completion. What a
callback needs beyond click it imports when it is called, so that a help text does not pay for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.core.exceptions import FailoverError
from orchestrator.core.model import Verdict
from orchestrator.core.outside.reading import read_time
from orchestrator.core.rule import OVERRIDABLE

if TYPE_CHECKING:
    from orchestrator.core.policy import Service

Function = Callable[..., Any]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that is there."""


# --- completion: for the shell --------------------------------------------------------------------


def _services(ctx: click.Context) -> Iterable[Service]:
    """The services of the configuration that is in use. None where it cannot be read."""
    from orchestrator.config import load

    source = ctx.params.get("config") or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
    try:
        return load(Path(source).read_text(encoding="utf-8"), source).services.values()
    except (OSError, FailoverError):
        return ()


def service_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The services of the configuration that is in use."""
    return [one.name for one in _services(ctx) if one.name.startswith(incomplete)]


def region_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The regions of the configuration that is in use."""
    names = dict.fromkeys(name for service in _services(ctx) for name in service.names)
    return [name for name in names if name.startswith(incomplete)]


def ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Decisions, incidents and commands that the document knows, newest first."""
    from orchestrator.cli.explaining.known import known_ids
    from orchestrator.cli.session import Session

    service, source = ctx.params.get("service"), ctx.params.get("config")
    try:
        found = known_ids(Session(source, as_json=False), service)
    except (FailoverError, click.ClickException):
        return []
    return [identity for identity in found if identity.startswith(incomplete)]


# --- values ---------------------------------------------------------------------------------------


def length(_: click.Context, __: click.Parameter, given: str) -> timedelta:
    """The length of a freeze: one that the function takes, and no other."""
    from pydantic import TypeAdapter, ValidationError

    from orchestrator.config.kinds import Duration
    from orchestrator.core.rules import LONGEST_FREEZE

    limits = f"a freeze lasts between 1s and {LONGEST_FREEZE.days}d"
    try:
        found: timedelta = TypeAdapter(Duration).validate_python(given)
    except ValidationError as error:
        if re.fullmatch(r"\d+(\.\d+)?(ms|s|m|h|d)", given):  # beyond all that a file may say
            raise click.BadParameter(f"{given} is too long: {limits}") from error
        raise click.BadParameter("write a duration such as 30m, 2h or 1d") from error
    if found > LONGEST_FREEZE:
        raise click.BadParameter(f"{given} is too long: {limits}")
    if found < timedelta(seconds=1):
        raise click.BadParameter(f"{given} is too short: {limits}")
    return found


def one_rule(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> str:
    """The rule that is overridden, or none."""
    if len(given) > 1:
        raise click.BadParameter(
            f"a command overrides one rule, and you named {len(given)}. Override the rule that"
            " refuses, and look again"
        )
    return given[0] if given else ""


def probes(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Verdict]:
    """What a region's probe is to say: `REGION=healthy`, once for each."""
    found = {}
    for text in given:
        region, _sign, verdict = text.partition("=")
        if verdict not in set(Verdict):
            raise click.BadParameter(f"{text!r} is not REGION={'|'.join(Verdict)}")
        found[region] = Verdict(verdict)
    return found


def time(_: click.Context, __: click.Parameter, given: str | None) -> datetime | None:
    """A time with its zone."""
    try:
        return read_time(given) if given else None
    except ValueError as error:
        raise click.BadParameter(f"{error}: write 2026-11-23T05:00:00Z") from error


# --- options --------------------------------------------------------------------------------------

service_argument = click.argument("service", required=False, shell_complete=service_names)

apply_option = click.option(
    "--apply",
    is_flag=True,
    help="Make the change. Without this flag, only show what would change.",
)

now_option = click.option(
    "--now", is_flag=True, help="Move at once. Do not wait for clients and replicas."
)

override_option = click.option(
    "--override",
    type=click.Choice([rule.value for rule in OVERRIDABLE]),
    multiple=True,
    callback=one_rule,
    help="Move although this rule refuses. The history records it with your name.",
)

all_option = click.option("--all", "everything", is_flag=True, help="Every service.")


def manner(function: Function) -> Function:
    """The options of every command: why, and how it is given."""
    for option in (
        click.option("--no-wait", is_flag=True, help="Do not wait for the result."),
        click.option(
            "--direct",
            is_flag=True,
            help="Do it from this machine with your own credentials, without Pub/Sub.",
        ),
        apply_option,
        click.option(
            "--reason",
            default="",
            show_default=False,
            metavar="TEXT",
            help="Why you give this command. Required with --apply. The history keeps it.",
        ),
    ):
        function = option(function)
    return function
