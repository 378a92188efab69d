"""Which writes may be sent again although an earlier attempt may have been executed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client._keys.repeats import DEEPEST, all_repeatable, repeatable
from tests.support.examples import examples

VALUES = {":old": 1, ":new": 2, ":one": 1, ":t": "total", ":me": "me", ":also_new": Decimal("2.0")}
NAMES = {"#v": "version", "#dotted": "a.b"}


def update(expression: str, condition: object, **more: Any) -> dict[str, Any]:
    """An update of the item `a` with these two expressions."""
    return {
        "Key": {"pk": "a"},
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": VALUES,
        "ExpressionAttributeNames": NAMES,
        **more,
    }


def put(condition: object, **item: Any) -> dict[str, Any]:
    """A put of the item `a` with this condition."""
    return {
        "Item": {"pk": "a", **item},
        "ConditionExpression": condition,
        "ExpressionAttributeValues": VALUES,
        "ExpressionAttributeNames": NAMES,
    }


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("SET version = :new", "version = :old"),
        ("set #v = :new , total=:t", "( version = :old )"),
        ("SET version = :new", ":old = #v"),
        ("SET version = :new", "version = :old AND attribute_exists(pk)"),
        ("SET version = :new", "attribute_not_exists(version) OR version = :old"),
        ("SET version = :new", "attribute_not_exists(version) or version < :new"),
        ("SET version = :new", "version <= :old"),
        ("SET version = :new", "version <> :new"),
        ("SET version = :new", ":new > version"),
        ("SET owner = :me", "attribute_not_exists(owner)"),
        ("SET a.b = :new", "a.b = :old"),
        ("SET #dotted = :new", "#dotted = :old"),
        ("SET total = :t", "attribute_not_exists(pk)"),
    ],
)
def test_an_update_that_makes_its_own_condition_false_may_be_repeated(
    expression: str, condition: str
) -> None:
    assert repeatable("Update", update(expression, condition))


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("SET prev = cur, cur = :new", "cur = :old"),
        ("SET a = b, b = a", "a = :old"),
        ("SET version = version + :one", "version = :old"),
        ("SET version = :new - :one", "version = :old"),
        ("SET version = :new, log = list_append(log, :t)", "version = :old"),
        ("SET version = if_not_exists(version, :new)", "attribute_not_exists(version)"),
        ("SET version = :new ADD n :one", "version = :old"),
        ("SET version = :new REMOVE owner", "version = :old"),
        ("ADD n :one", "attribute_not_exists(n)"),
        ("DELETE tags :t", "attribute_exists(tags)"),
        ("SET l[0] = :new", "l[0] = :old"),
        ("SET version = :missing", "version = :old"),
        ("SET #missing = :new", "version = :old"),
        ("", "version = :old"),
        ("SET version = :new,", "version = :old"),
        ("SET version == :new", "version = :old"),
        ("SET version :new", "version = :old"),
    ],
)
def test_an_update_that_does_more_than_set_placeholders_may_not(
    expression: str, condition: str
) -> None:
    assert not repeatable("Update", update(expression, condition))


@pytest.mark.parametrize(
    "condition",
    [
        "balance >= :one",  # still true after the first of two withdrawals
        "attribute_exists(pk)",
        "attribute_exists(version)",
        "version = :new",
        "version <= :new",
        "version = :also_new",
        "version <> :also_new",  # one number in two notations decides nothing
        "version >= :old",
        "version <> :old",
        "version = :old OR attribute_exists(pk)",
        "NOT version = :old",
        "version = :missing",
        "version = total",
        "version BETWEEN :old AND :one",
        "version IN (:old)",
        "size(version) < :new",
        "begins_with(version, :old)",
        "version.sub = :old",
        "version[0] = :old",
        "attribute_not_exists(version",
        "attribute_not_exists(version))",
        "attribute_not_exists(total)",
        "version = :old AND",
        "version , :old",
        "version = 1",
        "vérsion = :old",
        "(" * (DEEPEST + 1) + "version = :old" + ")" * (DEEPEST + 1),
        "(" * 4000,
        None,
        "",
        7,
    ],
)
def test_an_update_whose_condition_may_still_hold_may_not(condition: object) -> None:
    assert not repeatable("Update", update("SET version = :new", condition))


@pytest.mark.parametrize(
    ("condition", "item", "expected"),
    [
        ("attribute_not_exists(pk)", {}, True),
        ("attribute_not_exists(owner)", {"owner": "me"}, True),
        ("attribute_not_exists(owner)", {}, False),
        ("version = :old", {"version": 2}, True),
        ("version = :old", {}, True),  # the put takes the attribute away
        ("attribute_exists(version)", {}, True),
        ("attribute_exists(version)", {"version": 2}, False),
        ("version = :old", {"version": 1}, False),
        ("version = :old", {"version": Decimal("1.0")}, False),
        ("version <> :old", {}, False),
        ("version < :new", {"version": 3}, True),
        ("version > :old", {"version": 1}, True),
        ("version > :old", {"version": "1"}, False),
        ("version = :old", {"version": [1]}, False),
        ("version = :old", {"version": True}, True),
        ("deep.version = :old", {"deep": {"version": 2}}, False),
        ("attribute_exists(pk)", {}, False),
    ],
)
def test_a_put_may_be_repeated_if_its_condition_is_false_for_its_item(
    condition: str, item: dict[str, Any], expected: bool
) -> None:
    assert repeatable("Put", put(condition, **item)) is expected


def test_a_delete_may_never_be_repeated() -> None:
    """What another client creates anew begins with the same version, often enough."""
    condition = {"ConditionExpression": "version = :old", "ExpressionAttributeValues": VALUES}
    assert not repeatable("Delete", {"Key": {"pk": "a"}, **condition})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Attr("version").eq(1), True),
        (Attr("version").eq(2), False),
        (Attr("version").eq(1) & Attr("pk").exists(), True),
        (Attr("version").not_exists() | Attr("version").lt(2), True),
        (~Attr("version").eq(1), False),
        (Attr("version").between(0, 1), False),
        (Attr("version").eq(1) & Attr("total").begins_with("t"), False),
        (Attr("version").eq(Attr("total")), False),
        (Attr("version[0]").eq(1), False),
        (Attr("version").size().lt(1), False),
    ],
)
def test_boto3s_condition_objects_are_read_too(condition: Any, expected: bool) -> None:
    assert repeatable("Update", update("SET version = :new", condition)) is expected


def test_a_condition_object_that_is_nested_too_deeply_is_not_read() -> None:
    condition: Any = Attr("version").eq(1)
    for _ in range(2000):
        condition = condition & Attr("version").eq(1)
    assert not repeatable("Update", update("SET version = :new", condition))


def test_a_transaction_may_be_repeated_if_every_write_of_it_may() -> None:
    good: Any = {"Put": put("attribute_not_exists(pk)")}
    check: Any = {"ConditionCheck": {"ConditionExpression": "attribute_exists(pk)"}}
    bad: Any = {"Update": update("ADD n :one", "attribute_exists(pk)")}
    assert all_repeatable({"TransactItems": [good, check]})
    assert not all_repeatable({"TransactItems": [good, bad]})
    assert not all_repeatable({"TransactItems": [good, {"Delete": {"Key": {"pk": "b"}}}]})
    assert not all_repeatable({"TransactItems": [check]})
    assert not all_repeatable({})


def test_legacy_conditions_are_not_read() -> None:
    expected = {"version": {"Value": 1}}
    assert not repeatable("Put", {"Item": {"pk": "a", "version": 2}, "Expected": expected})


# --- laws

NAMED = st.sampled_from(["version", "owner", "total"])
VALUE = st.one_of(
    st.integers(-3, 3), st.sampled_from(["", "a", "b"]), st.booleans(), st.just(Decimal("1.0"))
)
COMPARISON = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
LEAF = st.one_of(
    st.tuples(st.sampled_from(["attribute_exists", "attribute_not_exists"]), NAMED),
    st.tuples(COMPARISON, NAMED, VALUE),
)
TREE = st.recursive(
    LEAF, lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner), max_leaves=5
)
ITEM = st.dictionaries(NAMED, VALUE, max_size=3)


def written(tree: Any, values: dict[str, Any]) -> str:
    """The tree as an expression; its values are given placeholders."""
    match tree:
        case ("AND" | "OR") as word, left, right:
            return f"({written(left, values)} {word} {written(right, values)})"
        case sign, name, value:
            placeholder = f":v{len(values)}"
            values[placeholder] = value
            return f"{name} {sign} {placeholder}"
        case function, name:
            return f"{function}({name})"
    raise AssertionError(tree)


def holds(tree: Any, item: Mapping[str, Any]) -> bool:
    """The condition as DynamoDB judges it: types differ, and what is missing equals nothing."""
    match tree:
        case "AND", left, right:
            return holds(left, item) and holds(right, item)
        case "OR", left, right:
            return holds(left, item) or holds(right, item)
        case "attribute_exists", name:
            return name in item
        case "attribute_not_exists", name:
            return name not in item
        case sign, name, value:
            return _compares(sign, item.get(name), value)
    raise AssertionError(tree)


def _compares(sign: str, left: Any, right: Any) -> bool:
    def typed(value: Any) -> str:
        return "BOOL" if isinstance(value, bool) else "S" if isinstance(value, str) else "N"

    same = left is not None and typed(left) == typed(right)
    if sign in ("=", "<>"):
        return (same and left == right) == (sign == "=")
    if not same:
        return False
    found: bool = {
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
    }[sign]
    return found


@settings(max_examples=examples(2000))
@given(tree=TREE, item=ITEM, before=ITEM, kind=st.sampled_from(["Put", "Update"]))
def test_what_may_be_repeated_has_a_condition_that_is_false_after_it(
    tree: Any, item: dict[str, Any], before: dict[str, Any], kind: str
) -> None:
    """Whatever was there before: after the write its own condition no longer holds.

    In DynamoDB's own form the answer is the same.
    """
    values: dict[str, Any] = {}
    condition = written(tree, values)
    sets = {f":s{number}": value for number, value in enumerate(item.values())}
    expression = "SET " + ", ".join(f"{n} = {p}" for n, p in zip(item, sets, strict=True))
    write: dict[str, Any] = {
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values | sets,
    }
    own = (
        {"Item": {"pk": "a", **item}}
        if kind == "Put"
        else {"Key": {"pk": "a"}, "UpdateExpression": expression}
    )
    found = repeatable(kind, write | own)
    after = {"pk": "a", **item} if kind == "Put" else {"pk": "a", **before, **item}
    if found:
        assert not holds(tree, after)
    assert repeatable(kind, low_level(write | own)) is found


def low_level(write: dict[str, Any]) -> dict[str, Any]:
    """The same write in DynamoDB's own form."""
    serialize = TypeSerializer().serialize
    forms = ("Item", "Key", "ExpressionAttributeValues")
    return {
        name: {k: serialize(v) for k, v in value.items()} if name in forms else value
        for name, value in write.items()
    }


@given(st.text(alphabet="ab:#=<>(),. ANDORSETattribute_not_exists01[]+-", max_size=60), st.text())
def test_no_text_makes_the_reader_fail(condition: str, expression: str) -> None:
    for update_expression in (expression, condition, "SET a = :a"):
        write = {"UpdateExpression": update_expression, "ConditionExpression": condition}
        assert repeatable("Update", {"Key": {"a": 1}, **write}) in (True, False)
