"""What tells regions apart: evidence that would speak of two of them is refused at load."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load
from orchestrator.core.exceptions import BadConfig
from orchestrator.intake.evidence import same_url
from orchestrator.wiring import Wiring
from tests.config.test_loader import problems, read
from tests.support.fakes import configuration, group

EAST, WEST = "us-east-1", "us-west-2"


def told(**regions: Any) -> dict[str, Any]:  # any JSON
    """A whole file; `us_east_1={...}` are fields of a region of checkout."""
    made = configuration()
    for name, fields in regions.items():
        made["services"]["checkout"]["regions"][name.replace("_", "-")] |= fields
    return made


def with_search(region: str, **fields: str) -> dict[str, Any]:
    """A whole file with a second service, whose only region has these fields."""
    made = configuration()
    search = copy.deepcopy(made["services"]["checkout"])
    search["traffic"]["backend_service"] = "search"
    backend = group(region).replace("checkout", "search")
    search["regions"] = {region: {"backend": backend, **fields}}
    search["policy"] = {"on_unconfirmed": "proceed"}
    made["services"]["search"] = search
    return made


@pytest.mark.parametrize(
    "other",
    [
        "https://us-east-1.checkout.example.com/healthz",
        "https://US-EAST-1.checkout.example.com:443/healthz",
        "HTTPS://us-east-1.checkout.example.com./healthz",
    ],
)
def test_one_health_url_in_two_regions_is_refused_at_both(other: str) -> None:
    found = problems(told(us_west_2={"health_url": other}))
    assert set(found) == {f"services.checkout.regions.{name}.health_url" for name in (EAST, WEST)}
    for text in found.values():
        assert "Write the region's own" in text
    assert f"is {EAST} of checkout's too" in found[f"services.checkout.regions.{WEST}.health_url"]


@pytest.mark.parametrize("other", ["same", "SAME", "projects/p/uptimeCheckConfigs/same"])
def test_one_check_id_in_two_regions_is_refused_at_both(other: str) -> None:
    found = problems(told(us_east_1={"check_id": "same"}, us_west_2={"check_id": other}))
    assert set(found) == {f"services.checkout.regions.{name}.check_id" for name in (EAST, WEST)}


def test_evidence_of_another_region_in_another_service_is_refused() -> None:
    ours = configuration()["services"]["checkout"]["regions"][EAST]
    for field in ("health_url", "check_id"):
        found = problems(with_search(WEST, **{field: ours[field]}))
        assert set(found) == {
            f"services.checkout.regions.{EAST}.{field}",
            f"services.search.regions.{WEST}.{field}",
        }


def test_two_services_of_one_region_may_share_its_evidence() -> None:
    """They live in one place, and fail together."""
    ours = configuration()["services"]["checkout"]["regions"][EAST]
    evidence = {field: ours[field] for field in ("health_url", "check_id")}
    assert set(read(with_search(EAST, **evidence)).services) == {"checkout", "search"}


@pytest.mark.parametrize(
    "other", ["https://x.example.com/b", "http://x.example.com/a", "https://x.example.com:8443/a"]
)
def test_urls_that_ask_for_something_else_are_different(other: str) -> None:
    assert same_url("https://x.example.com/a") != same_url(other)


METADATA = (
    *("169.254.169.254.", "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518"),
    *("[::ffff:169.254.169.254]", "[::FFFF:A9FE:A9FE]", "[64:ff9b::169.254.169.254]", "[fe80::1]"),
    *("metadata.google.internal.", "METADATA.GOOG", "metadata", "[fd20:ce::254]:80"),
)
HERE = (
    *("127.0.0.1", "localhost:8080", "[::1]:80", "[::]", "a.localhost", "LOCALHOST.", "127.1"),
    *("2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0.", "[::ffff:127.0.0.1]"),
)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://use4.example.com:port/healthz", "write a port from 1 to 65535, or none"),
        ("https://use4.example.com:99999/healthz", "write a port from 1 to 65535, or none"),
        ("https://use4.example.com:0/healthz", "write a port from 1 to 65535, or none"),
        ("https://use4.example.com:/healthz", "write a port from 1 to 65535, or none"),
        ("https://[fd00::3]:port/healthz", "write a port from 1 to 65535, or none"),
        ("https://me@use4.example.com/healthz", "write it without user name and password"),
        ("https://me:geheim@use4.example.com/healthz", "write it without user name and password"),
        ("http://169.254.169.254/healthz", "write the region's own host"),
        ("http://Metadata.Google.Internal/healthz", "write the region's own host"),
        *((f"http://{host}/healthz", "write the region's own host") for host in METADATA),
        ("http://169.254.169%2e254/healthz", "write a URL such as"),
        ("http://metadata%2egoogle.internal/healthz", "write a URL such as"),
        ("http://[fe80::1%25eth0]/healthz", "write a URL such as"),
        ("http://use4.example.com%40169.254.169.254/healthz", "write a URL such as"),
        ("http://use4.example.com@169.254.169.254/healthz", "write it without user name"),
        ("http://169.254.169.254\\@use4.example.com/healthz", "write it without user name"),
        ("https://[fd00::3/healthz", "write a URL such as"),
        ("https://use4.example.com/health z", "write a URL such as"),
        ("https://use4.exämple.com/healthz", "write a URL such as"),
        ("https:///healthz", "write a URL such as"),
        ("https://${HOST}/healthz", "nothing is substituted in this file"),
    ],
)
def test_a_health_url_that_cannot_be_asked_is_refused(url: str, text: str) -> None:
    found = problems(told(us_east_1={"health_url": url}))
    assert set(found) == {f"services.checkout.regions.{EAST}.health_url"}
    (told_of,) = found.values()
    assert text in told_of
    assert "geheim" not in told_of


def test_a_placeholder_is_told_once_with_what_to_write() -> None:
    made = configuration()
    made["project"] = "${PROJECT}"
    found = problems(made)
    assert set(found) == {"project"}
    assert found["project"].startswith("nothing is substituted in this file. Write the value")


def test_an_identity_token_is_sent_over_https_only() -> None:
    made = told(us_east_1={"health_url": "http://10.0.0.1:8080/healthz"})
    read(made)
    made["probe"] = {"auth": "oidc"}
    assert "write https" in problems(made)[f"services.checkout.regions.{EAST}.health_url"]
    read({**told(us_east_1={"health_url": "http://127.0.0.1:80/h"}), "probe": {"auth": "oidc"}})


@pytest.mark.parametrize("host", HERE)
def test_a_region_on_the_machine_that_asks_is_none_in_the_cloud(host: str) -> None:
    made = told(us_east_1={"health_url": f"http://{host}/healthz"})
    text = json.dumps({**made, "state": "gs://laptop-failover"})
    load(text, "failover.yaml", emulated=True)
    with pytest.raises(BadConfig, match="loopback") as refused:
        load(text, "failover.yaml", emulated=False)
    (problem,) = refused.value.problems
    assert problem.path == f"services.checkout.regions.{EAST}.health_url"
    load(json.dumps({**made, "state": "file:///tmp/state"}), "failover.yaml", emulated=False)


def test_an_emulator_of_the_cloud_says_that_regions_may_be_here(tmp_path: Path) -> None:
    path = tmp_path / "failover.yaml"
    made = told(us_east_1={"health_url": "http://127.0.0.1:9/healthz"})
    path.write_text(json.dumps({**made, "state": "gs://laptop-failover"}))
    environ = {"FAILOVER_CONFIG": str(path)}
    with pytest.raises(BadConfig, match="loopback"):
        Wiring(environ, tmp_path).world()
    emulated = {f"{cloud}_EMULATOR_HOST": "127.0.0.1:9" for cloud in ("STORAGE", "COMPUTE")}
    assert Wiring({**environ, **emulated}, tmp_path).world().config.services
