"""Where a Redis server is, as a URL says it. PURE.

    redis://[user[:password]@]host[:port][/db]          rediss:// the same over TLS

What stands behind `?` is the reader's own: the options of the URL are handed over as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

_PORT = 6379


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
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # it would be told with this one, and repeats a part of the URL
        raise ValueError("write redis://HOST:PORT/DB or rediss://HOST:PORT/DB") from None
    if "@" in f"{parts.path}{parts.query}":  # what stands before it may be a part of a password
        raise ValueError("write %40, %2F, %3F and %23 for any @, /, ? and # in name and password")
    db = parts.path.strip("/") or "0"
    host = parts.hostname or "%"
    if parts.scheme not in {"redis", "rediss"} or "%" in host or parts.fragment:
        raise ValueError("write redis://HOST:PORT/DB or rediss://HOST:PORT/DB")
    if not (db.isascii() and db.isdigit()):
        raise ValueError("write the database as a whole number, as in redis://HOST:6379/0")
    return RedisUrl(
        host=host,
        port=port,
        db=int(db),
        is_tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        options=MappingProxyType(dict(pairs)),
    )
