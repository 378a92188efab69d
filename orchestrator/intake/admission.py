"""Who may push to this function: the second gate, behind Cloud Run's own.

A push subscription sends with each message a token that Google signed, and names itself in the
envelope. Both are compared with what the deployment wrote into the function's environment, before
anything of the message is read for its meaning. Pure: what checks a signature is handed in.

Cloud Run checks a token before the function sees it and then replaces its signature by
`REMOVED`. Such a token proves nothing by itself: anybody who reaches the function without Cloud
Run's check can write one. It is taken only where the deployment says that its IAM is closed, which
is where no request comes through that Cloud Run has not checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.core.exceptions import BadConfig, Forbidden, Problem
from orchestrator.core.model import Json
from orchestrator.intake.parse import subscription_of

IDENTITY = "FAILOVER_PUSH_IDENTITY"
AUDIENCE = "FAILOVER_PUSH_AUDIENCE"
SUBSCRIPTION = "FAILOVER_PUSH_SUBSCRIPTION"
IAM = "FAILOVER_PUSH_IAM"

REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in the place of the signature of a token that it has checked."""

ISSUERS = ("https://accounts.google.com", "accounts.google.com")

SKEW = timedelta(minutes=1)
"""How far two clocks may be apart. Google's tokens live for an hour."""

LONGEST = 8192
"""Characters of a token that is looked at. Google's have about a thousand."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)", re.IGNORECASE)
_NO_TIME = 10**12
"""Seconds since 1970 that no token is valid at, so that none is valid for ever."""

_OTHER_TOKEN = "x-serverless-authorization"  # noqa: S105  # the name of a header

Signed = Callable[[str], bool]
"""Whether Google signed this token. Raises Unavailable where that cannot be found out."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the deployment expects of every push to one topic.

    identity: e-mail of the service account whose token comes. audience: the token's; empty: not
    compared. subscription: the whole name of the one that pushes; empty: not compared. closed:
    Cloud Run lets nobody else through, so that it has checked every token that arrives.
    """

    identity: str
    audience: str = ""
    subscription: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it came, not believed yet. whole: to check its signature."""

    whole: str
    claims: Json
    signature: str


def expected(environ: Mapping[str, str]) -> Expectation | None:
    """What this deployment expects; None where it says nothing, as on a laptop.

    Raises BadConfig when it says something and not whose token is to be accepted.
    """
    said = {
        name: text
        for name in (IDENTITY, AUDIENCE, SUBSCRIPTION, IAM)
        if (text := environ.get(name, "").strip())
    }
    if not said:
        return None
    if IDENTITY not in said:
        text = (
            f"{', '.join(said)} is set without it. Write the e-mail of the service account"
            " whose token the push subscription sends"
        )
        raise BadConfig("the function's environment", [Problem(IDENTITY, text)])
    return Expectation(
        identity=said[IDENTITY],
        audience=said.get(AUDIENCE, ""),
        subscription=said.get(SUBSCRIPTION, ""),
        closed=said.get(IAM) == "closed",
    )


def admit(
    expectation: Expectation,
    headers: Mapping[str, str],
    body: object,
    now: datetime,
    signed: Signed,
) -> None:
    """Return if this request is the deployment's own push.

    headers: of the request, their names in any case. Raises Forbidden, saying what differs, and
    what `signed` raises.
    """
    token = _token(headers)
    _compare(expectation, token.claims, now)
    _check_signature(expectation, token, headers, signed)
    _check_subscription(expectation, body)


def _token(headers: Mapping[str, str]) -> Token:
    given = _header(headers, "authorization")
    if not given:
        raise Forbidden("token", "it carries no token")
    token = _BEARER.fullmatch(given.strip()) if len(given) <= LONGEST else None
    claims = _claims(token[2]) if token else None
    if token is None or claims is None:
        raise Forbidden("token", "its token does not have the form of Google's")
    return Token(given.strip().split()[1], claims, token[3])


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((str(text) for key, text in headers.items() if key.lower() == name), "")


def _claims(part: str) -> Json | None:
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _compare(expectation: Expectation, claims: Json, now: datetime) -> None:
    """Raise Forbidden for the first claim that is not as expected."""
    _compare_identity(expectation.identity, claims)
    if claims.get("iss") not in ISSUERS:
        raise Forbidden("issuer", f"its token is issued by {_shown(claims.get('iss'))}, not Google")
    if expectation.audience and claims.get("aud") != expectation.audience:
        text = f"its token is meant for {_shown(claims.get('aud'))}, not {expectation.audience}"
        raise Forbidden("audience", text)
    _compare_age(claims, now)


def _compare_identity(identity: str, claims: Json) -> None:
    email = claims.get("email")
    if email != identity:
        whose = f"is of {_shown(email)}" if email else "names no account"
        raise Forbidden("identity", f"its token {whose}, not of {identity}")
    if claims.get("email_verified") is not True:
        raise Forbidden("identity", "its token does not say that Google has verified the e-mail")


def _compare_age(claims: Json, now: datetime) -> None:
    at, skew = now.timestamp(), SKEW.total_seconds()
    begins, ends = _number(claims.get("iat")), _number(claims.get("exp"))
    if begins is None or ends is None:
        raise Forbidden("age", "its token does not say from when to when it is valid")
    if ends < at - skew:
        raise Forbidden("age", "its token has expired")
    if begins > at + skew:
        raise Forbidden("age", "its token is not valid yet")


def _number(value: object) -> float | None:
    """A time in seconds; None for what is no number, and for numbers that no time is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _NO_TIME else None


def _check_signature(
    expectation: Expectation, token: Token, headers: Mapping[str, str], signed: Signed
) -> None:
    """Raise Forbidden unless Google vouches for the token, or Cloud Run has done so."""
    if token.signature != REMOVED:
        if not token.signature or not signed(token.whole):
            raise Forbidden("signature", "Google did not sign its token")
        return
    if not expectation.closed:
        text = (
            f"its token has no signature but {REMOVED}, and this deployment does not say that"
            f" Cloud Run checks who calls ({IAM}=closed)"
        )
        raise Forbidden("signature", text)
    if any(name.lower() == _OTHER_TOKEN for name in headers.keys()):  # noqa: SIM118  # not a dict's
        text = (
            "it carries two tokens. Cloud Run checks the one in X-Serverless-Authorization, which"
            " says nothing about the one that is compared here"
        )
        raise Forbidden("signature", text)


def _check_subscription(expectation: Expectation, body: object) -> None:
    if not expectation.subscription:
        return
    subscription = subscription_of(body)
    if subscription == expectation.subscription:
        return
    named = f"from subscription {_shown(subscription)}"
    which = named if subscription else "from no subscription that it names"
    text = f"it comes {which}, not from {expectation.subscription}"
    if not subscription:
        text += (
            ". The push subscription may have payload unwrapping on (--push-no-wrapper): set it"
            " again without that flag"
        )
    raise Forbidden("subscription", text)


def _shown(value: object) -> str:
    """A claim as it may stand in a log: short, and printable whatever was written into it."""
    return ascii(value[:200]) if isinstance(value, str) else "something that is no text"
