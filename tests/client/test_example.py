"""The example shop: its README's commands as they stand, and what it promises."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestrator.client.document import read_document
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.health import HealthCheck
from orchestrator.local.dynamodb.database import Database
from orchestrator.local.process.child import ROOT
from tests.support.health_parts import FakeItems, at_once, session, viewing
from tests.support.regional import EAST, document

FOLDER = ROOT / "examples" / "flask-shop"


@pytest.mark.long
@pytest.mark.world
def test_the_readmes_commands_do_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 5
    script = "\n".join(f"{block}\necho; echo ----" for block in blocks)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    bash = shutil.which("bash")
    assert bash, "the README's commands are bash's"
    log = tmp_path / "log"
    with log.open("w") as errors:
        shell = subprocess.Popen(
            [bash, "-euc", script],
            cwd=ROOT,
            env={"PATH": path, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        output, _ = shell.communicate(timeout=50)
    finally:
        with suppress(ProcessLookupError):  # what it started in the background is ended with it
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, log.read_text()
    _, ordered, again, roles, after = output.split("----\n")[:5]
    assert "Served by us-east-1" in ordered
    first = read(ordered)[-1]["order"]
    assert (first["sku"], first["quantity"], first["cents"]) == ("tea", 2, 900)
    assert read(again)[0]["order"] == first
    east, west = read(roles)
    assert (east["status"], west["status"]) == ("ok", "standby")
    listed, new, health = read(after)
    assert (listed["orders"], listed["region"]) == ([first], "us-west-2")
    assert new["order"]["made_in"] == "us-west-2"
    assert health["heartbeats"] == {"us-east-1": "fresh"}
    assert 0 <= health["replication_lag_seconds"]["us-east-1"] < 15
    assert (health["epoch"], health["status"]) == (2, "ok")


def read(output: str) -> list[Any]:
    """The JSON objects among what the commands wrote."""
    found, decoder, at = [], json.JSONDecoder(), 0
    while (at := output.find("{", at)) >= 0:
        value, at = decoder.raw_decode(output, at)
        found.append(value)
    return found


def test_the_sample_is_a_document() -> None:
    sample = read_document((FOLDER / "region-health.json").read_bytes())
    assert (sample.epoch, sample.primary) == (7, "us-east-1")


# --- the shop itself, over a real table


@pytest.fixture
def shop(dynamo: Database) -> Iterator[Any]:
    """The shop of the east: Flask's test client makes browsers of it."""
    with (
        viewing(document(endpoints={EAST: dynamo.url})) as (view, _),
        MultiRegionDynamoDB(view, home=EAST, session=session) as db,
    ):
        yield load("shop").create_app(db, HealthCheck(EAST, FakeItems(), view), EAST)


def load(name: str) -> ModuleType:
    """A module of the example."""
    spec = importlib.util.spec_from_file_location(f"flask_shop_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def logged_in(shop: Any, user: str = "ada") -> Any:
    browser = shop.test_client()
    answer = browser.post("/login", json={"user": user, "password": "example"})
    assert answer.status_code == 200
    return browser


def order(browser: Any, key: str, sku: str = "tea", **more: Any) -> Any:
    wish = {"sku": sku, **more}
    return browser.post("/orders", json=wish, headers={"Idempotency-Key": key})


@pytest.mark.long
@pytest.mark.world
def test_an_order_is_made_once_however_often_it_is_sent(shop: Any) -> None:
    browsers = iter([logged_in(shop) for _ in range(6)])
    answers = at_once(lambda: order(next(browsers), "a"), 6)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json["order"]["number"] for answer in answers}) == 1
    listed = logged_in(shop).get("/orders").json["orders"]
    assert [one["number"] for one in listed] == [answers[0].json["order"]["number"]]


@pytest.mark.world
def test_orders_belong_to_who_is_logged_in(shop: Any) -> None:
    ada, bob = logged_in(shop), logged_in(shop, "bob")
    assert order(ada, "1").status_code == order(bob, "1", "cup", quantity=3).status_code == 201
    assert [one["sku"] for one in ada.get("/orders").json["orders"]] == ["tea"]
    assert [one["cents"] for one in bob.get("/orders").json["orders"]] == [3600]


@pytest.mark.long
@pytest.mark.world
def test_a_key_used_for_another_order_is_refused(shop: Any) -> None:
    ada = logged_in(shop)
    assert order(ada, "1").status_code == 201
    assert order(ada, "1", "pot").status_code == 422
    assert len(ada.get("/orders").json["orders"]) == 1


@pytest.mark.long
@pytest.mark.world
def test_what_cannot_be_an_order_says_what_would_be(shop: Any) -> None:
    ada = logged_in(shop)
    assert "Idempotency-Key" in ada.post("/orders", json={"sku": "tea"}).json["error"]
    assert "tea, cup, pot" in order(ada, "1", "gun").json["error"]
    for quantity in (0, 100, "2", None, 1.5):
        assert order(ada, "1", quantity=quantity).status_code == 400
    assert ada.post("/orders", data="x", headers={"Idempotency-Key": "1"}).status_code == 400
    assert ada.get("/orders").json["orders"] == []


@pytest.mark.long
@pytest.mark.world
def test_a_session_needs_the_password_and_ends_with_logout(shop: Any) -> None:
    ada = logged_in(shop)
    wrong = shop.test_client().post("/login", json={"user": "ada", "password": "other"})
    assert wrong.status_code == 401
    cookie = ada.get_cookie("session")
    assert cookie.http_only
    assert ada.post("/logout").status_code == 200
    stolen = shop.test_client()
    stolen.set_cookie("session", cookie.value)
    assert stolen.get("/orders").status_code == ada.get("/orders").status_code == 401


@pytest.mark.long
@pytest.mark.world
def test_a_session_that_is_over_is_none_though_its_item_is_still_there(shop: Any) -> None:
    module = sys.modules["flask_shop_shop"]
    module.SESSION_SECONDS = -1  # type: ignore[attr-defined]  # a module of the example
    assert logged_in(shop).get("/orders").status_code == 401


@pytest.mark.long
@pytest.mark.world
def test_the_cookie_is_for_https_alone_where_the_browser_came_by_it(shop: Any) -> None:
    for scheme, secure in (("https", True), ("http", False)):
        answer = shop.test_client().post(
            "/login",
            json={"user": "ada", "password": "example"},
            headers={"X-Forwarded-Proto": scheme},
        )
        assert ("Secure" in answer.headers["Set-Cookie"]) == secure


@pytest.mark.long
@pytest.mark.world
def test_without_any_region_it_says_what_is_known(shop: Any, dynamo: Database) -> None:
    ada = logged_in(shop)
    dynamo.kill()
    reading, writing = ada.get("/orders"), ada.post("/logout")
    assert (reading.status_code, reading.json["outcome"]) == (503, None)
    assert writing.status_code == 503
    assert writing.json["outcome"] in {"not-sent", "unknown"}
    assert "127.0.0.1" not in reading.text + writing.text
    assert shop.test_client().get("/").status_code == 200
