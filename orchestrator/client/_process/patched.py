"""Whether sockets, TLS and threads were replaced (gevent's or eventlet's patching) too late.

A module that was imported before the patching holds the classes of before. urllib3 then makes TLS
contexts of a class whose setters look up the new one: each call ends in a RecursionError. Locks
that were made before block all greenlets of the process. Neither can be put right afterwards, so
nothing is sent. gunicorn's gevent worker patches after the fork: with --preload that is too late.

gevent is not imported here unless the application has imported it.
"""

from __future__ import annotations

import _thread
import socket
import ssl
import sys
from importlib import import_module

from orchestrator.client.errors import PatchedLate

Classes = tuple[object, ...]

CONTEXT = "urllib3.util.ssl_"
"""Where urllib3 keeps the class that it makes TLS contexts of."""


PATCHERS = ("gevent", "eventlet")


def _classes() -> Classes:
    """What patching replaces, as it is now."""
    return ssl.SSLContext, socket.socket, _thread.start_new_thread


_AT_IMPORT = _classes()


def late_patcher() -> str:
    """Who patched the process after the imports, `gevent` or `eventlet`; empty: nobody.

    Others who replace a class (pytest-socket, truststore) leave it working as it did.
    """
    now = _classes()
    of_urllib3 = getattr(sys.modules.get(CONTEXT), "SSLContext", None) or now[0]
    if now == _AT_IMPORT and of_urllib3 is now[0]:
        return ""
    changed = [one for one, before in zip(now, _AT_IMPORT, strict=True) if one is not before]
    if of_urllib3 is not now[0]:
        changed.append(now[0])
    homes = {str(getattr(one, "__module__", "")).partition(".")[0] for one in changed}
    return next((name for name in PATCHERS if name in homes), "")


def must_be_early() -> None:
    """Raises PatchedLate where the process was patched after the imports."""
    if who := late_patcher():
        raise PatchedLate(words(who))


def words(who: str) -> str:
    """What happened, what it means and what to write. who: has patched."""
    text = (
        f"{who} has replaced sockets, TLS or threads after boto3, urllib3 or this client was"
        " imported. In this process no call can be made (RecursionError), and locks of before"
        " would block every greenlet. Nothing was sent. "
    )
    if who == "eventlet":
        return text + "eventlet is not supported: use gunicorn's worker class gevent or gthread"
    return text + (
        "Patch before anything else is imported. Write these as the first lines of gunicorn's"
        " configuration file (without gunicorn: of the program):\n\n"
        "import gevent.monkey\n"
        "gevent.monkey.patch_all()\n\n"
        "Or start gunicorn without --preload: then each worker patches before it loads the"
        " application"
    )


def refuse_later_patching() -> None:
    """Have gevent's `patch_all` fail from now on, if it comes too late for this client.

    So a gunicorn worker does not start, instead of failing each request. Does nothing where gevent
    is not imported.
    """
    if "gevent.monkey" not in sys.modules:
        return
    events = import_module("gevent.events")
    if _when_patched not in events.subscribers:
        events.subscribers.append(_when_patched)


def _when_patched(event: object) -> None:
    if type(event).__name__ == "GeventDidPatchAllEvent":
        must_be_early()
