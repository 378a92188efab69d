"""`serve`: the laptop world stays up, with lines ready to paste.

The world is `orchestrator.local`'s; this module says how to reach it and waits for Ctrl-C.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import click

from orchestrator.cli.session import Session
from orchestrator.cli.verb import verb
from orchestrator.core.exceptions import Unavailable

ROOT = Path(__file__).parents[3]
"""The checkout, where this is one."""


@verb
@click.option(
    "--lever",
    type=click.Choice(["capacity", "membership"]),
    default="capacity",
    help="How traffic is moved: by the capacity of backends, or by attaching and detaching them.",
)
@click.option(
    "--mode",
    type=click.Choice(["active-passive", "active-active"]),
    default="active-passive",
    help="Whether one region serves, or all of them.",
)
@click.option(
    "--pace",
    type=click.FloatRange(1, 600),
    default=60.0,
    metavar="FACTOR",
    help="How many times faster than the real one Monitoring runs.",
)
@click.option(
    "--pubsub-emulator", is_flag=True, help="Use Google's Pub/Sub emulator instead of our own."
)
def serve(session: Session, *, lever: str, mode: str, pace: float, pubsub_emulator: bool) -> bool:
    """Run the laptop world: regions, load balancer, cloud, users.

    It runs until Ctrl-C, and prints the lines that point failoverctl in another terminal to it.
    """
    try:
        from orchestrator.local.serving import world  # its libraries are an extra
    except ImportError as error:
        raise Unavailable(
            f"the laptop world is not installed ({error.name}): pip install '.[cli,local]'"
        ) from error
    if not (ROOT / "main.py").exists():
        raise Unavailable(
            "the laptop world needs a checkout, because it runs the function from there. In a"
            " checkout: pip install -e '.[cli,local]'"
        )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    session.note("Starting the laptop world. This takes a few seconds.")
    try:
        with world(lever, mode, pace, pubsub_emulator=pubsub_emulator) as found:
            _say(session, found.environment, found.examples)
            ended.wait()
    except RuntimeError as error:  # a part of it did not come up, and says why
        raise Unavailable(f"the laptop world did not come up: {error}") from error
    return True


def _say(session: Session, environment: Mapping[str, str], examples: Mapping[str, str]) -> None:
    if session.as_json:
        session.answer({"environment": dict(environment), "examples": dict(examples)})
        return
    session.say("The laptop world is up. In another terminal:", "bold")
    session.say()
    for name, value in environment.items():
        session.say(f"export {name}={shlex.quote(value)}")
    if not shutil.which("failoverctl"):
        session.say(f'failoverctl() {{ {_this_program()} "$@"; }}')
    for what, line in examples.items():
        session.say()
        session.say(f"# {what}", "dim")
        session.say(line)
    session.say()
    session.say("Ctrl-C ends it and removes everything that it made.", "bold")


def _this_program() -> str:
    """How this program is run where it is not installed: from any folder."""
    return f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m orchestrator.cli"
