"""Gives what is handed out the types that the application's own stubs have for it.

Two families of stubs describe boto3: `types-boto3` and `boto3-stubs`. An annotation can name the
classes of one of them, and would be unknown to users of the other. So none is named: a type checker
works out what `boto3.resource("dynamodb")` is, and takes that. With no stubs it is Any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def typed_as(example: Callable[[], T]) -> Callable[[Callable[P, Any]], Callable[P, T]]:
    """Has a function's answer the type of the example's, which is never called."""
    del example

    def same(function: Callable[P, Any]) -> Callable[P, T]:
        return function

    return same
