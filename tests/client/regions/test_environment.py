"""Endpoints: what is signed for which region, and what the environment may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from orchestrator.client._calls.call import Options, Settings
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._regions.environment import Unusable
from orchestrator.client._regions.regions import Regions
from orchestrator.client.document import DocumentView, RegionEntry
from orchestrator.client.errors import NoHealthyRegion, Outcome
from tests.support.client_parts import ByName
from tests.support.regional import EAST, PATIENCE, WEST, HeldSource, document
from tests.support.station import Said, Station

VPC = "vpce-0a1b2c3d-4e5f.dynamodb.us-east-1.vpce.amazonaws.com"
FIPS = "dynamodb-fips.us-east-1.amazonaws.com"
PLAIN = "dynamodb.us-east-1.amazonaws.com"
DUAL = "dynamodb.us-east-1.api.aws"
NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
ACCOUNT = "123456789012.ddb.us-east-1.amazonaws.com"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and no settings of this machine."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "laptop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "laptop")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


def sent(endpoint: str, name: str = EAST, stated: str = "") -> tuple[str, str]:
    """Where a request for this region goes, and which region it is signed for."""
    seen: list[Any] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        seen.append(request)
        headers: Any = {"content-length": "2"}
        return AWSResponse(request.url, 200, headers, _Raw())

    client = Regions(boto3.Session).get(RegionEntry(name, endpoint, True, None, stated)).client
    client.meta.events.register_last("before-send.dynamodb", answer)
    client.get_item(TableName="orders", Key={"pk": {"S": "a"}})
    [request] = seen
    return request.url, str(request.headers["Authorization"]).split("/")[2]


class _Raw:
    """The body of an empty answer."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """Its bytes."""
        yield b"{}"


@pytest.mark.parametrize("endpoint", [PLAIN, DUAL, FIPS, VPC, ACCOUNT])
@pytest.mark.parametrize("name", [EAST, "home"])
def test_requests_are_signed_for_the_region_of_their_endpoint(endpoint: str, name: str) -> None:
    url, region = sent(endpoint, name)
    assert url.removeprefix("https://").removesuffix("/").removesuffix(":443") == endpoint
    assert region == EAST


def test_a_host_of_ones_own_is_signed_for_the_region_that_the_document_states() -> None:
    assert sent("https://dynamodb.internal.example.com", "home", WEST)[1] == WEST


@pytest.mark.parametrize(
    ("setting", "value", "endpoint"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "true", PLAIN),
        ("AWS_USE_FIPS_ENDPOINT", "true", DUAL),
        ("AWS_USE_FIPS_ENDPOINT", "true", "https://dynamodb-fips.example.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", PLAIN),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", ACCOUNT),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "http://localhost:4566"),
        ("AWS_ENDPOINT_URL_DYNAMODB", f"https://{VPC}", PLAIN),
        ("AWS_ENDPOINT_URL", "http://localhost:4566", PLAIN),
    ],
)
def test_a_setting_that_asks_for_another_endpoint_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, endpoint: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(Unusable, match=f"{setting} asks for .*remove {setting}"):
        sent(endpoint)


@pytest.mark.parametrize(
    ("setting", "value", "endpoint"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "true", FIPS),
        ("AWS_USE_FIPS_ENDPOINT", "false", PLAIN),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", DUAL),
        ("AWS_ENDPOINT_URL_DYNAMODB", f"https://{VPC}", VPC),
        ("AWS_ENDPOINT_URL", "http://localhost:4566/", "http://localhost:4566"),
    ],
)
def test_a_setting_that_asks_for_the_documents_endpoint_is_honoured(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, endpoint: str
) -> None:
    monkeypatch.setenv(setting, value)
    host = endpoint.removeprefix("http://")
    assert f"//{host}" in sent(endpoint)[0]


def test_settings_that_boto3_is_told_to_ignore_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert sent(PLAIN)[1] == EAST


@pytest.mark.parametrize(
    "section",
    [
        "endpoint_url = {url}",
        "services = mine\n[services mine]\ndynamodb =\n  endpoint_url = {url}",
    ],
)
def test_a_profile_counts_as_the_environment_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, section: str
) -> None:
    file = tmp_path / "config"
    file.write_text("[default]\n" + section.format(url="http://localhost:4566") + "\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(Unusable, match="endpoint_url of the"):
        sent(PLAIN)


def test_calls_go_around_a_region_that_the_environment_does_not_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error of a write names the setting, and says that nothing was sent."""
    with Station(lambda _: Said(200, b"{}")) as there:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", there.url)
        held = HeldSource(document(endpoints={EAST: f"https://{PLAIN}", WEST: there.url}))
        with DocumentView([held], allow_endpoint=lambda *_: True) as view:
            assert view.wait_first(PATIENCE)
            settings = Settings(EAST, ServiceMode.ACTIVE_PASSIVE)
            calls = ByName(view, Regions(boto3.Session), settings)
            item: Any = {"TableName": "orders", "Key": {"pk": {"S": "a"}}}
            assert calls.read("get_item", item, Options())[1] == WEST
            with pytest.raises(NoHealthyRegion, match="AWS_ENDPOINT_URL_DYNAMODB asks") as caught:
                calls.write("delete_item", item, Options())
            assert caught.value.outcome is Outcome.NOT_SENT
