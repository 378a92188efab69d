"""Where a Redis server is, as a URL says it. PURE.

    redis://[user[:password]@]host[:port][/db]          rediss:// the same over TLS

What stands behind `?` is the reader's own: the options of the URL are handed over as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_PORT = 6379
_FORM = "write redis://HOST:PORT/DB or rediss://HOST:PORT/DB"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """One server and its database.

    username, password and options are never shown, not even in a traceback's repr: a password may
    have been written in the place of any of them.
    """

    host: str
    port: int = _PORT
    db: int = 0
    is_tls: bool = False
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def shown(self) -> str:
        """The URL without name, password and options."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' * self.is_tls}://{host}:{self.port}/{self.db}"


def read_redis_url(url: str) -> RedisUrl:
    """The server that this URL names.

    Raises ValueError, saying what would be right and not repeating the URL, which may hold a
    password.
    """
    parts, options = _split(url)
    _refuse_signs(parts)
    if parts.scheme not in {"redis", "rediss"} or "%" in _host(parts) or parts.fragment:
        raise ValueError(_FORM)
    return RedisUrl(
        host=_host(parts),
        port=parts.port or _PORT,
        db=_database(parts),
        is_tls=parts.scheme == "rediss",
        username=_plain(parts.username),
        password=_plain(parts.password),
        options=MappingProxyType(options),
    )


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """The URL's parts, their port known to be one, and the options in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number of a port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # it would be shown with this one, and repeats a part of the URL
        raise ValueError(_FORM) from None
    return parts, dict(pairs)


def _refuse_signs(parts: SplitResult) -> None:
    """Raise ValueError for an `@` behind the host: what stands before it may be of a password."""
    if "@" in f"{parts.path}{parts.query}":
        raise ValueError("write %40, %2F, %3F and %23 for any @, /, ? and # in name and password")


def _host(parts: SplitResult) -> str:
    """The host; where there is none, what no host can be."""
    return parts.hostname or "%"


def _database(parts: SplitResult) -> int:
    number = parts.path.strip("/") or "0"
    if not (number.isascii() and number.isdigit()):
        raise ValueError("write the database as a whole number, as in redis://HOST:6379/0")
    return int(number)


def _plain(text: str | None) -> str | None:
    return unquote(text) if text else None
