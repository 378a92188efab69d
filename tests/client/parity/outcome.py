"""What a case came to on one side: the answers or the exception, and what the tables hold then."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from boto3.dynamodb.transform import TransformationInjector
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from tests.client.parity.case import ONE_TABLE, Case, Form
from tests.client.parity.tables import TABLES, key_of

MANY_PAGES = 100
BATCH = 25
"""Items of one BatchWriteItem, DynamoDB's own limit."""

SETS = frozenset({"SS", "NS", "BS"})
CHANGING = frozenset({"date", "x-amzn-requestid", "server", "connection", "keep-alive"})
"""Headers that are another request's, or of the connection."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")  # of an object, in the text of an exception
_SERIALIZER = TypeSerializer()


class Side:
    """boto3 in its three forms, plain or routed. plain: a client of the server behind it."""

    def __init__(self, resource: Any, client: Any, plain: Any) -> None:
        self.resource = resource
        self.client = client
        self._own = {name: resource.Table(name) for name in TABLES}  # each costs milliseconds
        self._plain = plain

    def run(self, case: Case, form: Form) -> object:
        """Make the call with fresh contents. What came of it can be compared by `==`."""
        self._fill(case)
        try:
            said = shape(self._said(case, form))
        finally:
            left = self._empty(case)
        return said, left

    def _fill(self, case: Case) -> None:
        for name, items in case.contents.items():
            stored = [{k: _SERIALIZER.serialize(v) for k, v in item.items()} for item in items]
            self._write(name, [{"PutRequest": {"Item": item}} for item in stored])

    def _empty(self, case: Case) -> object:
        return {name: self._emptied(name) for name in case.contents}

    def _emptied(self, name: str) -> object:
        """What was in the table. Afterwards there is nothing."""
        pages = [self._plain.scan(TableName=name)]
        while key := pages[-1].get("LastEvaluatedKey"):
            pages.append(self._plain.scan(TableName=name, ExclusiveStartKey=key))
        items = [item for page in pages for item in page["Items"]]
        self._write(name, [{"DeleteRequest": {"Key": key_of(name, item)}} for item in items])
        return sorted((shape(item) for item in items), key=repr)

    def _write(self, name: str, requests: list[dict[str, Any]]) -> None:
        for begin in range(0, len(requests), BATCH):
            part = {name: requests[begin : begin + BATCH]}
            assert not self._plain.batch_write_item(RequestItems=part)["UnprocessedItems"]

    def _said(self, case: Case, form: Form) -> list[object]:
        given = copy.deepcopy(dict(case.given))
        if form is Form.CLIENT and case.call in ONE_TABLE:
            given = {"TableName": case.table, **given}
        try:
            if form is Form.CLIENT and case.form is Form.TABLE:
                given = low_level(self.client, case.call, given)
            return self._pages(case, self._method(case, form), given)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other side has to have it too
            return [told(error)]

    def _method(self, case: Case, form: Form) -> Any:
        owners = {Form.RESOURCE: self.resource, Form.CLIENT: self.client}
        owner = owners[form] if form in owners else self._own[case.table]
        return getattr(owner, case.call)

    @staticmethod
    def _pages(case: Case, method: Any, given: dict[str, Any]) -> list[object]:
        if not case.walk:
            return [method(**given) for _ in range(case.times)]
        pages = [method(**given)]
        while (key := pages[-1].get("LastEvaluatedKey")) and len(pages) < MANY_PAGES:
            pages.append(method(**given, ExclusiveStartKey=key))
        return [*pages]


def low_level(client: Any, call: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments as boto3's resource would hand them to its client."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call])
    injector = TransformationInjector()
    injector.inject_condition_expressions(given, model)
    injector.inject_attribute_value_input(given, model)
    return given


def told(error: Exception) -> object:
    """What an application sees of an exception."""
    answer = error.response if isinstance(error, ClientError) else {}
    kind = type(error)
    bases = [base.__name__ for base in kind.__mro__]
    return {
        "raised": f"{kind.__module__}.{kind.__qualname__}",
        "is": bases,
        "text": _ADDRESS.sub("", str(error)),
        "answer": answer,
    }


def shape(value: Any) -> Any:
    """The value with its types, so that 1 and Decimal(1) differ.

    Without what no request repeats, and without the order of what has none: sets, and the answers
    of a batch.
    """
    if isinstance(value, Mapping):
        return {name: _named(name, one) for name, one in value.items() if name != "RequestId"}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(shape, value)]
    if isinstance(value, (set, frozenset)):
        return [type(value).__name__, *_sorted(value)]
    return f"{type(value).__module__}.{type(value).__qualname__}: {value!r}"


def _named(name: str, value: Any) -> Any:
    if name == "HTTPHeaders":
        return sorted(set(value) - CHANGING)
    if name in SETS and isinstance(value, list):
        return _sorted(value)
    if name == "Responses" and isinstance(value, Mapping):
        return {table: _sorted(items) for table, items in value.items()}
    return shape(value)


def _sorted(values: Iterable[Any]) -> list[Any]:
    return sorted(map(shape, values), key=repr)
