"""The document in its bucket, by google-cloud-storage.

Asked for only if its generation is another than the known one: Cloud Storage answers 304 without a
body otherwise. `STORAGE_EMULATOR_HOST` is honoured, and then no credentials are needed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.client.document import Fetched
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.sources._fetching import WHOLE, Looking, PerProcess, told

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.storage import Client

_NO_LABELS = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
"""The library's own switch for a background thread that asks for the bucket, to label traces, and
would go on for two minutes where that is not permitted."""


class GcsSource:
    """Implements `orchestrator.client.document.Source`.

    bucket, object: as in `gs://bucket/object`. credentials: default: Application Default
    Credentials; they need `storage.objects.get`. seconds: for a whole look.
    """

    def __init__(
        self,
        bucket: str,
        object: str,  # noqa: A002  # Cloud Storage's word
        *,
        credentials: Credentials | None = None,
        seconds: float = WHOLE,
    ) -> None:
        self._bucket = bucket
        self._object = object
        self._credentials = credentials
        self._client = PerProcess(self._made, lambda client: client.close())
        self._looking = Looking[Fetched | None](seconds)

    @property
    def name(self) -> str:
        """For messages: the object's URL."""
        return f"gs://{self._bucket}/{self._object}"

    def fetch(self, known: str | None) -> Fetched | None:
        """The object, or None while it is the generation `known`."""
        from google.cloud.storage import Client  # noqa: F401  # a second, not on the look's time

        return self._looking.look(lambda: self._get(known), self._client.drop)

    def _get(self, known: str | None) -> Fetched | None:
        from google.api_core import exceptions as google  # imported with the client above

        try:
            blob = self._client().bucket(self._bucket).blob(self._object)
            body: bytes = blob.download_as_bytes(
                if_generation_not_match=int(known) if known else None,
                timeout=(self._looking.connect, self._looking.read),
                retry=None,
            )
        except google.NotModified:
            return None
        except google.NotFound as error:
            raise SourceUnavailable(
                "there is no such object, or no such bucket: the orchestrator has not written it"
                " yet, or the name is wrong",
                Silence.MISSING,
            ) from error
        except (google.Forbidden, google.Unauthorized) as error:
            raise SourceUnavailable(
                f"not permitted ({told(error)}): give this identity storage.objects.get on it, as"
                " roles/storage.objectViewer does",
                Silence.DENIED,
            ) from error
        except Exception as error:
            raise SourceUnavailable(told(error)) from error
        mark = str(blob.generation)
        at = int(blob.generation) / 1_000_000  # a generation is the time of its write
        return (
            None if mark == known else Fetched(body, mark, at)
        )  # emulators may ignore the condition

    def _made(self) -> Client:
        from google.auth.credentials import AnonymousCredentials  # imported with the client above
        from google.cloud.storage import Client  # as above

        os.environ.setdefault(_NO_LABELS, "true")
        credentials = self._credentials
        if credentials is None and os.environ.get("STORAGE_EMULATOR_HOST"):
            credentials = AnonymousCredentials()
        return Client(project="none", credentials=credentials)  # reading an object names no project
