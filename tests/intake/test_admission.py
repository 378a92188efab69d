"""Who may push: forged, foreign and stripped tokens against the function, by HTTP."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.adapters.gcp.certificates import LEAST, GoogleCertificates
from orchestrator.core.exceptions import BadConfig, Forbidden, Unavailable
from orchestrator.intake import admission
from orchestrator.intake.admission import Expectation, admit, expected
from orchestrator.local.process.child import ROOT
from orchestrator.wiring import Wiring
from tests.support.tokens import (
    ALERTS,
    AUDIENCE,
    CONTROL,
    SUBSCRIPTION,
    Certificates,
    certificates,
    claims,
    encoded,
    signed,
    stripped,
)
from tests.test_entry import alert, configured, document, lines, message

DEPLOYED = {
    admission.IDENTITY: ALERTS,
    admission.AUDIENCE: AUDIENCE,
    admission.SUBSCRIPTION: SUBSCRIPTION,
    admission.IAM: "closed",
}
OPEN = {name: value for name, value in DEPLOYED.items() if name != admission.IAM}
OURS = Expectation(ALERTS, AUDIENCE, SUBSCRIPTION, closed=True)

Function = Callable[..., FlaskClient]


def envelope(body: object, subscription: object = SUBSCRIPTION) -> dict[str, Any]:
    """A push of this subscription; None: it names none."""
    found = message(body) | {"subscription": subscription}
    return {name: value for name, value in found.items() if value is not None}


def our_alert() -> dict[str, Any]:
    """A push of this subscription, published now."""
    return envelope(alert(region="us-east-1", service="checkout"))


def our_command() -> dict[str, Any]:
    """An evacuation, published and issued now."""
    return envelope(
        {
            "kind": "command",
            "id": "c-1",
            "issued_at": datetime.now(UTC).isoformat(),
            "verb": "evacuate",
            "region": "us-east-1",
            "actor": "alice@example.com",
            "reason": "a drill",
        }
    )


@pytest.fixture
def google() -> Iterator[Certificates]:
    with certificates() as made:
        yield made


@pytest.fixture
def function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, google: Certificates
) -> Iterator[Function]:
    """Makes the function under its framework, deployed with this environment."""
    kept = sys.modules.get("main")
    monkeypatch.delenv("COMPUTE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("FAILOVER_CONFIG", str(configured(tmp_path, "checkout")))

    def deploy(environ: dict[str, str], target: str = "on_alert") -> FlaskClient:
        for name in DEPLOYED:
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        create: Any = functions_framework.create_app  # it carries no types
        app = create(target, str(ROOT / "main.py"))
        made: Any = sys.modules["main"]
        made._wiring = Wiring(os.environ, ROOT, certificates=google.url)
        client: FlaskClient = app.test_client()
        return client

    yield deploy
    if kept is not None:
        sys.modules["main"] = kept


def post(client: FlaskClient, body: object, token: str = "", **headers: str) -> tuple[int, str]:
    """The status and the text of the answer to one push."""
    sent = {**({"Authorization": token} if token else {}), **headers}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/", data=data, headers=sent, content_type="application/json")
    return answer.status_code, answer.text


def test_the_deployments_own_push_is_taken(function: Function, tmp_path: Path) -> None:
    assert post(function(DEPLOYED), our_alert(), stripped()) == (200, "moved\n")
    assert document(tmp_path, "checkout")["primary"] == "us-west-2"


FORGED = {
    "no token at all": ("", "push-token"),
    "a word that is no token": ("Bearer open-sesame", "push-token"),
    "basic authentication": ("Basic YWxhZGRpbjpvcGVuc2VzYW1l", "push-token"),
    "two tokens in one header": (f"{stripped()},{stripped()}", "push-token"),
    "a token with a fourth part": (f"{stripped()}.x", "push-token"),
    "claims that are a list": (f"Bearer e30.{encoded([1])}.{admission.REMOVED}", "push-token"),
    "a token without end": (f"Bearer e30.{'A' * 9000}.{admission.REMOVED}", "push-token"),
    "another account": (stripped(email="mallory@evil.iam.gserviceaccount.com"), "push-identity"),
    "the other topic's account": (stripped(email=CONTROL), "push-identity"),
    "an e-mail in a list": (stripped(email=[ALERTS]), "push-identity"),
    "no e-mail": (stripped(email=None), "push-identity"),
    "an e-mail nobody verified": (stripped(email_verified=False), "push-identity"),
    "verified, as a text": (stripped(email_verified="true"), "push-identity"),
    "another issuer": (stripped(iss="https://accounts.google.com.evil.example"), "push-issuer"),
    "another audience": (stripped(aud="https://elsewhere.example.com"), "push-audience"),
    "several audiences": (stripped(aud=[AUDIENCE]), "push-audience"),
    "a token of yesterday": (stripped(iat=1, exp=2), "push-age"),
    "a token of tomorrow": (stripped(iat=4_000_000_000, exp=4_000_003_600), "push-age"),
    "a token for ever": (stripped(exp=float("inf")), "push-age"),
    "a token until no time": (stripped(exp=float("nan")), "push-age"),
    "a token until a huge number": (stripped(exp=10**400), "push-age"),
    "a token without an end": (stripped(exp=None), "push-age"),
    "a signature of somebody else": (signed("mallory"), "push-signature"),
    "an algorithm that signs nothing": (
        f"Bearer {encoded({'alg': 'none', 'kid': 'one'})}.{encoded(claims())}.",
        "push-signature",
    ),
    "an algorithm with a shared secret": (
        f"Bearer {encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(claims())}.AAAA",
        "push-signature",
    ),
    "an algorithm of other keys": (
        f"Bearer {encoded({'alg': 'ES256', 'kid': 'one'})}.{encoded(claims())}.AAAA",
        "push-signature",
    ),
    "a key that Google does not have": (signed("mallory", kid="mine"), "push-signature"),
}


@pytest.mark.parametrize(("token", "rule"), FORGED.values(), ids=FORGED.keys())
def test_a_request_with_another_token_is_refused_paged_once_and_reads_and_writes_nothing(
    function: Function, tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str, rule: str
) -> None:
    client = function(DEPLOYED)
    for _ in range(2):
        assert post(client, our_alert(), token) == (403, "forbidden\n")
    assert not (tmp_path / "state").exists()
    page, *others = lines(capsys)
    assert (page["severity"], page["page"], page["rule"]) == ("CRITICAL", True, rule)
    assert page["command"] == "failoverctl check"
    assert [line["severity"] for line in others] == ["WARNING", "WARNING"]


def test_the_account_that_pushes_alerts_gives_no_command_and_the_other_way_round(
    function: Function, tmp_path: Path
) -> None:
    """Each function is deployed with its own identity; both attacks move the primary otherwise."""
    control = {**DEPLOYED, admission.IDENTITY: CONTROL}
    assert post(function(control, "on_control"), our_command(), stripped())[0] == 403
    assert post(function(DEPLOYED), our_alert(), stripped(email=CONTROL))[0] == 403
    assert not (tmp_path / "state").exists()
    assert post(function(control, "on_control"), our_command(), stripped(email=CONTROL))[0] == 200


def test_a_removed_signature_is_believed_only_where_cloud_run_lets_nobody_else_through(
    function: Function, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for iam in ({}, {admission.IAM: "open"}, {admission.IAM: "Closed"}):
        assert post(function({**OPEN, **iam}), our_alert(), stripped())[0] == 403
    assert not (tmp_path / "state").exists()
    assert "FAILOVER_PUSH_IAM=closed" in lines(capsys)[0]["message"]


@pytest.mark.parametrize("second", [stripped(email="mallory@evil.example"), "", " "])
def test_a_second_token_that_cloud_run_checks_in_its_place_lets_nothing_through(
    function: Function, tmp_path: Path, second: str
) -> None:
    """An invoker of another account sends its own token there, and a forged one where we look."""
    other = {"X-Serverless-Authorization": second}
    assert post(function(DEPLOYED), our_alert(), stripped(), **other)[0] == 403
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("iam", [DEPLOYED, OPEN], ids=["closed", "open"])
def test_a_signature_that_is_there_is_checked_with_googles_certificates(
    function: Function, google: Certificates, iam: dict[str, str]
) -> None:
    """They are fetched once, for as long as Google says that they may be kept."""
    client = function(iam)
    assert post(client, our_alert(), signed()) == (200, "moved\n")
    assert post(client, our_alert(), signed())[0] == 200
    assert google.asked == 1


@pytest.mark.parametrize(
    ("status", "body"), [(503, b""), (404, b""), (302, b""), (200, b"<html>"), (200, b'{"one": 1}')]
)
def test_certificates_that_cannot_be_had_are_an_error_and_never_an_acceptance(
    function: Function, google: Certificates, tmp_path: Path, status: int, body: bytes
) -> None:
    google.status, google.body = status, body
    client = function(OPEN)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    assert post(client, our_alert(), signed())[0] == 500
    assert not (tmp_path / "state").exists()
    google.status, google.body = 200, None
    assert post(client, our_alert(), signed()) == (200, "moved\n")


def test_a_server_of_certificates_that_is_gone_is_an_error_too() -> None:
    with certificates() as made:
        gone = made.url
    with pytest.raises(Unavailable, match="cannot be fetched"):
        GoogleCertificates(gone).signed(signed().split()[1])


def test_a_new_key_of_google_is_found_and_a_flood_of_unknown_ones_asks_once_a_minute(
    google: Certificates,
) -> None:
    at = [0.0]
    ours = GoogleCertificates(google.url, lambda: at[0])
    assert ours.signed(signed().split()[1])
    google.known["two"] = "rotated"
    fresh = signed("rotated", kid="two").split()[1]
    for number in range(3):
        assert not ours.signed(signed("mallory", kid=f"k{number}").split()[1])
    assert not ours.signed(fresh)
    assert google.asked == 1
    at[0] += LEAST
    assert ours.signed(fresh)
    assert google.asked == 2


def test_certificates_are_fetched_again_when_their_time_is_over(google: Certificates) -> None:
    google.control = "public, max-age=600"
    at = [0.0]
    ours = GoogleCertificates(google.url, lambda: at[0])
    assert ours.signed(signed().split()[1])
    google.known = {"two": "rotated"}
    at[0] += 599
    assert ours.signed(signed().split()[1])
    at[0] += 1
    assert not ours.signed(signed().split()[1])


ELSEWHERE = {
    "another subscription": envelope(alert(region="us-east-1"), "projects/evil/subscriptions/s"),
    "one whose name is longer": envelope(alert(region="us-east-1"), SUBSCRIPTION + "-2"),
    "no subscription": envelope(alert(region="us-east-1"), None),
    "a subscription that is a list": envelope(alert(region="us-east-1"), [SUBSCRIPTION]),
    "no envelope": alert(region="us-east-1"),
    "no JSON": b"\x00\xff garbage",
    "an empty body": b"",
    "nesting without end": b'{"message":' + b"[" * 50_000,
}


@pytest.mark.parametrize("body", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_push_of_another_subscription_is_refused_and_paged(
    function: Function, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: object
) -> None:
    assert post(function(DEPLOYED), body, stripped())[0] == 403
    assert not (tmp_path / "state").exists()
    page, _ = lines(capsys)
    assert (page["severity"], page["rule"]) == ("CRITICAL", "push-subscription")


def test_eventarcs_forms_name_the_subscription_too(function: Function) -> None:
    """In binary form the body is the envelope; in structured form it is the event's data."""
    event = {"specversion": "1.0", "id": "1", "source": "//p", "type": "t"}
    text = json.dumps(our_alert())
    forms: list[dict[str, Any]] = [
        {**event, "data": our_alert()},
        {**event, "data": text},
        {**event, "data_base64": base64.b64encode(text.encode()).decode()},
    ]
    client = function(DEPLOYED)
    for form in forms:
        assert post(client, form, stripped())[0] == 200
        assert (
            post(client, {**form, "subscription": SUBSCRIPTION, "data": {}}, stripped())[0] == 403
        )


def test_a_message_that_is_too_large_to_read_is_still_poison_and_comes_no_more(
    function: Function,
) -> None:
    """Who may publish chooses its size; refused with 403 it would be sent again for days."""
    assert post(function(DEPLOYED), envelope("x" * 3_000_000), stripped()) == (200, "poison\n")


def test_what_a_token_claims_is_short_and_printable_in_the_log(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    post(function(DEPLOYED), our_alert(), stripped(email="a\u202e\u2028\x1b[2J" + "b" * 4000))
    page, _ = lines(capsys)
    assert page["message"].isascii()
    assert page["message"].isprintable()
    assert len(page["message"]) < 1000


def test_where_nothing_is_configured_everything_is_taken_and_it_is_said_once(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    client = function({})
    for _ in range(3):
        assert post(client, our_alert())[0] == 200
    found = [line for line in lines(capsys) if "is not set" in line["message"]]
    assert [line["severity"] for line in found] == ["WARNING"]


def test_an_expectation_without_an_identity_is_no_configuration(
    function: Function, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would take a token of anybody whose token Google signs."""
    for name in (admission.IAM, admission.AUDIENCE, admission.SUBSCRIPTION):
        with pytest.raises(BadConfig, match=admission.IDENTITY):
            expected({name: DEPLOYED[name], admission.IDENTITY: " "})
    client = function({admission.IAM: "closed"})
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    assert post(client, our_alert(), stripped())[0] == 500
    assert not (tmp_path / "state").exists()
    page = lines(capsys)[0]
    assert (page["severity"], page["rule"]) == ("CRITICAL", "configuration")


def test_what_is_not_configured_is_not_compared() -> None:
    anywhere = Expectation(ALERTS, closed=True)
    sent = {"authorization": stripped(aud="https://elsewhere.example.com")}
    admit(anywhere, sent, our_alert() | {"subscription": "x"}, datetime.now(UTC), never)


def never(token: str) -> bool:
    """A signature is not asked for where there is none."""
    raise AssertionError(token)


def test_clocks_may_be_a_minute_apart() -> None:
    now = datetime.now(UTC)
    sent = {"Authorization": stripped(iat=int(now.timestamp()), exp=int(now.timestamp()) + 10)}
    for off in (-50, 0, 60):
        admit(OURS, sent, our_alert(), now + timedelta(seconds=off), never)
    for off in (-70, 80):
        with pytest.raises(Forbidden):
            admit(OURS, sent, our_alert(), now + timedelta(seconds=off), never)


@pytest.mark.parametrize(("ahead", "primary"), [(50, "us-west-2"), (70, "us-east-1")])
def test_a_command_from_more_than_a_minute_ahead_is_refused(
    function: Function, tmp_path: Path, ahead: int, primary: str
) -> None:
    """One that is issued for tomorrow would be the newest of its family until then."""
    command = {
        "kind": "command",
        "id": "c-ahead",
        "issued_at": (datetime.now(UTC) + timedelta(seconds=ahead)).isoformat(),
        "verb": "failover",
        "service": "checkout",
        "to": "us-west-2",
        "now": True,
        "override": "target_healthy",
        "actor": "mallory",
        "reason": "a command of tomorrow",
    }
    control = {**DEPLOYED, admission.IDENTITY: CONTROL}
    client = function(control, "on_control")
    assert post(client, envelope({"kind": "tick"}), stripped(email=CONTROL))[0] == 200
    assert post(client, envelope(command), stripped(email=CONTROL))[0] == 200
    found = document(tmp_path, "checkout")
    assert found["primary"] == primary
    reasons = found["history"][0]["reasons"]
    refused = [one["rule"] for one in reasons if not one["passed"]]
    assert ("command" in refused) == (primary == "us-east-1")
    assert bool(found.get("order")) == (primary == "us-west-2")


ODD = (
    some.none() | some.booleans() | some.integers() | some.floats() | some.text("aé\0", max_size=9)
)
CLAIMED = some.dictionaries(some.sampled_from(sorted(claims())), ODD | some.lists(ODD, max_size=2))


@given(changes=CLAIMED, tail=some.sampled_from([admission.REMOVED, "", "AAAA"]))
def test_no_claims_but_the_deployments_own_pass(changes: dict[str, Any], tail: str) -> None:
    """Whatever else is in the token, and whatever type it has: refused, and nothing else."""
    told = {**claims(), **changes}
    token = f"Bearer e30.{encoded(told)}.{tail}"
    passed = True
    try:
        admit(OURS, {"Authorization": token}, our_alert(), datetime.now(UTC), lambda _: False)
    except Forbidden:
        passed = False
    compared = {name: told.get(name) for name in ("email", "aud", "iss", "email_verified")}
    right = {name: claims()[name] for name in compared}
    assert not passed or (compared == right and tail == admission.REMOVED)
    assert passed or changes or tail != admission.REMOVED


@given(given=some.text("Bearer .-_é\0\n=", max_size=40))
def test_no_other_text_is_a_token(given: str) -> None:
    with pytest.raises(Forbidden):
        admit(OURS, {"Authorization": given}, our_alert(), datetime.now(UTC), lambda _: False)
