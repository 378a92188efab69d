"""AWS credentials by Google's identity: over a metadata server and moto's STS, both over HTTP."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

from orchestrator.aws_identity import (
    DUE,
    PAUSE,
    Fetch,
    OffPath,
    google_identity_token,
    google_web_identity,
    on_demand,
    session,
)
from orchestrator.aws_identity.fetch import _Fetch
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.loopback import HOST, free_port
from tests.support.places import moto_station
from tests.support.station import Asked, BadSocket, Said, Station, hang

ROLE = "arn:aws:iam::123456789012:role/checkout"
AUDIENCE = "aws-dynamodb"
TOKEN = "e30.e30.c2lnbmF0dXJl"
NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def metadata(asked: Asked) -> Said:
    """Google's metadata server, as far as identity tokens go."""
    parts = urlsplit(asked.path)
    if asked.headers.get("metadata-flavor") != "Google":
        return Said(403)
    if not parts.path.endswith("/service-accounts/default/identity"):
        return Said(404)
    return Said(200, f"{TOKEN}\n".encode()) if parse_qs(parts.query)["audience"] else Said(400)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    """A metadata server, and no keys of AWS anywhere."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    with Station(metadata) as station:
        monkeypatch.setenv("GCE_METADATA_HOST", station.url.removeprefix("http://"))
        yield station


@pytest.fixture
def sts(google: Station) -> Iterator[Station]:
    """moto's STS, beside the metadata server."""
    del google
    with moto_station() as station:
        yield station


def role(*endpoints: str) -> Fetch:
    """Fetches the role's credentials from the STS at these URLs, one region each."""
    regions = [f"region-{number}" for number in range(len(endpoints))]
    return google_web_identity(
        ROLE, AUDIENCE, regions, endpoints=dict(zip(regions, endpoints, strict=True))
    )


class Issuer:
    """Issues credentials of an hour without any network, or fails."""

    def __init__(self) -> None:
        self.now = NOW
        self.issued = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> Mapping[str, str]:
        self.gate.wait()
        if self.error:
            raise self.error
        self.issued += 1
        return {
            "access_key": f"AKIA{self.issued}",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": (self.now + timedelta(hours=1)).isoformat(),
        }


# --- from Google's identity to AWS credentials ---------------------------------------------------


def test_the_identity_token_is_asked_for_by_audience(google: Station) -> None:
    assert google_identity_token(AUDIENCE) == TOKEN
    assert parse_qs(urlsplit(google.asked[0].path).query)["audience"] == [AUDIENCE]


def test_sts_exchanges_the_token_for_the_roles_credentials(sts: Station) -> None:
    found = role(sts.url)()
    assert found["access_key"].startswith("ASIA")
    (asked,) = sts.asked
    sent = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert sent["Action"] == "AssumeRoleWithWebIdentity"
    assert sent["RoleArn"] == ROLE
    assert sent["WebIdentityToken"] == TOKEN
    assert "authorization" not in asked.headers


def test_each_region_has_an_sts_of_its_own() -> None:
    """Not the global endpoint, which is one region's."""

    fetch = google_web_identity(ROLE, AUDIENCE, ["us-west-2", "eu-west-1"])
    assert isinstance(fetch, _Fetch)
    for region in ("us-east-1", "eu-west-1"):
        client = fetch._client("sts", region, Config(signature_version=UNSIGNED))
        assert client.meta.endpoint_url == f"https://sts.{region}.amazonaws.com"
        assert client.meta.config.connect_timeout <= 1
        client.close()


def test_a_session_with_them_signs_its_requests(
    sts: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", sts.url)
    for credentials in (on_demand(role(sts.url)), OffPath(role(sts.url))):
        client = session(credentials).client("ssm", region_name="us-west-2")
        client.describe_parameters()
        signed = sts.asked[-1].headers
        assert credentials.access_key in signed["authorization"]
        assert signed["x-amz-security-token"] == credentials.token


def test_when_the_first_regions_sts_is_dead_or_hangs_the_next_one_is_asked(sts: Station) -> None:
    assert role(f"http://{HOST}:{free_port()}", sts.url)()["access_key"].startswith("ASIA")
    with BadSocket(hang) as server:
        assert role(server.url, sts.url)()["access_key"].startswith("ASIA")
        assert server.connections == 1, "what hangs is asked once"


def test_when_no_sts_answers_it_says_what_each_said(sts: Station) -> None:
    def refuse(_: Asked) -> Said:
        body = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        return Said(403, body, {"Content-Type": "text/xml"})

    sts.answer = refuse
    with pytest.raises(CredentialRetrievalError) as refused:
        role(f"http://{HOST}:{free_port()}", sts.url)()
    said = str(refused.value)
    assert "region-0: EndpointConnectionError" in said
    assert "AccessDenied" in said
    assert "trust policy" in said


def test_without_a_metadata_server_it_says_where_tokens_come_from(
    google: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.answer = lambda _: Said(404)
    with pytest.raises(CredentialRetrievalError, match="service account"):
        google_identity_token(AUDIENCE)
    monkeypatch.setenv("GCE_METADATA_HOST", f"{HOST}:{free_port()}")
    with pytest.raises(CredentialRetrievalError, match="metadata server, which exists on Google"):
        google_identity_token(AUDIENCE)


@pytest.mark.long
def test_a_metadata_server_that_hangs_is_given_up(
    google: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    del google
    with BadSocket(hang) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", f"{HOST}:{server.port}")
        with pytest.raises(CredentialRetrievalError, match="ReadTimeoutError"):
            google_identity_token(AUDIENCE)
        assert server.connections == 1, "what hangs is asked once"


def test_no_region_is_no_way_to_credentials() -> None:
    with pytest.raises(ValueError, match="at least one"):
        google_web_identity(ROLE, AUDIENCE, [])


# --- never on the caller's thread ----------------------------------------------------------------


def test_the_first_use_fetches_when_nobody_has_before() -> None:
    issuer = Issuer()
    credentials = OffPath(issuer)
    assert credentials.expires is None
    frozen = credentials.get_frozen_credentials()
    assert (frozen.access_key, frozen.token) == ("AKIA1", "token")
    assert credentials.expires == NOW + timedelta(hours=1)
    assert (credentials.access_key, credentials.secret_key) == ("AKIA1", "secret")
    assert issuer.issued == 1


def test_a_background_thread_may_fetch_before_the_first_use() -> None:
    issuer = Issuer()
    credentials = OffPath(issuer)
    credentials.refresh_if_due(NOW)
    issuer.error = RuntimeError("not asked again")
    assert credentials.get_frozen_credentials().access_key == "AKIA1"


def test_they_are_refreshed_when_a_quarter_of_an_hour_is_left_and_not_before() -> None:
    issuer = Issuer()
    credentials = OffPath(issuer)
    credentials.refresh_if_due(NOW)
    credentials.refresh_if_due(NOW + timedelta(minutes=44))
    assert issuer.issued == 1
    issuer.now = NOW + timedelta(hours=1) - DUE
    credentials.refresh_if_due(issuer.now)
    assert issuer.issued == 2
    assert credentials.get_frozen_credentials().access_key == "AKIA2"


def test_their_user_never_refreshes_not_even_what_has_expired() -> None:
    issuer = Issuer()
    issuer.now = datetime.now(UTC) - timedelta(hours=2)
    credentials = OffPath(issuer)
    for _ in range(3):
        assert credentials.get_frozen_credentials().access_key == "AKIA1"
    assert issuer.issued == 1


def test_a_refresh_that_hangs_makes_nobody_wait() -> None:
    issuer = Issuer()
    credentials = OffPath(issuer)
    credentials.refresh_if_due(NOW)
    issuer.gate.clear()
    later = NOW + timedelta(minutes=50)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(credentials.refresh_if_due, later)
        for _ in range(1000):
            assert credentials.get_frozen_credentials().access_key == "AKIA1"
        credentials.refresh_if_due(later)  # another thread is at it
        assert not hanging.done()
        issuer.now = later
        issuer.gate.set()
    assert credentials.get_frozen_credentials().access_key == "AKIA2"


def test_a_refresh_that_fails_keeps_the_old_ones_is_said_once_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    issuer = Issuer()
    credentials = OffPath(issuer)
    credentials.refresh_if_due(NOW)
    issuer.error = RuntimeError("no STS")
    at = NOW + timedelta(minutes=50)
    for _ in range(3):
        credentials.refresh_if_due(at)
        credentials.refresh_if_due(at + PAUSE / 2)  # too soon: not even tried
        at += PAUSE
    assert credentials.get_frozen_credentials().access_key == "AKIA1"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    credentials.refresh_if_due(NOW + timedelta(minutes=61))
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    issuer.error, issuer.now = None, NOW + timedelta(minutes=62)
    credentials.refresh_if_due(issuer.now)
    assert credentials.get_frozen_credentials().access_key == "AKIA2"
    assert caplog.records[-1].levelname == "INFO"


def test_a_first_use_that_fails_raises_and_answers_those_behind_it_too() -> None:
    """A hundred requests that wait do not ask one after the other."""
    issuer = Issuer()
    issuer.error = CredentialRetrievalError(provider="test", error_msg="no STS")
    asked = 0

    def fetch() -> Mapping[str, str]:
        nonlocal asked
        asked += 1
        return issuer()

    credentials = OffPath(fetch)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(credentials.get_frozen_credentials) for _ in range(40)]:
            with pytest.raises(CredentialRetrievalError, match="no STS"):
                done.result()
    assert asked == 1
    issuer.error = None
    credentials.refresh_if_due(NOW)
    assert credentials.get_frozen_credentials().access_key == "AKIA1"


FORK = """
import os, sys, threading
from datetime import datetime, timedelta, timezone
from orchestrator.aws_identity import OffPath

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
begun, parent = threading.Event(), os.getpid()
def fetch():
    if os.getpid() == parent and begun.is_set():
        threading.Event().wait()  # hangs while it holds the lock
    begun.set()
    life = timedelta(minutes=10)
    return dict(access_key=str(os.getpid()), secret_key="s", token="t",
                expiry_time=(NOW + life).isoformat())
one = OffPath(fetch)
one.refresh_if_due(NOW)
threading.Thread(target=one.refresh_if_due, args=(NOW,), daemon=True).start()
while not one._lock().locked():
    pass
child = os.fork()
if child == 0:
    one.refresh_if_due(NOW)
    os._exit(0 if one.access_key == str(os.getpid()) else 1)
os._exit(0 if os.waitpid(child, 0)[1] == 0 else 1)
"""


def test_the_child_of_a_fork_refreshes_for_itself() -> None:
    """Although a thread that it has not was just at it."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        cwd=ROOT, capture_output=True, timeout=30, check=False, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_no_message_holds_a_secret(sts: Station, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "orchestrator")
    credentials = OffPath(role(sts.url))
    credentials.refresh_if_due(NOW)
    sts.answer = lambda _: Said(500)
    credentials.refresh_if_due(datetime.now(UTC) + timedelta(hours=2))
    frozen = credentials.get_frozen_credentials()
    ours = json.dumps([r.getMessage() for r in caplog.records if r.name.startswith("orchestrator")])
    assert "STS" in ours
    assert TOKEN not in ours
    assert str(frozen.secret_key) not in ours
