"""Numbers: 38 digits, the bounds, and what Python makes of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.client.parity.case import Case, client

WRITTEN: dict[str, Any] = {
    "an int": 42,
    "a large int": 10**37,
    "38 digits": Decimal("1234567890.1234567890123456789012345678"),
    "39 digits": Decimal("1234567890.12345678901234567890123456789"),
    "39 digits that end with a zero": Decimal(123456789012345678901234567890123456780),
    "the largest": Decimal("9.9999999999999999999999999999999999999E+125"),
    "beyond the largest": Decimal("1E+126"),
    "the smallest": Decimal("1E-130"),
    "below the smallest": Decimal("1E-131"),
    "the largest negative one": Decimal("-1E-130"),
    "the most negative one": Decimal("-9.9999999999999999999999999999999999999E+125"),
    "beyond the most negative one": Decimal("-1E+126"),
    "zero": Decimal(0),
    "minus zero": Decimal("-0"),
    "zeros at the end": Decimal("1.5000"),
    "an exponent": Decimal("1E+10"),
    "a negative exponent": Decimal("12E-5"),
    "a float": 1.5,
    "a float that is whole": 1.0,
    "infinity": Decimal("Infinity"),
    "not a number": Decimal("NaN"),
    "a float that is none": float("nan"),
    "True is no number": True,
    "a complex number": 1j,
    "in a list": [Decimal("0.1"), 1, Decimal(-7)],
    "in a map": {"x": Decimal("3.14")},
    "in a set": {Decimal("1.10"), Decimal(-3), 10**20},
    "a set with a float": {1.5},
    "the same twice in a set": {Decimal("1.0"), 1},
}


def raw(name: str, number: str) -> Case:
    """A number as text, which the server has to read."""
    given = {"Item": {"pk": {"S": "a"}, "n": {"N": number}}}
    return client(f"number as text: {name}", "put_item", given)


def added(name: str, first: str, second: str) -> Case:
    """A sum that DynamoDB works out."""
    given = {
        "Key": {"pk": "a"},
        "UpdateExpression": "SET n = n + :v",
        "ExpressionAttributeValues": {":v": Decimal(second)},
        "ReturnValues": "ALL_NEW",
    }
    return Case(f"sum: {name}", "update_item", given, [{"pk": "a", "n": Decimal(first)}])


CASES = (
    *(
        Case(f"writing a number: {name}", "put_item", {"Item": {"pk": "a", "n": number}})
        for name, number in WRITTEN.items()
    ),
    *(
        Case(
            f"reading a number: {text}",
            "get_item",
            {"Key": {"pk": "a"}},
            [{"pk": "a", "n": Decimal(text)}],
        )
        for text in ("1.50", "1E+20", "1E-20", "-0.00", "00012", "9" * 38, "1E+125", "-1E-130")
    ),
    raw("zeros in front", "007.50"),
    raw("a plus", "+5"),
    raw("an exponent", "1e3"),
    raw("a space", " 5"),
    raw("a word", "five"),
    raw("nothing", ""),
    raw("hexadecimal", "0x10"),
    raw("a comma", "1,5"),
    raw("39 digits", "1" * 39),
    raw("too large", "1e126"),
    raw("too small", "1e-131"),
    raw("infinity", "Infinity"),
    added("of 38 digits", "9" * 38, "1"),
    added("that has no place in 38 digits", "9" * 38, "0.5"),
    added("of decimals", "0.1", "0.2"),
    added("of the smallest", "1E-130", "1E-130"),
    added("of very different sizes", "1E+37", "1"),
    added("beyond the largest", "9E+125", "9E+125"),
    added("that is zero", "1.5", "-1.5"),
    client(
        "a number that is no text",
        "put_item",
        {"Item": {"pk": {"S": "a"}, "n": {"N": 5}}},
    ),
    client(
        "numbers of a set as text",
        "put_item",
        {"Item": {"pk": {"S": "a"}, "n": {"NS": ["1", "2.50", "-3"]}}},
    ),
    client(
        "one number twice in a set",
        "put_item",
        {"Item": {"pk": {"S": "a"}, "n": {"NS": ["1", "1.0"]}}},
    ),
)
