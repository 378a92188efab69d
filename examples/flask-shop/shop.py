"""A small shop over a table that lives in several regions: what an application has to think of.

Everything is one item of one table (partition key `pk`), written so that it may be repeated after
an outcome that nobody knows:

    account#USER     who may log in; made by the first login, on the condition that there is none
    session#HASH     a login, by the hash of its token; in the table and not in a process, so that
                     it outlives the region. `expires_at` is the table's TTL attribute
    user#USER        the numbers of the user's orders, a set: adding one twice changes nothing
    order#NUMBER     an order; its number is made of the user and the Idempotency-Key, and it is
                     written on the condition that it is not there

An order's number is added to the user's set first: what a crash leaves then is a number without an
order, which a listing passes over and the repeated request completes.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError
from flask import Flask, Response, jsonify, request
from werkzeug.security import check_password_hash, generate_password_hash

from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import Outcome, RegionError
from orchestrator.client.flask import blueprint
from orchestrator.client.health import HealthCheck

CATALOGUE = {"tea": 450, "cup": 1200, "pot": 3900}
"""Prices in cents."""

SESSION_SECONDS = 7 * 24 * 3600
LISTED = 100
"""Orders in a listing: what one BatchGetItem takes."""

ROUNDS = 5
"""How often a listing asks for what a throttled table left out."""

MOST = 99
_OK, _CREATED, _BAD, _UNAUTHORIZED, _UNPROCESSABLE, _UNAVAILABLE = 200, 201, 400, 401, 422, 503

Item = dict[str, Any]


class Refused(Exception):
    """The request cannot be served. status: HTTP's; the text is for the sender."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody orders. number: of the order, the same for the same key."""

    number: str
    user: str
    sku: str
    quantity: int


class Store:
    """The shop's items. Raises RegionError where no region will do, or nobody knows."""

    def __init__(self, db: MultiRegionDynamoDB, table: str) -> None:
        self._db = db
        self._name = table
        self._table = db.Table(table)
        self._repeatable = db.options(idempotent=True).Table(table)

    def account(self, user: str, password: str) -> bool:
        """Whether the password is the user's; one who is new becomes known by it."""
        key = f"account#{user}"
        known = self._get(key) or self._get(key, consistent=True)
        if known is None:
            item = {"pk": key, "password": generate_password_hash(password)}
            if self._put_new(item):
                return True
            known = self._get(key, consistent=True)  # made by somebody else at this moment
        return known is not None and check_password_hash(str(known["password"]), password)

    def begin_session(self, user: str) -> str:
        """A new session's token, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        item: dict[str, str | int] = {
            "pk": _session(token),
            "user": user,
            "expires_at": _now() + SESSION_SECONDS,
        }
        self._repeatable.put_item(Item=item)
        return token

    def user(self, token: str) -> str | None:
        """Whose session it is. Read here; one so new that it is not here yet, where writes go."""
        key = _session(token)
        item = self._get(key) or self._get(key, consistent=True)
        # DynamoDB removes what has expired when it has time for it, up to days later.
        return str(item["user"]) if item and item["expires_at"] > _now() else None

    def end_session(self, token: str) -> None:
        """No session of this token any more."""
        self._repeatable.delete_item(Key={"pk": _session(token)})

    def order(self, wish: Wish, region: str) -> tuple[Item, bool]:
        """The order, and whether it is new. Raises Refused if its number is another order's."""
        self._repeatable.update_item(
            Key={"pk": f"user#{wish.user}"},
            UpdateExpression="ADD orders :number",
            ExpressionAttributeValues={":number": {wish.number}},
        )
        item = {
            "pk": f"order#{wish.number}",
            "number": wish.number,
            "user": wish.user,
            "sku": wish.sku,
            "quantity": wish.quantity,
            "cents": CATALOGUE[wish.sku] * wish.quantity,
            "at": _now(),
            "made_in": region,
        }
        if self._put_new(item):
            return item, True
        known = self._get(str(item["pk"]), consistent=True)
        if known is None or (known["sku"], known["quantity"]) != (wish.sku, wish.quantity):
            raise Refused(
                _UNPROCESSABLE,
                "this Idempotency-Key was used for another order: take a new one for a new order",
            )
        return known, False

    def orders(self, user: str) -> list[Item]:
        """The user's orders as this region has them, the newest first; some of very many."""
        found = self._get(f"user#{user}")
        numbers = sorted(found["orders"])[:LISTED] if found else []
        items: list[Item] = []
        wanted = self._batch([f"order#{number}" for number in numbers])
        for _ in range(ROUNDS):
            if not wanted:
                return sorted(items, key=lambda item: item["at"], reverse=True)
            answer = self._db.batch_get_item(RequestItems=wanted)
            items += answer["Responses"].get(self._name, [])
            wanted = answer.get("UnprocessedKeys", {})
        raise Refused(_UNAVAILABLE, "too much is asked of the table now: try again in a moment")

    def _batch(self, keys: list[str]) -> Mapping[str, Any]:
        return {self._name: {"Keys": [{"pk": key} for key in keys]}} if keys else {}

    def _get(self, key: str, *, consistent: bool = False) -> Item | None:
        item: Item | None = self._table.get_item(Key={"pk": key}, ConsistentRead=consistent).get(
            "Item"
        )
        return item

    def _put_new(self, item: Item) -> bool:
        """Whether it was not there. Conditional, so the client may repeat it by itself."""
        try:
            self._table.put_item(Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


class Shop:
    """The shop's pages, in one region."""

    def __init__(self, store: Store, region: str) -> None:
        self._store = store
        self._region = region

    def front(self) -> Response:
        """What there is to buy, and which region says so."""
        rows = "".join(f"<li>{sku}: {cents / 100:.2f} EUR" for sku, cents in CATALOGUE.items())
        page = f"<!doctype html><title>Shop</title><h1>Shop</h1><ul>{rows}</ul>"
        return Response(f"{page}<p>Served by {self._region}.\n", mimetype="text/html")

    def login(self) -> tuple[Response, int]:
        """`{"user": ..., "password": ...}`; who is new becomes known by it."""
        user, password = _text("user"), _text("password")
        if not self._store.account(user, password):
            raise Refused(_UNAUTHORIZED, "this is not the user's password")
        answer = jsonify(user=user, region=self._region)
        answer.set_cookie(
            "session",
            self._store.begin_session(user),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=_by_https(),
        )
        return answer, _OK

    def logout(self) -> tuple[Response, int]:
        """End the session."""
        if token := request.cookies.get("session"):
            self._store.end_session(token)
        answer = jsonify(region=self._region)
        answer.delete_cookie("session", httponly=True, samesite="Lax", secure=_by_https())
        return answer, _OK

    def orders(self) -> tuple[Response, int]:
        """The orders of the user who is logged in."""
        orders = [_shown(order) for order in self._store.orders(self._user())]
        return jsonify(orders=orders, region=self._region), _OK

    def order(self) -> tuple[Response, int]:
        """`{"sku": ..., "quantity": ...}` and an `Idempotency-Key`: 201, the second time 200."""
        order, new = self._store.order(self._wish(self._user()), self._region)
        return jsonify(order=_shown(order), region=self._region), _CREATED if new else _OK

    def _wish(self, user: str) -> Wish:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            raise Refused(
                _BAD,
                "an order needs a header Idempotency-Key, any text that is new for every order:"
                " with it the request can be repeated when no answer came",
            )
        sku, quantity = _text("sku"), _body().get("quantity", 1)
        if sku not in CATALOGUE:
            raise Refused(_BAD, f"there is no {sku!r}: there are {', '.join(CATALOGUE)}")
        if not isinstance(quantity, int) or not 1 <= quantity <= MOST:
            raise Refused(_BAD, f"quantity is a whole number from 1 to {MOST}")
        number = hashlib.sha256(f"{user}\n{key}".encode()).hexdigest()[:24]
        return Wish(number, user, sku, quantity)

    def _user(self) -> str:
        token = request.cookies.get("session")
        user = self._store.user(token) if token else None
        if user is None:
            raise Refused(_UNAUTHORIZED, "nobody is logged in: POST /login")
        return user


def create_app(
    db: MultiRegionDynamoDB, check: HealthCheck, region: str, table: str = "checkout"
) -> Flask:
    """The shop of one region, with its health endpoint. table: its name, the same everywhere."""
    app = Flask("shop")
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.register_blueprint(blueprint(check))
    shop = Shop(Store(db, table), region)
    app.add_url_rule("/", view_func=shop.front)
    app.add_url_rule("/login", view_func=shop.login, methods=["POST"])
    app.add_url_rule("/logout", view_func=shop.logout, methods=["POST"])
    app.add_url_rule("/orders", view_func=shop.orders)
    app.add_url_rule("/orders", "order", view_func=shop.order, methods=["POST"])

    @app.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        return jsonify(error=str(error), region=region), error.status

    @app.errorhandler(RegionError)
    def no_region(error: RegionError) -> tuple[Response, int]:
        """What it means for the sender, without anything internal."""
        app.logger.warning("%s", error)
        text = {
            Outcome.UNKNOWN: "it may have been done: send it again with the same Idempotency-Key",
            Outcome.NOT_SENT: "nothing was done: send it again in a moment",
            None: "it cannot be read at the moment: try again",
        }[error.outcome]
        answer = jsonify(error=text, outcome=error.outcome, region=region)
        answer.headers["Retry-After"] = "1"
        return answer, _UNAVAILABLE

    return app


def _session(token: str) -> str:
    """The key of the session: who can read the table cannot log in with what it holds."""
    return f"session#{hashlib.sha256(token.encode()).hexdigest()}"


def _now() -> int:
    return int(time.time())  # noqa: TID251  # an application's own clock: sessions end by it


def _body() -> Mapping[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(_BAD, "send a JSON object, with Content-Type: application/json")
    return body


def _text(name: str) -> str:
    value = _body().get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:  # noqa: PLR2004  # keys end at 2 KB
        raise Refused(_BAD, f"{name} is a text of at most 200 characters")
    return value


def _by_https() -> bool:
    """Whether the browser came by HTTPS, which the load balancer ends."""
    return request.headers.get("X-Forwarded-Proto", request.scheme) == "https"


def _shown(order: Item) -> Item:
    """As JSON has it: boto3's numbers are decimals."""
    return {
        name: int(value) if isinstance(value, Decimal) else value
        for name, value in order.items()
        if name not in {"pk", "user"}
    }
