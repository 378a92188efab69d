"""A case: what is in the tables, one call, and on which servers it says something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Form(StrEnum):
    """How the call is written.

    TABLE: a method of boto3's Table, in Python types. RESOURCE: one of the resource. CLIENT: one of
    the low-level client, in DynamoDB's types.
    """

    TABLE = "table"
    RESOURCE = "resource"
    CLIENT = "client"


ONE_TABLE = frozenset({"get_item", "put_item", "update_item", "delete_item", "query", "scan"})
"""The calls that concern one table, and take its name where they are the client's."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call.

    given: its arguments. items: what is in `table` before it. others: what is in further tables.
    times: how often it is made. walk: all pages are asked for, one after the other. heavy: it moves
    many megabytes. dynalite: whether that server knows the operation, and answers the same twice.
    """

    name: str
    call: str
    given: Mapping[str, Any] = field(default_factory=dict)
    items: Sequence[Mapping[str, Any]] = ()
    table: str = "plain"
    form: Form = Form.TABLE
    others: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    times: int = 1
    walk: bool = False
    dynalite: bool = True
    heavy: bool = False

    @property
    def contents(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """What is in which table before the call."""
        return {self.table: self.items, **self.others}


def client(name: str, call: str, given: Mapping[str, Any], **more: Any) -> Case:
    """A case of the low-level client."""
    return Case(name, call, given, form=Form.CLIENT, **more)


def resource(name: str, call: str, given: Mapping[str, Any], **more: Any) -> Case:
    """A case of the resource."""
    return Case(name, call, given, form=Form.RESOURCE, **more)
