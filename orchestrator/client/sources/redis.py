"""The document in Redis, by redis-py, where the orchestrator mirrors it: a hash with two fields.

`revision` is asked for first, and `document` only when it is another, both then in one command. So
an unchanged document costs no body, and the two always belong together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.client.document import Fetched
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.sources._fetching import WHOLE, Looking, PerProcess, cause, told
from orchestrator.core.outside.redis_url import RedisUrl

if TYPE_CHECKING:
    from redis import Redis


class RedisSource:
    """Implements `orchestrator.client.document.Source`.

    url: where the server is. password: in place of the URL's own. key: of the hash. cafile:
    certificates to trust in place of the system's, for `rediss`. seconds: for a whole look.
    """

    def __init__(
        self,
        url: RedisUrl,
        key: str,
        *,
        password: str | None = None,
        cafile: str | None = None,
        seconds: float = WHOLE,
    ) -> None:
        self._url = url
        self._key = key
        self._password = password or url.password
        self._secrets = (self._password, url.password, url.username)
        self._cafile = cafile
        self._client = PerProcess(self._made, lambda client: client.close())
        self._looking = Looking[Fetched | None](seconds)

    @property
    def name(self) -> str:
        """For messages: the server and the key, without name and password."""
        return f"{self._url.shown}?key={self._key}"

    def fetch(self, known: str | None) -> Fetched | None:
        """The document, or None while its revision is `known`."""
        import redis  # noqa: F401  # not on the look's time

        return self._looking.look(lambda: self._get(known), self._client.drop)

    def _get(self, known: str | None) -> Fetched | None:
        from redis import exceptions as redis  # imported with the client above

        try:
            client = self._client()
            if known and client.hget(self._key, "revision") == known.encode():
                return None
            revision, body = client.hmget(self._key, ["revision", "document"])
        except (redis.AuthenticationError, redis.NoPermissionError) as error:
            raise SourceUnavailable(
                f"not permitted ({told(error, self._secrets)}): check the name and password. The"
                " user needs HGET and HMGET on the key",
                Silence.DENIED,
            ) from cause(error, self._secrets)
        except (redis.RedisError, OSError, ValueError) as error:
            text = told(error, self._secrets)
            raise SourceUnavailable(text) from cause(error, self._secrets)
        if not isinstance(revision, bytes) or not isinstance(body, bytes):
            raise SourceUnavailable(
                "there is no such hash with `revision` and `document`: no orchestrator mirrors to"
                " it yet, or the key is wrong",
                Silence.MISSING,
            )
        return Fetched(body, revision.decode("utf-8", "replace"))

    def _made(self) -> Redis:
        from redis import Redis  # imported with the client above
        from redis.backoff import NoBackoff  # as above
        from redis.retry import Retry  # as above

        return Redis(
            host=self._url.host,
            port=self._url.port,
            db=self._url.db,
            username=self._url.username,
            password=self._password,
            socket_connect_timeout=self._looking.connect,
            socket_timeout=self._looking.read,
            # The pool finds out by itself that the server has closed an idle connection; and what
            # is cut off at the end of a look is not to connect once more.
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # every server and every proxy before one speaks it
            ssl=self._url.is_tls,
            ssl_ca_certs=self._cafile,
        )
