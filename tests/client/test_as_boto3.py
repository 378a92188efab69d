"""What is handed out is boto3's in every respect that an application may rely on, or it is said."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from boto3.resources.base import ServiceResource
from boto3.resources.collection import CollectionManager
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, WaiterError
from botocore.useragent import UserAgentString

from orchestrator.client._calls.routed import NOWHERE
from orchestrator.client._regions.regions import name_once
from orchestrator.client.allowed import loopback
from orchestrator.client.dynamodb import MultiRegionDynamoDB
from orchestrator.client.sources.file import FileSource
from tests.client.parity.tables import TABLES, create
from tests.support.places import AWS, moto_station
from tests.support.regional import EAST, document, write_whole
from tests.support.station import Station

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def station() -> Iterator[Station]:
    """One moto behind HTTP, for both: with PartiQL, which the laptop's DynamoDB refuses."""
    with moto_station() as made:
        client = plain_client(made)
        create(client)
        yield made


def plain_client(station: Station) -> Any:
    """boto3's own client of it."""
    keys = (AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"])
    return boto3.Session(*keys, region_name=EAST).client("dynamodb", endpoint_url=station.url)


@pytest.fixture(scope="module")
def db(station: Station, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MultiRegionDynamoDB]:
    """The routed one."""
    path = tmp_path_factory.mktemp("document") / "checkout.json"
    write_whole(path, document(endpoints={EAST: station.url}))
    keys = (AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"])
    made: Any = {
        "session": lambda: boto3.Session(*keys, region_name=EAST),
        "allow_endpoint": loopback,
        "deadline": 30.0,
        "read_timeout": 10.0,
        "connect_timeout": 10.0,  # a server of Python's takes five new connections at once
    }
    with MultiRegionDynamoDB(FileSource(path), home=EAST, **made) as routed:
        assert routed.ready(30)
        yield routed


@pytest.fixture
def plain(station: Station) -> Any:
    """boto3's own client."""
    return plain_client(station)


def without_metadata(answer: Any) -> Any:
    """What is compared."""
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


# --- kinds


def test_they_are_instances_of_boto3s_classes(db: MultiRegionDynamoDB) -> None:
    """By the classes that boto3 has by name; each resource has a class of its own, as in boto3."""
    assert isinstance(db.client, BaseClient)
    assert isinstance(db.resource, ServiceResource)
    assert isinstance(db.Table("plain"), ServiceResource)
    plain = boto3.Session("x", "x", region_name=EAST).resource("dynamodb").Table("plain")
    assert type(db.Table("plain")).__name__ == type(plain).__name__ == "dynamodb.Table"
    assert db.Table("plain") == db.Table("plain")
    assert db.Table("plain") != db.Table("second")


def test_a_client_and_a_table_tell_of_themselves_as_boto3s_do(
    db: MultiRegionDynamoDB, plain: Any
) -> None:
    assert dir(db.client) == dir(plain)
    assert db.client.meta.method_to_api_mapping == plain.meta.method_to_api_mapping
    assert db.client.meta.region_name == EAST
    assert repr(db.Table("plain")) == "dynamodb.Table(name='plain')"
    assert db.client.can_paginate("query")
    assert not db.client.can_paginate("get_item")
    assert db.client.waiter_names == plain.waiter_names


def test_the_address_that_it_names_is_none(db: MultiRegionDynamoDB) -> None:
    """DIFFERS from boto3: nothing can be sent there by mistake."""
    assert db.client.meta.endpoint_url == NOWHERE


def test_the_regions_client_says_who_asks(
    db: MultiRegionDynamoDB, plain: Any, station: Station
) -> None:
    """As boto3 does, but for the features (`m/...`) and the retries of the region's own client."""
    said = []
    for client in (plain, db.client):
        client.get_item(TableName="plain", Key={"pk": {"S": "nobody"}})
        words = station.asked[-1].headers["user-agent"].split()
        said.append([one for one in words if not one.startswith(("m/", "cfg/retry-mode"))])
    assert said[0] == said[1]
    assert said[0][0].startswith("Boto3/")


def test_the_user_agent_is_not_made_with_every_request(
    db: MultiRegionDynamoDB, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a twentieth of a call, and botocore makes it twice. What is handed out makes one,
    which is short and is not sent."""
    made: list[UserAgentString] = []

    def make(one: UserAgentString) -> str:
        made.append(one)
        return "made now"

    monkeypatch.setattr(UserAgentString, "to_string", make)
    db.client.get_item(TableName="plain", Key={"pk": {"S": "nobody"}})
    assert len(made) == 1
    assert station.asked[-1].headers["user-agent"].startswith("Boto3/")


def test_a_botocore_that_makes_it_in_another_way_goes_on_so() -> None:
    name_once(SimpleNamespace())
    name_once(SimpleNamespace(_user_agent_creator=SimpleNamespace()))


def test_a_presigned_url_names_the_address_that_is_none(db: MultiRegionDynamoDB) -> None:
    """DIFFERS from boto3: whoever is handed the URL cannot use it. `in_region()` makes one."""
    request: Any = {"TableName": "plain", "Key": {"pk": {"S": "a"}}}
    url = db.client.generate_presigned_url("get_item", Params=request)
    assert url.startswith(NOWHERE)
    real = db.in_region(EAST).meta.client.generate_presigned_url("get_item", Params=request)
    assert not real.startswith(NOWHERE)


# --- pages, waiters, attributes, collections


@pytest.mark.parametrize("operation", ["scan", "query", "list_tables"])
def test_paginators_walk_all_pages(db: MultiRegionDynamoDB, plain: Any, operation: str) -> None:
    with db.Table("words").batch_writer() as batch:
        for number in range(7):
            batch.put_item(Item={"pk": "p", "sk": f"{number}"})
    every: dict[str, dict[str, Any]] = {
        "scan": {"TableName": "words"},
        "query": {
            "TableName": "words",
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "p"}},
        },
        "list_tables": {},
    }
    given = every[operation]
    paging = {"PageSize": 2, "MaxItems": 5}

    def walk(client: Any) -> Any:
        return client.get_paginator(operation).paginate(**given, PaginationConfig=paging)

    assert walk(db.client).build_full_result() == walk(plain).build_full_result()
    again = {"StartingToken": walk(db.client).build_full_result()["NextToken"]}
    paginator = db.client.get_paginator(operation)  # type: ignore[call-overload]  # one of three
    rest = paginator.paginate(**given, PaginationConfig=again).build_full_result()
    other = plain.get_paginator(operation).paginate(**given, PaginationConfig=again)
    assert rest == other.build_full_result()


def test_waiters_wait_and_give_up(db: MultiRegionDynamoDB) -> None:
    db.client.get_waiter("table_exists").wait(TableName="plain")
    db.Table("plain").wait_until_exists()
    db.client.get_waiter("table_not_exists").wait(TableName="none")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        db.client.get_waiter("table_exists").wait(
            TableName="none", WaiterConfig={"Delay": 0, "MaxAttempts": 2}
        )


def test_a_table_loads_what_it_tells_of_itself(db: MultiRegionDynamoDB, plain: Any) -> None:
    table = db.Table("sorted")
    table.load()
    told = plain.describe_table(TableName="sorted")["Table"]
    assert table.key_schema == told["KeySchema"]
    assert table.table_arn == told["TableArn"]
    assert table.creation_date_time == told["CreationDateTime"]
    table.reload()
    with pytest.raises(db.client.exceptions.ResourceNotFoundException):
        db.Table("none").load()


def test_the_collection_of_tables_is_walked(db: MultiRegionDynamoDB) -> None:
    tables: Any = db.resource.tables
    assert isinstance(tables, CollectionManager)
    assert {table.name for table in db.resource.tables.all()} == set(TABLES)
    assert len(list(db.resource.tables.limit(2))) == 2
    first = next(iter(db.resource.tables.all()))
    first.scan(Limit=1)


# --- errors


def test_exceptions_are_those_of_every_client_that_is_handed_out(db: MultiRegionDynamoDB) -> None:
    """As boto3 has it for one session: the client's `exceptions` catch what a Table raises."""
    table = db.Table("plain")
    table.put_item(Item={"pk": "once"})
    fresh = Attr("pk").not_exists()
    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException):
        table.put_item(Item={"pk": "once"}, ConditionExpression=fresh)
    for other in (
        db.client,
        db.options(deadline=9).client,
        db.options(deadline=9).resource.meta.client,
    ):
        with pytest.raises(other.exceptions.ConditionalCheckFailedException):
            table.put_item(Item={"pk": "once"}, ConditionExpression=fresh)
    with pytest.raises(db.client.exceptions.ResourceNotFoundException) as caught:
        db.client.get_item(TableName="none", Key={"pk": {"S": "a"}})
    assert isinstance(caught.value, ClientError)
    wrong: Any = {"TableName": "plain", "Limit": "5"}
    with pytest.raises(ParamValidationError):
        db.client.scan(**wrong)
    with pytest.raises(AttributeError, match="no attribute 'fetch_item'"):
        db.client.fetch_item  # type: ignore[attr-defined]  # noqa: B018  # asking is the test


# --- PartiQL


def test_statements_read_and_write_as_with_boto3(db: MultiRegionDynamoDB, plain: Any) -> None:
    db.client.execute_statement(Statement="INSERT INTO \"second\" VALUE {'pk': 'q', 'n': 5}")
    select: Any = {
        "Statement": 'SELECT pk, n FROM "second" WHERE pk = ?',
        "Parameters": [{"S": "q"}],
    }
    answer = without_metadata(db.client.execute_statement(**select))
    assert answer == without_metadata(plain.execute_statement(**select))
    assert answer["Items"] == [{"pk": {"S": "q"}, "n": {"N": "5"}}]
    many: Any = {"Statements": [{"Statement": "SELECT * FROM \"second\" WHERE pk = 'q'"}]}
    batch = without_metadata(db.client.batch_execute_statement(**many))
    assert batch == without_metadata(plain.batch_execute_statement(**many))
    db.client.execute_statement(Statement="DELETE FROM \"second\" WHERE pk = 'q'")
    assert plain.execute_statement(**select)["Items"] == []


# --- types


def test_serializers_go_together_with_the_low_level_client(db: MultiRegionDynamoDB) -> None:
    """`db.client` takes and gives DynamoDB's types; a resource's client takes Python's."""
    item = {"pk": "types", "n": Decimal("1.50"), "s": {"a"}, "l": [None, True]}
    low = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    db.client.put_item(TableName="plain", Item=low)
    found = db.client.get_item(TableName="plain", Key={"pk": {"S": "types"}})["Item"]
    assert {k: TypeDeserializer().deserialize(v) for k, v in found.items()} == item
    key: Any = {"pk": "types"}
    assert db.resource.meta.client.get_item(TableName="plain", Key=key)["Item"] == item


# --- the application's own handlers


OF_THE_CONNECTION = (
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
)


def noting(seen: list[str]) -> Any:
    """A handler that writes down which event it was called for."""

    def note(event_name: str, **_: object) -> None:
        seen.append(event_name.partition(".")[0])

    return note


def test_handlers_that_an_application_registers_run_before_and_after(
    db: MultiRegionDynamoDB, plain: Any
) -> None:
    """Arguments that one changes are those that are sent.

    DIFFERS: those of the connection are not called, because this client sends nothing itself.
    """
    client = db.options(deadline=30.0).client
    seen: list[str] = []

    def other_table(params: dict[str, Any], **_: object) -> None:
        seen.append("parameters")
        params["TableName"] = "second"

    client.meta.events.register("provide-client-params.dynamodb.PutItem", other_table)
    for event in ("before-parameter-build", "before-call", "after-call", *OF_THE_CONNECTION):
        client.meta.events.register(f"{event}.dynamodb.PutItem", noting(seen))
    client.put_item(TableName="plain", Item={"pk": {"S": "handled"}})
    assert seen == ["parameters", "before-parameter-build", "before-call", "after-call"]
    plain_seen: list[str] = []
    for event in OF_THE_CONNECTION:
        plain.meta.events.register(f"{event}.dynamodb.PutItem", noting(plain_seen))
    plain.put_item(TableName="plain", Item={"pk": {"S": "plainly"}})
    assert set(plain_seen) == set(OF_THE_CONNECTION)
    assert "Item" in db.Table("second").get_item(Key={"pk": "handled"})
    assert "Item" not in db.Table("plain").get_item(Key={"pk": "handled"})


def test_a_handler_may_change_what_is_serialized(db: MultiRegionDynamoDB, station: Station) -> None:
    """Headers of the request that a handler of `before-call` adds reach the region."""
    client = db.options(deadline=30.0).client

    def mark(params: dict[str, Any], **_: object) -> None:
        params["headers"]["X-Trace"] = "trace-7"

    client.meta.events.register_first("before-call.dynamodb.GetItem", mark)
    client.get_item(TableName="plain", Key={"pk": {"S": "traced"}})
    assert any(one.headers.get("x-trace") == "trace-7" for one in station.asked)


def test_a_handler_that_answers_itself_is_not_overruled(db: MultiRegionDynamoDB) -> None:
    """botocore's Stubber does so, and so do caches."""
    from botocore.stub import Stubber

    client = db.options(deadline=30.0).client
    key: Any = {"pk": {"S": "stub"}}
    with Stubber(client) as stub:
        stub.add_response("get_item", {"Item": key}, {"TableName": "plain", "Key": key})
        assert client.get_item(TableName="plain", Key=key)["Item"] == key
    assert "Item" not in client.get_item(TableName="plain", Key=key)


# --- copies, threads


def test_a_copy_of_a_table_is_a_routed_one(db: MultiRegionDynamoDB) -> None:
    table = copy.copy(db.Table("plain"))
    table.put_item(Item={"pk": "copied"})
    assert "Item" in db.Table("plain").get_item(Key={"pk": "copied"})


def test_pickling_is_refused_as_by_boto3(db: MultiRegionDynamoDB, plain: Any) -> None:
    """By the same kind of error, for a client and for a table."""
    table = boto3.Session("x", "x", region_name=EAST).resource("dynamodb").Table("plain")
    for ours, theirs in ((db.client, plain), (db.Table("plain"), table)):
        with pytest.raises(Exception) as expected:  # noqa: PT011  # whatever boto3 raises
            pickle.dumps(theirs)
        with pytest.raises(type(expected.value)):
            pickle.dumps(ours)


def test_fifty_threads_share_one_table(db: MultiRegionDynamoDB) -> None:
    table = db.Table("plain")
    table.put_item(Item={"pk": "shared", "n": 0})
    start = threading.Barrier(50)

    def add(number: int) -> Any:
        start.wait()
        table.put_item(Item={"pk": f"thread#{number}", "n": number})
        return table.get_item(Key={"pk": f"thread#{number}"}, ConsistentRead=True)["Item"]["n"]

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(add, range(50))) == list(range(50))


def test_fifty_threads_ask_for_the_first_table_at_once(db: MultiRegionDynamoDB) -> None:
    """It is made once, by whoever comes first."""
    chosen = db.options(deadline=30.0)
    start = threading.Barrier(50)

    def first(_: int) -> Any:
        start.wait()
        return chosen.resource

    with ThreadPoolExecutor(50) as pool:
        assert len({id(one) for one in pool.map(first, range(50))}) == 1


# --- what an application has made itself


def test_another_services_client_is_not_routed(db: MultiRegionDynamoDB) -> None:
    sqs: Any = boto3.Session("x", "x", region_name=EAST).client("sqs")
    with pytest.raises(ValueError, match="this is sqs's"):
        db.route(sqs)


def test_a_clients_own_settings_stand_where_they_are_not_the_routes(
    db: MultiRegionDynamoDB,
) -> None:
    """DIFFERS from boto3: `Config` of a routed client sets no timeouts and no retries."""
    own = Config(parameter_validation=False, read_timeout=0.001, retries={"total_max_attempts": 1})
    session = boto3.Session("x", "x", region_name="eu-north-1")
    client: Any = session.client("dynamodb", config=own)
    db.route(client)
    client.put_item(TableName="plain", Item={"pk": {"S": "own"}})
    with pytest.raises(ClientError, match=r"ValidationException|SerializationException"):
        client.put_item(TableName="plain", Item={"pk": {"N": "5"}})
