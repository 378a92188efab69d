"""A 404 for an object is asked further: is it the object that is missing, or its bucket?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.auth.credentials import AnonymousCredentials

from orchestrator.adapters.gcp.objects import GcsObjects
from orchestrator.core.exceptions import NoStore, Unavailable

NO_OBJECT = "No such object: state/checkout.json"
NO_BUCKET = "The specified bucket does not exist."


@contextmanager
def storage(object_says: str, bucket_answers: int) -> Iterator[tuple[GcsObjects, list[str]]]:
    """A Cloud Storage without the object, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            is_object = "/o/" in path
            status = 404 if is_object else bucket_answers
            error = {"code": status, "message": "none", "errors": [{"reason": "none"}]}
            body = object_says if is_object else json.dumps({"name": "state", "error": error})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's word
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield GcsObjects("p", "state", "", AnonymousCredentials(), url), asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("bucket", [200, 403])
def test_an_object_is_missing_where_the_bucket_is_there_or_is_not_for_us_to_see(
    bucket: int,
) -> None:
    """`storage.buckets.get` is not among the permissions that the function has."""
    with storage(NO_OBJECT, bucket) as (objects, asked):
        assert objects.get("checkout.json") is None
    assert len(asked) == 2


@pytest.mark.parametrize("says", [NO_OBJECT, NO_BUCKET, "Not Found", ""])
def test_a_bucket_that_is_not_there_is_told_whatever_the_first_answer_says(says: str) -> None:
    with storage(says, 404) as (objects, _), pytest.raises(NoStore) as caught:
        objects.get("checkout.json")
    assert caught.value.page


def test_where_the_bucket_is_not_for_us_to_see_the_first_answers_text_counts() -> None:
    with storage(NO_BUCKET, 403) as (objects, _), pytest.raises(NoStore):
        objects.get("checkout.json")


@pytest.mark.parametrize("bucket", [401, 429, 500, 503])
def test_which_of_the_two_is_missing_is_unknown_while_the_bucket_cannot_be_asked(
    bucket: int,
) -> None:
    """An absence that nobody could look at is no fresh start."""
    with storage(NO_OBJECT, bucket) as (objects, _), pytest.raises(Unavailable) as caught:
        objects.get("checkout.json")
    assert not isinstance(caught.value, NoStore)
