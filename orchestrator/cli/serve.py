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

from orchestrator.cli.session import Session
from orchestrator.core.errors import Unavailable

ROOT = Path(__file__).parents[2]
"""The checkout, where this is one."""


def serve(session: Session, *, lever: str, mode: str, pace: float, pubsub_emulator: bool) -> bool:
    """Start the world, say how to reach it, and keep it until SIGINT or SIGTERM."""
    try:
        from orchestrator.local.serving import world  # its libraries are an extra
    except ImportError as error:
        raise Unavailable(
            f"the laptop world is not installed ({error.name}): pip install '.[cli,local]'"
        ) from error
    if not (ROOT / "main.py").exists():
        raise Unavailable(
            "the laptop world runs the function of a checkout, and this is none: in a checkout,"
            " pip install -e '.[cli,local]'"
        )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    session.note("Starting the laptop world; a few seconds.")
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
    session.say("Ctrl-C ends it; nothing of it stays.", "bold")


def _this_program() -> str:
    """How this program is run where it is not installed: from any folder."""
    return f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m orchestrator.cli"
