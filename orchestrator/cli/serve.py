"""`serve`: the laptop world stays up, with lines ready to paste.

The world is `orchestrator.local`'s; this module says how to reach it and waits for Ctrl-C.
"""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Mapping

from orchestrator.cli.session import Session
from orchestrator.core.errors import Unavailable


def serve(session: Session, *, lever: str, mode: str, pace: float, pubsub_emulator: bool) -> bool:
    """Start the world, say how to reach it, and keep it until SIGINT or SIGTERM."""
    try:
        from orchestrator.local.serving import world  # its libraries are an extra
    except ImportError as error:
        raise Unavailable(
            f"the laptop world is not installed ({error.name}): pip install '.[cli,local]'"
        ) from error
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with world(lever, mode, pace, pubsub_emulator=pubsub_emulator) as found:
        if session.as_json:
            session.answer({"environment": dict(found.environment), "examples": found.examples})
        else:
            _say(session, found.environment, found.examples)
        ended.wait()
    return True


def _say(session: Session, environment: Mapping[str, str], examples: Mapping[str, str]) -> None:
    session.say("The laptop world is up. In another terminal:", "bold")
    session.say()
    for name, value in environment.items():
        session.say(f"export {name}={shlex.quote(value)}")
    for what, line in examples.items():
        session.say()
        session.say(f"# {what}", "dim")
        session.say(line)
    session.say()
    session.say("Ctrl-C ends it; nothing of it stays.", "bold")
