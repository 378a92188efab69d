"""The names of a table's key, asked of DynamoDB through the calls as any read is."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from orchestrator.client._calls.call import Options
from orchestrator.client._calls.calls import WRITES, Calls
from orchestrator.client._regions.regions import RoutedRegion
from orchestrator.client.errors import HomeError, NoHealthyRegion, Outcome


def key_names(calls: Calls, options: Options, operation: str, table: str) -> list[str]:
    """The partition key's name, then that of the sort key if there is one.

    operation: what they are needed for. Raises HomeError if DynamoDB does not tell them, and
    NoHealthyRegion if no region answers.
    """

    def ask(region: RoutedRegion) -> Any:
        return region.client.describe_table(TableName=table)

    try:
        answer, _ = calls.read("describe_table", {"TableName": table}, options, ask=ask)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        raise HomeError(
            operation,
            f"the names of the key of table {table!a} are not known, because DescribeTable was"
            f" answered with {code}",
            f"Give them, the partition key first: keys={{{table!a}: ('pk', 'sk')}}. Or allow"
            " dynamodb:DescribeTable on the table",
        ) from error
    except NoHealthyRegion as error:
        known = Outcome.NOT_SENT if operation in WRITES else None
        hint = f" The key of table {table!a} had to be read first (DescribeTable)."
        raise NoHealthyRegion(operation, error.tried, known, hint) from error
    schema = sorted(answer["Table"]["KeySchema"], key=lambda one: str(one["KeyType"]))
    return [one["AttributeName"] for one in schema]  # HASH comes before RANGE
