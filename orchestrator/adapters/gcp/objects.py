"""Objects in Google Cloud Storage, by google-cloud-storage.

The library's own retries are off: a retried upload can answer 412 for a write that its first try
made, and only the flow, which knows its `writer`, can tell. `ifGenerationMatch` goes with every
upload; the multipart upload that `upload_from_string` makes is one request.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as google
from google.cloud.storage import Client

from orchestrator.adapters.gcp.error_kinds import kind_of
from orchestrator.adapters.names import must_name_an_object
from orchestrator.adapters.server_clock import ServerClock
from orchestrator.core.exceptions import Cloud, Conflict, FailoverError, Kind, NoStore, Unavailable
from orchestrator.ports import Version

if TYPE_CHECKING:
    from datetime import datetime

    import requests
    from google.auth.credentials import Credentials

TIMEOUT = (2.0, 5.0)
"""Seconds to connect and to read, each request; the function's own deadline is minutes."""


PERMISSIONS = (
    "storage.objects.get",
    "storage.objects.create",
    "storage.objects.delete",
)
"""What reading and replacing an object takes; an overwrite counts as a deletion too."""


NO_BUCKET = "bucket does not exist"
"""What Cloud Storage says in a 404 that is about the bucket."""


PASSING = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})
"""Reasons of a 403 that only time cures."""


NO_LABELS = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""The library's own switch for a background thread that asks for the bucket, to label traces; it
would retry for two minutes beside us, and asks for a permission that we do not need."""


class GcsObjects:
    """Implements `orchestrator.ports.Objects` and `Archive` in one bucket, below `prefix`."""

    def __init__(
        self,
        project: str,
        bucket: str,
        prefix: str,
        credentials: Credentials | None,
        endpoint: str | None,
    ) -> None:
        os.environ.setdefault(NO_LABELS, "true")
        options = {"api_endpoint": endpoint} if endpoint else None
        client = Client(project=project, credentials=credentials, client_options=options)
        self._clock = ServerClock()
        client._http.hooks["response"].append(self._heard)  # noqa: SLF001  # no other way to `Date`
        self._bucket = client.bucket(bucket)
        self._is_there = False
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def get(self, name: str) -> tuple[bytes, int] | None:
        """The object's bytes and generation in one request, or None. Raises Unavailable."""
        blob, asked = self._bucket.blob(self._prefix + name), self._asked()
        try:
            data = blob.download_as_bytes(timeout=TIMEOUT, retry=None)
            self._is_there = True
            return data, int(blob.generation)
        except google.NotFound as error:
            self._must_exist(name, error, asked)
            return None
        except Exception as error:
            raise self._translated(error, name) from error

    def put(self, name: str, data: bytes, generation: int) -> int:
        """Replace exactly this generation, in one request. Raises Conflict or Unavailable.

        Generation 0 creates. Who may create and not overwrite, as in the journal, can get 403
        for an object that is there, where others get 412. It is there, so this is a Conflict.
        """
        must_name_an_object(name)
        blob = self._bucket.blob(self._prefix + name)
        try:
            blob.upload_from_string(
                data,
                content_type="application/json",
                if_generation_match=generation,
                timeout=TIMEOUT,
                retry=None,
            )
            return int(blob.generation)
        except google.Forbidden as error:
            if generation == 0 and self._lies(name):
                raise Conflict(f"{self._url(name)} is there already") from error
            raise self._translated(error, name) from error
        except Exception as error:
            raise self._translated(error, name) from error

    def _lies(self, name: str) -> bool:
        """Whether it is certain that the object is there."""
        try:
            blob = self._bucket.blob(self._prefix + name)
            return bool(blob.exists(timeout=TIMEOUT, retry=None))
        except Exception:  # noqa: BLE001  # the caller has the error that counts
            return False

    def _url(self, name: str) -> str:
        return f"gs://{self._bucket.name}/{self._prefix}{name}"

    def names(self, prefix: str) -> tuple[str, ...]:
        """Names of the objects that begin with `prefix`, sorted. Raises Unavailable."""
        try:
            found = self._list(prefix=self._prefix + prefix)
            return tuple(sorted(blob.name.removeprefix(self._prefix) for blob in found))
        except Exception as error:
            raise self._translated(error, f"{prefix}*") from error

    def versions(self, name: str) -> tuple[Version, ...]:
        """Every kept version, the live one too, newest first. Raises Unavailable.

        Only a bucket with object versioning keeps more than the live one.
        """
        whole = self._prefix + name
        try:  # the library would send `True`, which not every server of this API takes for true
            found = [
                Version(int(blob.generation), blob.updated, int(blob.size or 0))
                for blob in self._list(prefix=whole, versions="true")
                if blob.name == whole
            ]
        except Exception as error:
            raise self._translated(error, name) from error
        return tuple(sorted(found, key=lambda version: version.generation, reverse=True))

    def version(self, name: str, generation: int) -> bytes | None:
        """The bytes of one version, None when it is not kept. Raises Unavailable."""
        blob = self._bucket.blob(self._prefix + name, generation=generation)
        try:
            data: bytes = blob.download_as_bytes(timeout=TIMEOUT, retry=None)
        except google.NotFound as error:
            self._must_exist(name, error)
            return None
        except Exception as error:
            raise self._translated(error, name) from error
        return data

    def missing_permissions(self) -> tuple[str, ...] | None:
        """What the pipeline needs on the bucket and these credentials may not. Raises Unavailable.

        None where the server does not know the question.
        """
        try:
            granted = self._bucket.test_iam_permissions(
                list(PERMISSIONS), timeout=TIMEOUT, retry=None
            )
        except google.NotFound as error:
            self._must_exist("", error)
            return None
        except (google.MethodNotAllowed, google.MethodNotImplemented):
            return None
        except Exception as error:
            raise self._translated(error, "") from error
        return tuple(name for name in PERMISSIONS if name not in granted)

    def server_time(self) -> datetime | None:
        """By the `Date` of Cloud Storage's last answer."""
        return self._clock.now()

    def _heard(self, answer: requests.Response, **_: object) -> None:
        self._clock.hear(answer.headers.get("Date"))

    def _must_exist(
        self, name: str, missing: google.NotFound, asked: Future[bool] | None = None
    ) -> None:
        """Raise NoStore if it is the bucket that is missing: a missing object is a 404 as well.

        asked: the question to the bucket, where it is under way. It needs no permission: a bucket
        that exists answers 403 where `storage.buckets.get` is not granted. The text of the first
        answer is no part of the API and not every server's, so that it counts only then.
        """
        if self._is_there:
            return
        try:
            there = asked.result() if asked else self._exists()
        except google.Forbidden as error:
            if _reasons(error) & PASSING:
                raise self._translated(error, name) from error
            there = NO_BUCKET not in str(missing)
        except Exception as error:
            raise self._translated(error, name) from error
        if not there:
            raise self._no_bucket() from missing
        self._is_there = True

    def _exists(self) -> bool:
        return bool(self._bucket.exists(timeout=TIMEOUT, retry=None))

    def _asked(self) -> Future[bool] | None:
        """Ask for the bucket beside the object, until it is known: a first document waits for none.

        None where it is known to exist. A bucket that is deleted later is seen by the next write.
        """
        if self._is_there:
            return None
        answer: Future[bool] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._exists())
            except Exception as error:  # noqa: BLE001  # it is raised where the answer is needed
                answer.set_exception(error)

        threading.Thread(target=ask, name="bucket", daemon=True).start()
        return answer

    def _no_bucket(self) -> NoStore:
        return NoStore(
            f"gs://{self._bucket.name}: the bucket does not exist, so nothing can be read or"
            " decided, and no failover happens. The traffic stays where it is. Likely causes:"
            " `state` names another bucket than the one that was deployed, it is the file of"
            " another environment, or the bucket was deleted. Correct `state` and deploy it, or"
            " create the bucket and bring the document back with `failoverctl state restore`"
        )

    def _list(self, **arguments: Any) -> Any:  # the library's iterator of blobs
        return self._bucket.client.list_blobs(
            self._bucket, timeout=TIMEOUT, retry=None, **arguments
        )

    def _translated(self, error: Exception, name: str) -> Exception:
        """Every foreign error as one of ours. A write that raised Unavailable may have happened."""
        where = self._url(name)
        match error:
            case FailoverError():
                return error
            case google.PreconditionFailed():
                return Conflict(f"{where} was changed by somebody else meanwhile")
            case google.Forbidden() if _reasons(error) & PASSING:
                text = f"{where}: {error.message[:500]}"
                return Unavailable(text, kind=Kind.BUSY, cloud=Cloud.STORAGE)
            case google.NotFound():  # of a write or a list, which name no object that must exist
                return self._no_bucket()
            case google.Forbidden() | google.Unauthorized():
                text = (
                    f"{where}: {error.message[:500]}. Nothing can be decided; see the bucket's IAM"
                )
                return Unavailable(text, page=True, kind=kind_of(error), cloud=Cloud.STORAGE)
            case _:
                text = f"{where}: {type(error).__name__}: {str(error)[:500]}"
                return Unavailable(text, kind=kind_of(error), cloud=Cloud.STORAGE)


def _reasons(error: google.Forbidden) -> set[str]:
    """The reasons that the answer gives; for uploads the library keeps them in the answer alone."""
    try:
        return {str(detail["reason"]) for detail in error.response.json()["error"]["errors"]}
    except (AttributeError, KeyError, TypeError, ValueError):
        return set()
