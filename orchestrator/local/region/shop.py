"""A small shop, one region's application over its own DynamoDB, as an application is to be written.

    python -m orchestrator.local.region.shop --region us-east-1 --port 8101 \\
        --document gs://laptop-failover/checkout.json --endpoint http://127.0.0.1:8201

`GET /` serves a user and says which region did. `POST /orders` makes an order, `GET /orders/<id>`
shows it. `POST /login` begins a session, which lives in the table and not in this process, so it
outlives the region; `GET /me` shows whose it is. Health is told by the client's own blueprint, and
its heartbeat is written. All data goes through `MultiRegionDynamoDB`.

For drills: `POST /_laptop/behave` changes how it answers from now on (see `behaviour`), whatever
the truth is; `GET /_laptop/requests` counts the user requests served.
"""

from __future__ import annotations

import argparse
import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from flask import Flask, Response, jsonify, request

from orchestrator.client import allowed
from orchestrator.client.document import DocumentView
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.errors import RegionError
from orchestrator.client.flask import blueprint
from orchestrator.client.health import HealthCheck, Heartbeat, Limits, RegionItems, items_of
from orchestrator.client.sources import source
from orchestrator.local.dynamodb.touched import TABLE
from orchestrator.local.process.http_status import REDIRECTION, SUCCESS
from orchestrator.local.process.serve_wsgi import serve
from orchestrator.local.region.behaviour import Behaviour

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

REFRESH = 0.5
"""Seconds between two looks at the document."""

LINGER = 1.5
"""Seconds that a lost role is held on to: a refresh and two of the load balancer's checks."""

HEARTBEAT = 2.0
"""Seconds between two heartbeats."""

THREADS = 256
"""Requests at a time: so many are under way if each is told to be seconds late."""

FRONT = "shop#front"
"""The item that `GET /` reads, whether it is there or not."""


class Shop:
    """The shop of `region`, by the tables of `db`."""

    def __init__(self, region: str, db: MultiRegionDynamoDB) -> None:
        self.region = region
        self._table: Table = db.Table(TABLE)

    def front(self) -> Response:
        """What every user sees first: one read."""
        self._table.get_item(Key={"pk": FRONT})
        return jsonify(region=self.region, at=_now())

    def make_order(self) -> tuple[Response, int]:
        """Make an order of `{"sku": ..., "quantity": ...}`; 201, or 200 if it was there already.

        Who asks again after an unknown outcome sends the same `Idempotency-Key`, which becomes the
        order's id: it is made once.
        """
        wanted = request.get_json(silent=True)
        match wanted:
            case {"sku": str(sku), "quantity": int(quantity)}:
                pass
            case _:
                return jsonify(error="an order is JSON with a `sku` and a `quantity`"), 400
        number = request.headers.get("Idempotency-Key") or uuid.uuid4().hex
        order: dict[str, Any] = {
            "id": number,
            "sku": sku,
            "quantity": quantity,
            "made_in": self.region,
            "at": _now(),
        }
        try:
            self._table.put_item(
                Item={"pk": f"order#{number}", **order},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return self.show_order(number, consistent=True)
        return jsonify(**order, region=self.region), 201

    def show_order(self, number: str, *, consistent: bool = False) -> tuple[Response, int]:
        """One order as this region has it, or with `?consistent=1` as where writes go."""
        consistent = consistent or "consistent" in request.args
        found = self._read(f"order#{number}", consistent=consistent)
        if found is None:
            return jsonify(error="no such order", region=self.region), 404
        return jsonify(**found, region=self.region), 200

    def login(self) -> tuple[Response, int]:
        """Begin a session of `{"user": ...}`; its token comes as a cookie and in the answer."""
        wanted = request.get_json(silent=True)
        if not (isinstance(wanted, dict) and isinstance(wanted.get("user"), str)):
            return jsonify(error="a login is JSON with a `user`"), 400
        token = uuid.uuid4().hex
        item = {"pk": f"session#{token}", "user": wanted["user"], "at": _now()}
        self._table.put_item(Item=item)
        answer = jsonify(user=wanted["user"], token=token, region=self.region)
        answer.set_cookie("session", token, httponly=True, samesite="Lax")
        return answer, 200

    def me(self) -> tuple[Response, int]:
        """Whose session this is; 401 if it is nobody's.

        Read here first; a session so new that it is not here yet is read where writes go.
        """
        key = f"session#{request.cookies.get('session', '')}"
        found = self._read(key) or self._read(key, consistent=True)
        if found is None:
            return jsonify(error="nobody is logged in", region=self.region), 401
        return jsonify(user=found["user"], region=self.region), 200

    def _read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:
        item = self._table.get_item(Key={"pk": key}, ConsistentRead=consistent).get("Item")
        return (
            {name: _plain(value) for name, value in item.items() if name != "pk"} if item else None
        )


class Drill:
    """What a drill tells the application to do, whatever the truth is, and what it counts."""

    def __init__(self, region: str, health: Sequence[str]) -> None:
        self._region = region
        self._health = frozenset(health)
        self._behaviour = Behaviour()
        self._served = 0

    def before(self) -> Response | None:
        """Before every request: the delay, and the answer that was ordered, if one was."""
        if request.path.startswith("/_laptop/"):
            return None
        time.sleep(self._behaviour.delay)
        if request.path not in self._health:
            self._served += 1
            return self._ordered(self._behaviour.serve_status)
        status = self._behaviour.health_status
        if status in SUCCESS and request.path.endswith("/primary"):
            status = self._behaviour.primary_status
        return self._ordered(status)

    def _ordered(self, status: int) -> Response | None:
        if status in SUCCESS:
            return None  # the truth
        answer = jsonify(status="failing", region=self._region)
        answer.status_code = status
        if status in REDIRECTION:
            answer.headers["Location"] = "/elsewhere"
        return answer

    def behave(self) -> tuple[Response, int]:
        """Take a wish."""
        try:
            self._behaviour = self._behaviour.changed(request.get_json(force=True))
        except (ValueError, TypeError) as error:
            return jsonify(error=str(error)), 400
        return jsonify({}), 200

    def requests(self) -> Response:
        """How many user requests came."""
        return jsonify(served=self._served)


def application(region: str, db: MultiRegionDynamoDB, check: HealthCheck) -> Flask:
    """The Flask application with all routes."""
    app = Flask("shop")
    shop = Shop(region, db)
    health = blueprint(check)
    app.register_blueprint(health)
    paths = [
        rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(health.name)
    ]
    drill = Drill(region, paths)
    app.before_request(drill.before)
    app.add_url_rule("/", view_func=shop.front)
    app.add_url_rule("/orders", view_func=shop.make_order, methods=["POST"])
    app.add_url_rule("/orders/<number>", view_func=shop.show_order)
    app.add_url_rule("/login", view_func=shop.login, methods=["POST"])
    app.add_url_rule("/me", view_func=shop.me)
    app.add_url_rule("/_laptop/behave", view_func=drill.behave, methods=["POST"])
    app.add_url_rule("/_laptop/requests", view_func=drill.requests)

    @app.errorhandler(RegionError)
    def region_error(error: RegionError) -> tuple[Response, int]:
        """No region could do it: what is known of it, and nothing of what is inside."""
        return jsonify(error=type(error).__name__, outcome=error.outcome, region=region), 503

    return app


def _plain(value: object) -> object:
    """boto3's numbers are decimals, which JSON does not know."""
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def _now() -> str:
    return datetime.now(UTC).isoformat()


def main() -> None:
    """Serve one region's shop on the loopback interface until it is killed."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.local.region.shop")
    parser.add_argument("--region", required=True, help="its name, one of AWS's")
    parser.add_argument("--port", required=True, type=int, help="the port on 127.0.0.1")
    parser.add_argument("--document", required=True, help="the URL of the region-health document")
    parser.add_argument("--endpoint", required=True, help="the URL of the region's own DynamoDB")
    parser.add_argument("--mode", default="active-passive", help="or active-active")
    options = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "laptop")  # boto3 signs, and nobody here looks at it
    region: str = options.region
    view = DocumentView(
        [source(options.document)], interval=REFRESH, allow_endpoint=allowed.loopback
    )
    items = RegionItems(TABLE, region, endpoint_url=options.endpoint)
    limits = Limits(cache=REFRESH, linger=LINGER)
    check = HealthCheck(region, items, view, mode=options.mode, limits=limits)
    beat = Heartbeat(region, items, view, peers=lambda r: items_of(TABLE, r), every=HEARTBEAT)
    with (
        view,
        MultiRegionDynamoDB(view, home=region, mode=options.mode, health_table=TABLE) as db,
        beat,
    ):
        serve(application(region, db, check), options.port, THREADS)


if __name__ == "__main__":
    main()
