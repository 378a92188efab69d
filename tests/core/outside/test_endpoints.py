"""Which hosts are DynamoDB's: AWS's names and no look-alike, in the region that is meant."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.outside.endpoints import (
    aws_region_of,
    default_endpoint,
    is_allowed,
    is_aws_region,
    is_dual_stack,
    is_dynamodb,
    origin_of,
)

EAST = "us-east-1"
NAME = "dynamodb.us-east-1.amazonaws.com"
SESSION = botocore.session.get_session()
PARTITIONS = SESSION.get_available_partitions()
REGIONS = sorted(
    {region for one in PARTITIONS for region in SESSION.get_available_regions("dynamodb", one)}
    | {"us-gov-east-1", "cn-north-1", "eusc-de-east-1", "us-isof-south-1", "eu-isoe-west-1"}
)
"""Every region that this botocore knows DynamoDB in."""


LOADER = SESSION.get_component("data_loader")
RULES = EndpointProvider(
    LOADER.load_service_model("dynamodb", "endpoint-rule-set-1"), LOADER.load_data("partitions")
)


def resolved(region: str, **settings: Any) -> str | None:
    """The URL that botocore's rules give DynamoDB there; None where they give none."""
    try:
        return str(RULES.resolve_endpoint(Region=region, **settings).url)
    except EndpointProviderError:
        return None


SETTINGS: dict[str, dict[str, Any]] = {
    "its own": {},
    "fips": {"UseFIPS": True},
    "dual-stack": {"UseDualStack": True},
    "both": {"UseFIPS": True, "UseDualStack": True},
    "account": {"AccountId": "123456789012", "AccountIdEndpointMode": "preferred"},
    "account, dual-stack": {
        "AccountId": "123456789012",
        "AccountIdEndpointMode": "preferred",
        "UseDualStack": True,
    },
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_name_that_botocore_gives_dynamodb_is_its_name_in_that_region_alone(
    settings: dict[str, Any],
) -> None:
    assert len(REGIONS) > 30
    urls = {region: resolved(region, **settings) for region in REGIONS}
    for region, url in urls.items():
        if url is None:
            continue  # the partition does not have it
        assert aws_region_of(url) == region
        assert is_dynamodb(urlsplit(url).netloc, region)
        assert not any(is_dynamodb(url, other) for other in REGIONS if other != region)
    assert any(urls.values())


@pytest.mark.parametrize("region", REGIONS)
def test_the_name_that_is_made_up_is_botocores_own(region: str) -> None:
    assert is_aws_region(region)
    assert f"https://{default_endpoint(region)}" == resolved(region)
    dual = resolved(region, UseDualStack=True)
    assert dual is None or is_dual_stack(dual)
    assert not is_dual_stack(default_endpoint(region))


@pytest.mark.parametrize(
    "endpoint",
    [
        "vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.vpce.amazonaws.com",
        "https://vpce-1a2b3c4d-5e6f-us-east-1a.dynamodb.us-east-1.vpce.amazonaws.com",
        "https://dynamodb.us-east-1.amazonaws.com:443",
    ],
)
def test_a_vpc_endpoint_and_the_port_of_https_are_taken(endpoint: str) -> None:
    assert is_dynamodb(endpoint, EAST)
    assert not is_dynamodb(endpoint, "us-west-2")


def test_a_vpc_endpoint_in_china_is_under_chinas_domain() -> None:
    name = "vpce-1a2b3c4d-5e6f.dynamodb.cn-north-1.vpce.amazonaws.com"
    assert is_dynamodb(f"{name}.cn", "cn-north-1")
    assert not is_dynamodb(name, "cn-north-1")


LOOK_ALIKES = [
    "dynamodb.us-east-1.amazonaws.com.evil.example",
    "dynamodb.us-east-1.amazonaws.com@evil.example",
    "https://dynamodb.us-east-1.amazonaws.com@evil.example",
    "https://dynamodb.us-east-1.amazonaws.com:443@evil.example",
    "https://user:secret@dynamodb.us-east-1.amazonaws.com",
    "evil.example/dynamodb.us-east-1.amazonaws.com",
    "https://evil.example/.dynamodb.us-east-1.amazonaws.com",
    "https://evil.example#.dynamodb.us-east-1.amazonaws.com",
    "https://evil.example?.dynamodb.us-east-1.amazonaws.com",
    "https://evil.example\\.dynamodb.us-east-1.amazonaws.com",
    "https://evil.example\\@dynamodb.us-east-1.amazonaws.com",
    "evil.dynamodb.us-east-1.amazonaws.com",
    "dynamodb-evil.us-east-1.amazonaws.com",
    "dynamodb.us-east-1.evil-amazonaws.com",
    "dynamodb.us-east-1.amazonaws.company",
    "dynamodb.us-east-1.amazonaws.com.cn",
    "dynamodb.cn-north-1.amazonaws.com",
    "dynamodb.us-east-1.vpce.amazonaws.com",
    "vpce-1a2b3c4d-5e6f.vpce-svc-0123.us-east-1.vpce.amazonaws.com",
    "vpce-1a2b3c4d-5e6f.dynamodb.us-east-1.amazonaws.com",
    "vpce-1a2b.evil.dynamodb.us-east-1.vpce.amazonaws.com",
    "bucket.s3.us-east-1.amazonaws.com",
    "x.execute-api.us-east-1.amazonaws.com",
    "streams.dynamodb.us-east-1.amazonaws.com",
    "12345678901.ddb.us-east-1.amazonaws.com",
    "\u0661" * 12 + ".ddb.us-east-1.amazonaws.com",
    "http://dynamodb.us-east-1.amazonaws.com",
    "HTTPS://dynamodb.us-east-1.amazonaws.com",
    "ftp://dynamodb.us-east-1.amazonaws.com",
    "//dynamodb.us-east-1.amazonaws.com",
    "https:dynamodb.us-east-1.amazonaws.com",
    "https:///dynamodb.us-east-1.amazonaws.com",
    "https://https://dynamodb.us-east-1.amazonaws.com",
    "dynamodb.us-east-1.amazonaws.com:80",
    "dynamodb.us-east-1.amazonaws.com:4433",
    "dynamodb.us-east-1.amazonaws.com:",
    "https://dynamodb.us-east-1.amazonaws.com/",
    "https://dynamodb.us-east-1.amazonaws.com/x",
    "https://dynamodb.us-east-1.amazonaws.com?x",
    "https://dynamodb.us-east-1.amazonaws.com#x",
    "dynamodb.us-east-1.amazonaws.com.",
    "Dynamodb.us-east-1.amazonaws.com",
    "dynamodb.US-EAST-1.amazonaws.com",
    "dynamodb\u3002us-east-1\u3002amazonaws\u3002com",
    "dynamodb.us-east-1.amazonaws\uff0ecom",
    "dyn\u0430modb.us-east-1.amazonaws.com",
    "\u202edynamodb.us-east-1.amazonaws.com",
    "dynamodb.us-east-1.amazonaws.com\n",
    "dynamodb.us-east-1.amazonaws.com\x00",
    " dynamodb.us-east-1.amazonaws.com",
    "dynamodb.us-east-1.amazonaws.com%2eevil.example",
    "dynamodb.us-east-1..amazonaws.com",
    "dynamodb.us-east4.amazonaws.com",
    "[::1]",
    "https://[::ffff:7f00:1]:443",
    "127.0.0.1",
    "169.254.169.254",
    "localhost",
    "",
]


@pytest.mark.parametrize("endpoint", LOOK_ALIKES)
def test_what_looks_like_its_name_is_none(endpoint: str) -> None:
    assert aws_region_of(endpoint) is None
    assert not is_dynamodb(endpoint, EAST)
    assert not is_dynamodb(endpoint, EAST, EAST)


@given(st.text(max_size=40), st.sampled_from([0, 8, 17, len(NAME)]), st.sampled_from([1, 0]))
def test_nothing_can_be_written_into_the_name_that_changes_the_host(
    text: str, at: int, scheme: int
) -> None:
    """Whatever is taken is, for a parser of URLs too, a host of AWS's and nothing else."""
    endpoint = "https://" * scheme + NAME[:at] + text + NAME[at:]
    region = aws_region_of(endpoint)
    if region is None:
        return
    parts = urlsplit(endpoint if scheme else f"https://{endpoint}")
    assert parts.scheme == "https"
    assert parts.netloc.removesuffix(":443") == parts.hostname
    assert parts.hostname is not None
    assert parts.hostname.endswith((f".{region}.amazonaws.com", f".{region}.vpce.amazonaws.com"))
    assert (parts.path, parts.query, parts.fragment) == ("", "", "")


@given(st.text(alphabet="dynamob.-123abc:/@[]\\?#%\u3002\uff0e", max_size=60))
def test_an_origin_is_what_a_parser_of_urls_finds_too(endpoint: str) -> None:
    origin = origin_of(endpoint)
    if origin is None:
        return
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    assert (parts.scheme, parts.port or origin.port) == (origin.scheme, origin.port)
    assert parts.hostname == origin.host.strip("[]")
    assert "@" not in parts.netloc
    assert (parts.path, parts.query, parts.fragment) == ("", "", "")


def test_a_region_with_another_key_is_known_by_the_aws_region_beside_it() -> None:
    assert is_dynamodb(NAME, "us-east4", EAST)
    assert not is_dynamodb(NAME, "us-east4")
    assert not is_dynamodb(NAME, EAST, "us-west-2")


@pytest.mark.parametrize(
    "name", ["us-east4", "europe-west1", "use4", "r", "", "us-east-1a", "us-1"]
)
def test_a_name_of_another_form_is_no_aws_region(name: str) -> None:
    assert not is_aws_region(name)


LISTED = ["db.example.com", "proxy.example.com:8443", "localstack:4566"]


@pytest.mark.parametrize(
    ("endpoint", "near", "far"),
    [
        ("db.example.com", True, True),
        ("https://db.example.com:443", True, True),
        ("proxy.example.com:8443", True, True),
        ("https://localstack:4566", True, True),
        ("http://localstack:4566", True, False),
        ("http://db.example.com", True, False),
        ("http://127.0.0.1:8000", True, False),
        ("https://127.0.0.1:8000", True, False),
        ("http://localhost:8000", True, False),
        ("http://[::1]:8000", True, False),
        ("http://elsewhere:8000", False, False),
        ("proxy.example.com", False, False),
        ("db.example.com:8443", False, False),
        ("db.example.com.evil.example", False, False),
        ("x.db.example.com", False, False),
        ("https://user@db.example.com", False, False),
        ("https://db.example.com/path", False, False),
        ("DB.example.com", False, False),
        ("db.example.com.", False, False),
    ],
)
def test_a_host_beside_awss_is_taken_as_it_is_listed(endpoint: str, near: bool, far: bool) -> None:
    """near: where everything is on this machine or an emulator. far: in the cloud."""
    assert is_allowed(endpoint, LISTED, local=True) is near
    assert is_allowed(endpoint, LISTED, local=False) is far


def test_a_text_of_a_megabyte_is_refused_at_once() -> None:
    for text in ("a" * 1_000_000, "a-" * 500_000, "a." * 500_000, "vpce-" + "a-" * 500_000):
        assert aws_region_of(text) is None
        assert origin_of(text) is None
