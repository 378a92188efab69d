"""Real places for the document and its mirrors: Redis, moto's AWS behind HTTP, Cloud Storage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.process.ask import ask
from orchestrator.local.process.child import Child
from orchestrator.local.process.loopback import HOST, free_port
from tests.support.station import Asked, Said, Station

PASSWORD = "mögen: @/täten"
"""Of the Redis server, with what a URL has to escape."""

AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
"""Credentials that moto takes."""


ACCOUNT = "123456789012"
"""moto's."""


class RedisServer:
    """A real Redis, in memory, on a free port of loopback. Dies with us."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        options = {
            "bind": HOST,
            "port": str(self.port),
            "save": "",
            "appendonly": "no",
            "requirepass": PASSWORD,
            "dir": str(folder),
        }
        command = ["redis-server", *(part for k, v in options.items() for part in (f"--{k}", v))]
        self.child = Child("redis", command, log=folder / "redis.log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.child.start_ready(self._answers)

    def client(self, **options: Any) -> Any:  # redis-py's own client, for the tests' own questions
        """A client of our own."""
        from redis import Redis

        return Redis(HOST, self.port, **{"password": PASSWORD, "protocol": 2, **options})

    def stop(self) -> None:
        """End it. Idempotent."""
        self.child.stop()

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        with self.client() as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


def redis_server(folder: Path) -> RedisServer:
    """A running Redis; where none is installed the test is skipped, but never in CI."""
    if shutil.which("redis-server") is None:
        reason = "redis-server is not installed (Debian, Ubuntu: apt-get install redis-server)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"{reason}: the cases of Redis were not run")
    server = RedisServer(folder)
    server.start()
    return server


def moto_station() -> Station:
    """moto's AWS behind a real HTTP server: `AWS_ENDPOINT_URL` for all services and regions."""
    import moto.backends

    for region in ("us-east-1", "us-west-2"):  # moto takes seconds for a region's first request
        moto.backends.get_backend("ssm")[ACCOUNT][region]
    for backends in (moto.backends.get_backend("sts"), moto.backends.get_backend("iam")):
        backends[ACCOUNT]["aws"]
    return Station(moto_answer)


def moto_answer(asked: Asked) -> Said:
    """What moto's AWS says. Service and region are those that the request is signed for."""
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.compat import HTTPHeaders
    from moto.core.models import botocore_stubber

    service, region = _signed_for(asked)
    headers = HTTPHeaders()
    for name, value in asked.headers.items():
        headers[name] = value
    url = f"https://{service}.{region}.amazonaws.com{asked.path}"
    request = AWSPreparedRequest(asked.method, url, headers, asked.body, stream_output=False)
    answer = botocore_stubber.process_request(request)
    if answer is None:
        return Said(404)
    status, found, body = answer
    raw = body.encode() if isinstance(body, str) else body
    kept = {str(k): str(v) for k, v in found.items() if str(k).lower() == "content-type"}
    return Said(int(status), raw, kept)


def _signed_for(asked: Asked) -> tuple[str, str]:
    """Service and region of the signature; STS takes its web identities unsigned."""
    credential = asked.headers.get("authorization", "").partition("Credential=")[2]
    scope = credential.partition(",")[0].split("/")
    return (scope[3], scope[2]) if len(scope) > 3 else ("sts", "us-east-1")


def aws_refusal(asked: Asked) -> Said:
    """Every action is denied."""
    action = asked.headers.get("x-amz-target", "")
    body = f'{{"__type": "AccessDeniedException", "message": "not authorized: {action}"}}'
    return Said(400, body.encode(), {"Content-Type": "application/x-amz-json-1.1"})


def conditional(gcs: FakeGcs) -> Station:
    """Cloud Storage with the condition that fake-gcs-server ignores.

    Google's answers 304 when `ifGenerationNotMatch` is the generation that is there.
    """

    def answer(asked: Asked) -> Said:
        got = ask(gcs.url + asked.path, asked.method, asked.body or None, _passed(asked.headers))
        generation = got.headers.get("x-goog-generation", "none")
        if f"ifGenerationNotMatch={generation}" in asked.path:
            return Said(304)
        kept = ("content-type", "x-goog-generation", "x-goog-hash")
        return Said(got.status, got.body, {k: v for k, v in got.headers.items() if k in kept})

    return Station(answer)


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k not in {"host", "connection", "accept-encoding"}}
