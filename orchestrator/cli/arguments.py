"""What may be written behind a verb: values that are more than words, and what the shell completes.

Each function here is a callback of click's, for a value or for its completion.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from orchestrator.cli.session import Session
from orchestrator.config import load
from orchestrator.core.errors import FailoverError
from orchestrator.core.model import Verdict
from orchestrator.core.reading import read_time
from orchestrator.core.rules import LONGEST_FREEZE
from orchestrator.values import Duration


def service_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the services of the configuration at hand."""
    source = ctx.params.get("config") or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
    try:
        names = load(Path(source).read_text(encoding="utf-8"), source).services
    except (OSError, FailoverError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def length(_: click.Context, __: click.Parameter, given: str) -> timedelta:
    """The length of a freeze: of those that the function takes, and no other."""
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
            f"one rule at a time, and here are {len(given)}: override the one that refuses, and"
            " look again"
        )
    return given[0] if given else ""


def ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: decisions, incidents and commands that the document knows, newest first."""
    from orchestrator.cli.explain import known_ids  # only when somebody presses TAB

    service, source = ctx.params.get("service"), ctx.params.get("config")
    try:
        found = known_ids(Session(source, as_json=False), service)
    except (FailoverError, click.ClickException):
        return []
    return [identity for identity in found if identity.startswith(incomplete)]


def region_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the regions of the configuration at hand."""
    source = ctx.params.get("config") or os.environ.get("FAILOVER_CONFIG") or "failover.yaml"
    try:
        services = load(Path(source).read_text(encoding="utf-8"), source).services.values()
    except (OSError, FailoverError):
        return []
    names = dict.fromkeys(name for service in services for name in service.names)
    return [name for name in names if name.startswith(incomplete)]


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
        raise click.BadParameter(f"{error}; write 2026-11-23T05:00:00Z") from error
