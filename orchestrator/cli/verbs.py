"""How every verb is made: its common options, and how it ends, whatever happens.

A verb ends with its answer or with an error that is an answer: on stdout one JSON value with
`--json`, else words on stderr; never with a traceback.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.advice import advice_on
from orchestrator.cli.session import Session, meant
from orchestrator.core.errors import FailoverError

Verb = Callable[..., bool]

_CONFIG_HELP = "The configuration, a path or gs:// URL; else FAILOVER_CONFIG, else failover.yaml."


class Interrupted(FailoverError):
    """Ctrl-C, before the verb was done."""


class Unexpected(FailoverError):
    """A fault of this program."""


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

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:  # click's
        """As click's, but that a wrong command is told in JSON too where JSON was asked for."""
        given = sys.argv[1:] if args is None else list(args)
        if "--json" not in given:
            return super().main(given, *rest, **more)
        try:
            status = super().main(given, *rest, **{**more, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            told = {"kind": type(error).__name__, "message": error.format_message()}
            Session(None, as_json=True).answer({"error": told})
            sys.exit(error.exit_code)
        sys.exit(status or 0)


def verb(group: click.Group, name: str = "") -> Callable[[Verb], click.Command]:
    """A verb with --config and --json; its errors are answers, and never a traceback."""

    def made(function: Verb) -> click.Command:
        @click.option("--config", metavar="FILE", help=_CONFIG_HELP)
        @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
        @functools.wraps(function)
        def run(config: str | None, *, as_json: bool, **arguments: Any) -> None:  # click's values
            session = Session(config, as_json=as_json)
            sys.exit(0 if _carried_out(function, session, arguments) else 1)

        return group.command(name or function.__name__)(run)

    return made


def _carried_out(function: Verb, session: Session, arguments: dict[str, Any]) -> bool:
    try:
        return function(session, **arguments)
    except FailoverError as error:
        session.fail(error, advice_on(error, session.environ))
    except KeyboardInterrupt:
        session.fail(Interrupted("before it was done; `failoverctl status` shows how things stand"))
    except (click.ClickException, BrokenPipeError):
        raise
    except Exception as error:  # whatever it is: one JSON value, and no traceback
        if os.environ.get("FAILOVERCTL_TRACEBACK"):
            raise
        session.fail(_unexpected(error), "FAILOVERCTL_TRACEBACK=1 shows where. Please report it.")
    return False


def _unexpected(error: Exception) -> Unexpected:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return Unexpected(f"a fault of failoverctl itself: {type(error).__name__}: {error}{where}")
