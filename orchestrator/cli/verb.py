"""How every verb is made: its common options, and how it ends, whatever happens.

A verb ends with its answer or with an error that is an answer: on stdout one JSON value with
`--json`, else words on stderr. It never ends with a traceback. A group lists its verbs without
importing them.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.words.spelling import meant
from orchestrator.core.exceptions import FailoverError

if TYPE_CHECKING:  # tables and screens are not paid for by a help text
    from orchestrator.cli.session import Session

Verb = Callable[..., bool]

_CONFIG_HELP = (
    "The configuration: a path or a gs:// URL. Default: FAILOVER_CONFIG, then failover.yaml."
)


class Interrupted(FailoverError):
    """Ctrl-C, before the verb was done."""


class Unexpected(FailoverError):
    """A fault of this program."""


class Listed(click.Command):
    """A verb as its group lists it: a name, a line of help, and where the verb itself is.

    place: `module:attribute` below `orchestrator.cli.verbs`.
    """

    def __init__(self, name: str, place: str, line: str) -> None:
        super().__init__(name, short_help=line)
        self._place = place

    def load(self) -> click.Command:
        """The verb itself. Only this imports its module."""
        module, _, attribute = self._place.partition(":")
        found = getattr(importlib.import_module(f"orchestrator.cli.verbs.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found


class Verbs(click.Group):
    """A lazy group: it lists and completes verbs by their lines, and imports the one that is run.

    It keeps the order in which the verbs are given, and knows which one was meant by a misspelt
    name.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are given."""
        del ctx
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb, imported. A misspelt one is named with the one that was meant."""
        is_unknown = args[0] not in self.commands and not args[0].startswith("-")
        if is_unknown and not ctx.resilient_parsing:
            ctx.fail(f"there is no verb {args[0]!r}{meant(args[0], self.commands)}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, rest

    def loaded(self) -> dict[str, click.Command]:
        """Every verb by its name, imported."""
        return {
            name: command.load() if isinstance(command, Listed) else command
            for name, command in self.commands.items()
        }

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:  # click's
        """As click's, except that a wrong command is an answer in JSON where JSON was asked for."""
        given = sys.argv[1:] if args is None else list(args)
        if "--json" not in given:
            return super().main(given, *rest, **more)
        try:
            status = super().main(given, *rest, **{**more, "standalone_mode": False})
        except click.ClickException as error:
            _tell_usage(error)
            sys.exit(error.exit_code)
        sys.exit(status or 0)


def _tell_usage(error: click.ClickException) -> None:
    from orchestrator.cli.session import Session

    error.show()
    told = {"kind": type(error).__name__, "message": error.format_message()}
    Session(None, as_json=True).answer({"error": told})


class VerbCommand(click.Command):
    """A verb with --config and --json; its errors are answers, and never a traceback.

    carry_out: what the verb does in a session, with the values of its own options; whether all of
    it went well.
    """

    carry_out: Verb


def verb(function: Verb) -> VerbCommand:
    """The verb that carries this function out. The function has its own options already."""

    @click.option("--config", metavar="FILE", help=_CONFIG_HELP)
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    @functools.wraps(function)
    def run(config: str | None, *, as_json: bool, **arguments: Any) -> None:  # click's values
        from orchestrator.cli.session import Session

        session = Session(config, as_json=as_json)
        sys.exit(0 if _carried_out(function, session, arguments) else 1)

    made = click.command(cls=VerbCommand)(run)
    made.carry_out = function
    return made


def _carried_out(function: Verb, session: Session, arguments: dict[str, Any]) -> bool:
    from orchestrator.cli.words.advice import advice_on

    try:
        return function(session, **arguments)
    except FailoverError as error:
        session.fail(error, advice_on(error, session.environ))
    except KeyboardInterrupt:
        session.fail(Interrupted("before it was done. `failoverctl status` shows how things stand"))
    except (click.ClickException, BrokenPipeError):
        raise
    except Exception as error:  # whatever it is: one JSON value, and no traceback
        if os.environ.get("FAILOVERCTL_TRACEBACK"):
            raise
        session.fail(
            _unexpected(error),
            "Run it again with FAILOVERCTL_TRACEBACK=1 to see where, and report it.",
        )
    return False


def _unexpected(error: Exception) -> Unexpected:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return Unexpected(f"a fault of failoverctl itself: {type(error).__name__}: {error}{where}")
