"""What is wrong before or after it was sent: arguments, types, tables, names."""

from __future__ import annotations

from tests.client.parity.case import Case, client, resource

ROWS = ({"pk": "a", "n": 1},)

CASES = (
    *(
        client(f"no such table: {call}", call, {"TableName": "none", **given})
        for call, given in (
            ("get_item", {"Key": {"pk": {"S": "a"}}}),
            ("put_item", {"Item": {"pk": {"S": "a"}}}),
            ("delete_item", {"Key": {"pk": {"S": "a"}}}),
            (
                "update_item",
                {
                    "Key": {"pk": {"S": "a"}},
                    "UpdateExpression": "SET n = :n",
                    "ExpressionAttributeValues": {":n": {"N": "1"}},
                },
            ),
            ("scan", {}),
            (
                "query",
                {
                    "KeyConditionExpression": "pk = :p",
                    "ExpressionAttributeValues": {":p": {"S": "a"}},
                },
            ),
        )
    ),
    client(
        "a table's name that is too short",
        "get_item",
        {"TableName": "ab", "Key": {"pk": {"S": "a"}}},
    ),
    client(
        "a table's name that is none", "get_item", {"TableName": "a b!", "Key": {"pk": {"S": "a"}}}
    ),
    client("an empty table's name", "scan", {"TableName": ""}),
    client("a table's name that is no text", "scan", {"TableName": 5}),
    client("the table's name is None", "scan", {"TableName": None}),
    client(
        "a table by its ARN",
        "get_item",
        {
            "TableName": "arn:aws:dynamodb:us-east-1:123456789012:table/none",
            "Key": {"pk": {"S": "a"}},
        },
    ),
    client("no arguments", "batch_get_item", {}),
    client("no arguments of a transaction", "transact_write_items", {}),
    client("an argument that is none", "get_item", {"Key": {"pk": {"S": "a"}}, "Consistent": True}),
    client(
        "a wrong type for a switch",
        "get_item",
        {"Key": {"pk": {"S": "a"}}, "ConsistentRead": "yes"},
    ),
    client("a list for a key", "get_item", {"Key": [{"pk": {"S": "a"}}]}),
    client("an item that is none", "put_item", {"Item": None}),
    Case("no item", "put_item", {}, ROWS),
    Case("an item that is a list", "put_item", {"Item": ["a"]}, ROWS),
    Case("an item that is a string", "put_item", {"Item": "a"}, ROWS),
    Case("an empty item", "put_item", {"Item": {}}, ROWS),
    Case(
        "a Table's name given once more",
        "get_item",
        {"TableName": "second", "Key": {"pk": "a"}},
        ROWS,
    ),
    Case(
        "a condition that is no text",
        "put_item",
        {"Item": {"pk": "a"}, "ConditionExpression": 5},
        ROWS,
    ),
    Case(
        "values that are none",
        "delete_item",
        {"Key": {"pk": "a"}, "ExpressionAttributeValues": {}},
        ROWS,
    ),
    Case(
        "a value without a colon",
        "delete_item",
        {"Key": {"pk": "a"}, "ConditionExpression": "n = v", "ExpressionAttributeValues": {"v": 1}},
        ROWS,
    ),
    Case(
        "values without an expression",
        "delete_item",
        {"Key": {"pk": "a"}, "ExpressionAttributeValues": {":v": 1}},
        ROWS,
    ),
    Case(
        "an expression that is too long",
        "delete_item",
        {"Key": {"pk": "a"}, "ConditionExpression": " OR ".join(["attribute_exists(n)"] * 200)},
        ROWS,
    ),
    Case("a method with a positional argument's name", "get_item", {"key": {"pk": "a"}}, ROWS),
    resource("an unknown argument of a batch", "batch_get_item", {"Items": {}}),
    resource("a batch that is a list", "batch_write_item", {"RequestItems": []}),
)
