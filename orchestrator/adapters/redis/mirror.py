"""A mirror in Redis: one hash for each service, with the fields `revision` and `document`.

Comparing and writing are one script, which Redis runs whole or not at all: so a lower revision
never takes the place of a higher one, however many orchestrators publish at once. Revisions are
compared as digits, for a number in Redis's Lua is exact up to 2^53 only.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from orchestrator.core.exceptions import Cloud, Unavailable
from orchestrator.core.outside.redis_url import RedisUrl
from orchestrator.core.outside.secrets import repeats

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from redis import Redis

    Scripts = tuple[Callable[..., Any], ...]  # the library's scripts: to publish, to replace

CONNECT = 1.0
"""Seconds to reach the server."""

READ = 1.5
"""Seconds to wait for its answer; one call takes `CONNECT` and this at most."""

_REVISION = re.compile(rb"0|[1-9][0-9]{0,18}")

_HELD = """
local held = redis.call('HMGET', KEYS[1], 'revision', 'document')
local there, mine = held[1], ARGV[1]
if there ~= '0' and not (there and #there <= 19 and string.find(there, '^[1-9]%d*$')) then
  there = false
end
if not held[2] then there = false end
"""
"""What lies there: its revision, if it is a document and has one. No longer number is one, and no
number with a zero before it, which would compare as a longer one."""

_PUBLISH = f"""{_HELD}
if there and (#there > #mine or (#there == #mine and there > mine)) then return there end
if there ~= mine or held[2] ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'revision', mine, 'document', ARGV[2])
end
return mine
"""

_REPLACE = f"""{_HELD}
if there ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'revision', mine, 'document', ARGV[2])
return 1
"""


class RedisMirror:
    """Implements `orchestrator.ports.Mirror`.

    key: of the hash; `{service}` in it is the service's name. password: in place of the URL's own.
    password_from: the name of the variable that it is from, for messages.
    """

    def __init__(
        self, url: RedisUrl, key: str, password: str | None = None, password_from: str = ""
    ) -> None:
        self._url = url
        self._key = key
        self._password = password or url.password
        self._password_from = password_from
        self._lock = threading.Lock()
        self._made: tuple[Redis, Scripts] | None = None

    @property
    def name(self) -> str:
        """For messages: the server's URL without name and password."""
        return self._url.shown

    def publish(self, service: str, revision: int, document: bytes) -> int:
        """Compare and write in one step. Raises Unavailable."""
        return int(self._run(0, service, str(revision), document))

    def replace(self, service: str, ahead: int, revision: int, document: bytes) -> bool:
        """Compare and write in one step. Raises Unavailable."""
        return bool(self._run(1, service, str(revision), document, str(ahead)))

    def _run(self, script: int, service: str, *arguments: str | bytes) -> bytes | int:
        from redis.exceptions import RedisError  # lazily: only where a mirror is configured

        try:
            _, scripts = self._client()
            answer: bytes | int = scripts[script](keys=[self._key_of(service)], args=arguments)
        except (RedisError, OSError, ValueError) as error:
            raise self._unavailable(error) from None if self._is_told_by(error) else error
        return answer

    def revision(self, service: str) -> int | None:
        """The revision of what lies there. Raises Unavailable."""
        from redis.exceptions import RedisError  # as above

        try:
            client, _ = self._client()
            there, document = client.hmget(self._key_of(service), ["revision", "document"])
        except (RedisError, OSError, ValueError) as error:
            raise self._unavailable(error) from None if self._is_told_by(error) else error
        if document is None or not isinstance(there, bytes) or not _REVISION.fullmatch(there):
            return None
        return int(there)

    def _key_of(self, service: str) -> str:
        return self._key.replace("{service}", service)

    def _client(self) -> tuple[Redis, Scripts]:
        with self._lock:
            if self._made is None:
                client = self._new()
                made = client.register_script(_PUBLISH), client.register_script(_REPLACE)
                self._made = client, made
            return self._made

    def _new(self) -> Redis:
        from redis import Redis  # as above
        from redis.backoff import NoBackoff  # as above
        from redis.exceptions import ConnectionError as Broken  # as above
        from redis.retry import Retry  # as above

        return Redis(
            host=self._url.host,
            port=self._url.port,
            db=self._url.db,
            username=self._url.username,
            password=self._password,
            ssl=self._url.is_tls,
            socket_connect_timeout=CONNECT,
            socket_timeout=READ,
            # Once more at once: the server may have closed a connection since the last event, and
            # the script does no harm when it runs twice.
            retry=Retry(NoBackoff(), 1, supported_errors=(Broken,)),
            protocol=2,  # every server and every proxy before one speaks it
        )

    def _is_told_by(self, error: Exception) -> bool:
        """Whether the error repeats name or password, as a server's answer may."""
        secrets = (self._password, self._url.password, self._url.username)
        chain = (error, error.__cause__, error.__context__)
        return any(repeats(str(one), secrets) for one in chain if one is not None)

    def _unavailable(self, error: Exception) -> Unavailable:
        from redis import exceptions as redis  # as above

        said = f": {str(error)[:300].rstrip('.')}"
        if self._is_told_by(error):
            said = " (what it says repeats name or password, and is left out)"
        text = f"{self.name}: {type(error).__name__}{said}"
        if isinstance(error, redis.AuthenticationError | redis.NoPermissionError):
            whence = f" (of the variable {self._password_from})" if self._password_from else ""
            text += (
                f". Check the user and the password{whence}. The user needs HMGET, HSET and EVALSHA"
            )
        return Unavailable(text, cloud=Cloud.MIRROR)
