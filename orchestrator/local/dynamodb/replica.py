"""DynamoDB of one region on the laptop: moto's, in a process of its own, with a log of its writes.

    python -m orchestrator.local.dynamodb.replica --region us-east-1 --port 8101 --journal FILE

It serves the table `checkout` (partition key `pk`, a string), which it creates; credentials are not
looked at. Beside DynamoDB's own requests:

- `GET /_laptop/changes?after=N&lag=S&wait=S`: what was written here after the N-th write and is S
  seconds old; if there is nothing it waits.
- `POST /_laptop/apply`: writes of other regions, each of which is applied if it wins over what is
  here (see `change_log`), and is not logged as a write of this region.

moto is called by one thread at a time: it is made for tests of one thread, and what runs in Python
is no faster on several. So an item is logged in the order in which it was written. Other tables are
served and not copied; statements in PartiQL, which would not be copied either, are refused. moto's
handler is called directly and not through `moto.server`, which needs more packages for nothing that
is used here.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from moto.core.request import Request
from moto.dynamodb.responses import DynamoHandler
from werkzeug.wrappers import Response

from orchestrator.local.dynamodb.change_log import ChangeLog, ItemChange, read_change
from orchestrator.local.dynamodb.touched import KEY, READ, TABLE, Touched, touched
from orchestrator.local.process.loopback import HOST
from orchestrator.local.process.serve_wsgi import serve
from orchestrator.local.rpc.wire import Json, JsonObject

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HEALTH = "failover#health"
"""The key of the item that is there from the beginning, as Terraform makes it; older than any."""

BATCH = 25
"""Items of one BatchWriteItem, DynamoDB's own limit."""

PAGE = 500
"""Changes in one answer."""

THREADS = 8
"""For requests at a time; waiting for changes takes one for every other region."""

_TARGET = "DynamoDB_20120810."
_OK = 200
_LOG = logging.getLogger(__name__)


class _Served(Request):
    """moto's request, as it comes from a server."""

    from_wsgi_server = True


class Replica:
    """One region's replica of the table, as a WSGI application.

    region: its name, one of AWS's. journal: the file that keeps it over restarts.
    """

    def __init__(self, region: str, journal: Path) -> None:
        self._region = region
        self._written = threading.Condition()  # its lock is the lock of everything here
        self._log = ChangeLog(region, journal, time.time_ns)
        self._create()
        self._log.keep(self._log.winners([ItemChange(HEALTH, {KEY: {"S": HEALTH}}, 0, "")]))
        self._put(self._log.newest.values())

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = _Served(environ)
        try:
            response = self._answer(request)
        except Exception as error:  # noqa: BLE001  # the client gets an answer, the log the trace
            _LOG.exception("%s %s", request.method, request.path)
            response = _json({"__type": "InternalServerError", "message": str(error)}, 500)
        return response(environ, start)

    def _answer(self, request: _Served) -> Response:
        match request.path:
            case "/":
                return self._dynamodb(request)
            case "/_laptop/changes":
                return _json(self._changes(request))
            case "/_laptop/apply":
                return _json(self._apply(json.loads(request.data)))
            case "/_laptop/ready":
                return _json({})
            case _:
                return _json({"message": f"no {request.path} here"}, 404)

    def _dynamodb(self, request: _Served) -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
            return _refusal("PartiQL would not be replicated on the laptop")
        with self._written:
            status, headers, body = DynamoHandler.dispatch(request)
            if status == _OK and (changed := touched(operation, request.data)):
                self._log.write(self._after(changed))
                self._written.notify_all()
        return Response(body, status, headers)

    def _after(self, changed: Iterable[Touched]) -> Iterator[tuple[str, JsonObject | None]]:
        """The items as they are after the request that touched them."""
        for key, item in changed:
            yield key, self._read(key) if item is READ else item

    def _read(self, key: str) -> JsonObject | None:
        found = self._call("GetItem", {"TableName": TABLE, "Key": {KEY: {"S": key}}}).get("Item")
        assert found is None or isinstance(found, dict)
        return found

    # --- replication

    def _changes(self, request: _Served) -> JsonObject:
        position, lag = int(request.args["after"]), float(request.args["lag"])
        deadline = time.monotonic() + float(request.args["wait"])
        with self._written:
            while not (found := self._log.after(position, _before(lag), PAGE)):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._written.wait(min(left, self._due_in(position, lag)))
        return {"changes": [json.loads(change.line()) for change in found]}

    def _due_in(self, position: int, lag: float) -> float:
        """Seconds until the next change is as old as `lag`; infinite if there is none."""
        following = self._log.after(position, time.time_ns(), 1)
        return max((following[0].at - _before(lag)) / 1e9, 0.001) if following else math.inf

    def _apply(self, body: JsonObject) -> JsonObject:
        changes = body["changes"]
        assert isinstance(changes, list)
        with self._written:
            winners = self._log.winners(read_change(change) for change in changes)
            self._put(winners)
            self._log.keep(winners)
        return {"applied": len(winners)}

    def _put(self, changes: Iterable[ItemChange]) -> None:
        waiting = [_request(change) for change in changes]
        for begin in range(0, len(waiting), BATCH):
            part: list[Json] = [*waiting[begin : begin + BATCH]]
            self._call("BatchWriteItem", {"RequestItems": {TABLE: part}})

    # --- moto

    def _create(self) -> None:
        self._call(
            "CreateTable",
            {
                "TableName": TABLE,
                "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        )

    def _call(self, operation: str, body: JsonObject) -> JsonObject:
        """One request of our own to moto, which it takes for a client's. Raises RuntimeError."""
        data = json.dumps(body).encode()
        scope = f"laptop/20260101/{self._region}/dynamodb/aws4_request"
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": HOST,
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data),
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_HOST": HOST,
            "HTTP_X_AMZ_TARGET": _TARGET + operation,
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host",
        }
        status, _, answer = DynamoHandler.dispatch(_Served(environ))
        if status != _OK:
            raise RuntimeError(f"{operation}: moto answered {status}: {answer!r:.300}")
        found: JsonObject = json.loads(answer)
        return found


def _before(seconds: float) -> int:
    """The time so many seconds ago, in nanoseconds."""
    return time.time_ns() - int(seconds * 1e9)


def _request(change: ItemChange) -> JsonObject:
    if change.item is None:
        return {"DeleteRequest": {"Key": {KEY: {"S": change.key}}}}
    return {"PutRequest": {"Item": change.item}}


def _json(content: JsonObject, status: int = _OK) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


def _refusal(why: str) -> Response:
    kind = "com.amazon.coral.validate#ValidationException"
    return _json({"__type": kind, "message": why}, 400)


def main() -> None:
    """Serve one region's replica on the loopback interface until it is killed."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.local.dynamodb.replica")
    parser.add_argument("--region", required=True, help="its name, one of AWS's")
    parser.add_argument("--port", required=True, type=int, help="the port on 127.0.0.1")
    parser.add_argument("--journal", required=True, type=Path, help="keeps the data over restarts")
    options = parser.parse_args()
    serve(Replica(options.region, options.journal), options.port, THREADS)


if __name__ == "__main__":
    main()
