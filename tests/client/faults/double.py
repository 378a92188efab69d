"""A region's DynamoDB in memory, as far as the tests of faults ask it, that counts what it does."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

KEY, NUMBER = "pk", "n"


class Refused(Exception):
    """The request is answered with this code of DynamoDB's, and nothing was written."""


class Double:
    """One table, by the attribute `pk`. done: how often each kind of write of a key was executed.

    asked: how many requests there were of each operation.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.done: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._tokens: set[str] = set()
        self._lock = threading.Lock()

    def execute(self, operation: str, body: bytes) -> dict[str, Any]:
        """The answer. Raises Refused."""
        with self._lock:
            self.asked[operation] += 1
            given = json.loads(body)
            match operation:
                case "GetItem":
                    found = self.items.get(given["Key"][KEY]["S"])
                    return {"Item": found} if found else {}
                case "TransactWriteItems":
                    self._transact(given)
                case "UpdateItem" | "PutItem":
                    self._write(operation.removesuffix("Item"), given)
            return {}

    def _transact(self, given: dict[str, Any]) -> None:
        if given["ClientRequestToken"] not in self._tokens:
            self._tokens.add(given["ClientRequestToken"])
            for one in given["TransactItems"]:
                for kind, write in one.items():
                    self._write(kind, write)

    def _write(self, kind: str, given: dict[str, Any]) -> None:
        key = given["Item" if kind == "Put" else "Key"][KEY]["S"]
        if "ConditionExpression" in given and key in self.items:
            raise Refused("ConditionalCheckFailedException")
        if kind == "Put":
            self.items[key] = given["Item"]
        else:
            item = self.items.setdefault(key, {KEY: {"S": key}})
            item[NUMBER] = {"N": str(int(item.get(NUMBER, {"N": "0"})["N"]) + 1)}
        self.done[key] += 1
