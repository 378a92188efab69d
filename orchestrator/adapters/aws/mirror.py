"""A mirror in one region's SSM Parameter Store: one parameter for each service.

PutParameter knows no condition, but it gives the version that it made, and the versions before are
kept. So: read what is there (version n), write only what is newer, and look at the answer. n + 1:
nobody came between, and what is there is newer than all before. Anything else: somebody did, and an
instance that sees that puts the highest revision of all the kept versions back, in the same way.
For that moment the parameter may stand at a lower revision; readers ignore one that is lower than
they have seen. The last write of all was made by one who had seen everything before it, or settled
it, so it is the highest. A writer that dies in between leaves it lower until the next tick
publishes.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from orchestrator.core.document.public import public_revision
from orchestrator.core.exceptions import Cloud, Unavailable
from orchestrator.core.outside.reading import mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session
    from types_boto3_ssm.client import SSMClient

CONNECT = 1.0
"""Seconds to reach the API."""

READ = 1.5
"""Seconds to wait for one answer."""

WHOLE = 3.0
"""Seconds after which no further request of one publication is begun; so it ends in 5.5."""

_REFUSED = frozenset({"AccessDeniedException", "UnrecognizedClientException", "AccessDenied"})
_REPLACED = "in_place_of"
"""The field that says so. The history keeps what was replaced for a while, and nobody who settles
may bring it back."""

_PAGE = 50
"""Versions in one answer, as many as the API gives."""


class SsmMirror:
    """Implements `orchestrator.ports.Mirror`.

    parameter: its name; `{service}` in it is the service's name. session: makes the boto3 session
    when it is first needed. seconds: after which no further request is begun. read: seconds to wait
    for one answer.
    """

    def __init__(
        self,
        parameter: str,
        region: str,
        session: Callable[[], Session],
        *,
        seconds: float = WHOLE,
        read: float = READ,
    ) -> None:
        self._parameter = parameter
        self._region = region
        self._session = session
        self._seconds = seconds
        self._read_timeout = read
        self._lock = threading.Lock()
        self._made: SSMClient | None = None

    @property
    def name(self) -> str:
        """For messages: the region and the parameter."""
        return f"ssm://{self._region}/{self._parameter.removeprefix('/')}"

    def publish(self, service: str, revision: int, document: bytes) -> int:
        """Read, write what is newer, and settle it if somebody else wrote. Raises Unavailable."""
        name, text, until = (
            self._name_of(service),
            document.decode(),
            time.monotonic() + self._seconds,
        )
        while True:
            version, there = self._read(name)
            if version == 0:
                if self._create(name, text):
                    return revision
                self._in_time(until)  # it was made meanwhile: look again
                continue
            if _revision(there) > revision or _bare(there) == text:
                return _revision(there)
            return self._over(name, version, text, until)

    def replace(self, service: str, ahead: int, revision: int, document: bytes) -> bool:
        """Read, write over it, and settle it if somebody else wrote. Raises Unavailable."""
        name, until = self._name_of(service), time.monotonic() + self._seconds
        version, there = self._read(name)
        if _revision(there) != ahead or ahead <= revision:
            return False
        self._over(name, version, _marked(document.decode(), ahead), until)
        return True

    def _over(self, name: str, version: int, text: str, until: float) -> int:
        """Write it over this version; give the revision that stands there in the end."""
        made = self._put(name, text)
        if made == version + 1:
            return _revision(text)
        return self._settle(name, made, until)

    def revision(self, service: str) -> int | None:
        """The revision of what lies there. Raises Unavailable."""
        return public_revision(self._read(self._name_of(service))[1].encode())

    def _settle(self, name: str, made: int, until: float) -> int:
        """Have the highest revision of all kept versions stand last, and give it.

        made: the version we made. Revisions that were replaced count no longer.
        """
        while True:
            self._in_time(until)
            kept = self._history(name)
            version, newest = max(kept, key=lambda one: one[0])
            if version < made:
                continue  # the store is behind its own answer
            gone = {_replaced(value) for _, value in kept}
            valid = [one for one in kept if _revision(one[1]) not in gone]
            highest = max(valid, key=lambda one: (_revision(one[1]), one[0]))[1]
            if _revision(newest) not in gone and _revision(highest) <= _revision(newest):
                return _revision(newest)
            self._in_time(until)
            made = self._put(name, highest)
            if made == version + 1:
                return _revision(highest)

    def _read(self, name: str) -> tuple[int, str]:
        """Version and value, (0, nothing) where there is no such parameter."""
        from botocore.exceptions import ClientError  # lazily: only where a mirror is configured

        try:
            found = self._client().get_parameter(Name=name)["Parameter"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return 0, ""
            raise self._unavailable(error) from error
        except Exception as error:
            raise self._unavailable(error) from error
        return found["Version"], found["Value"]

    def _create(self, name: str, text: str) -> bool:
        """Make the parameter; False when it is there already."""
        from botocore.exceptions import ClientError  # as above

        try:
            self._client().put_parameter(Name=name, Value=text, Type="String", Overwrite=False)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterAlreadyExists":
                return False
            raise self._unavailable(error) from error
        except Exception as error:
            raise self._unavailable(error) from error
        return True

    def _put(self, name: str, text: str) -> int:
        """Write it over whatever is there and give the version that it became."""
        try:
            client = self._client()
            made = client.put_parameter(Name=name, Value=text, Type="String", Overwrite=True)
        except Exception as error:
            raise self._unavailable(error) from error
        return made["Version"]

    def _history(self, name: str) -> list[tuple[int, str]]:
        """Every kept version with its value; the store keeps a hundred."""
        try:
            pages = self._client().get_paginator("get_parameter_history")
            found = pages.paginate(Name=name, PaginationConfig={"PageSize": _PAGE})
            return [(one["Version"], one["Value"]) for page in found for one in page["Parameters"]]
        except Exception as error:
            raise self._unavailable(error) from error

    def _in_time(self, until: float) -> None:
        if time.monotonic() > until:
            raise Unavailable(
                f"{self.name}: others write at the same time, or it is slow. After"
                f" {self._seconds:g} s it is unknown which revision is there"
            )

    def _name_of(self, service: str) -> str:
        return self._parameter.replace("{service}", service)

    def _client(self) -> SSMClient:
        with self._lock:
            if self._made is None:
                from botocore.config import Config  # as above

                # One try for each request: a repeated put would make two versions of one.
                config = Config(
                    connect_timeout=CONNECT,
                    read_timeout=self._read_timeout,
                    retries={"total_max_attempts": 1, "mode": "standard"},
                )
                session = self._session()
                self._made = session.client("ssm", region_name=self._region, config=config)
            return self._made

    def _unavailable(self, error: Exception) -> Unavailable:
        from botocore.exceptions import ClientError  # as above

        text = f"{self.name}: {type(error).__name__}: {str(error)[:300].rstrip('.')}"
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _REFUSED:
            text += (
                ". The role needs ssm:GetParameter, ssm:GetParameterHistory and ssm:PutParameter"
            )
        return Unavailable(text, cloud=Cloud.MIRROR)


def _revision(value: str) -> int:
    """The value's revision, -1 for what is no document."""
    found = public_revision(value.encode())
    return -1 if found is None else found


def _marked(text: str, ahead: int) -> str:
    """The document that also tells which revision it was put in place of, and for good."""
    return json.dumps({**json.loads(text), _REPLACED: ahead}, separators=(",", ":"))


def _bare(value: str) -> str:
    """The document without that; the value itself where there is none."""
    if _replaced(value) is None:
        return value
    fields = {k: v for k, v in json.loads(value).items() if k != _REPLACED}
    return json.dumps(fields, separators=(",", ":"))


def _replaced(value: str) -> int | None:
    """Which revision the value was put in place of; None for none."""
    try:
        found = mapping(json.loads(value)).get(_REPLACED)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, int) else None
