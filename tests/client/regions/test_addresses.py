"""A client's connections: the addresses of an endpoint share the time of one attempt."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError
from urllib3.exceptions import NameResolutionError

from orchestrator.addresses import Address
from orchestrator.client._regions.connections import SharingConnection
from orchestrator.client._regions.regions import client_config, share_time
from orchestrator.local.process.loopback import free_port
from tests.support.health_parts import session
from tests.support.health_server import Server, answer, serve, silent

__all__ = ["serve"]  # a fixture

BODY = json.dumps({"TableNames": ["orders"]}).encode()
HEADERS = f"Content-Type: application/x-amz-json-1.0\r\nx-amz-crc32: {zlib.crc32(BODY)}\r\n"
TABLES = answer(200, HEADERS, BODY)


def client(port: int, *hosts: str, connect: float = 1.0) -> Any:
    """DynamoDB at a host with these addresses."""

    def resolve(host: str, at: int) -> tuple[Address, ...]:
        assert host == "dynamodb.test"
        return tuple(Address(socket.AF_INET, (one, at)) for one in hosts)

    made = session().client(
        "dynamodb", endpoint_url=f"http://dynamodb.test:{port}", config=client_config(connect, 5.0)
    )
    share_time(made, resolve)
    return made


@pytest.mark.parametrize("connect", [0.3, 1.0])
def test_a_silent_address_before_a_good_one_does_not_make_the_region_fail(
    serve: Callable[..., Server], connect: float
) -> None:
    good = serve(TABLES, host="127.0.0.3")
    with silent("127.0.0.2", good.port):
        made = client(good.port, "127.0.0.2", "127.0.0.3", connect=connect)
        assert made.list_tables()["TableNames"] == ["orders"]
        made.close()


def test_an_endpoint_whose_addresses_are_all_silent_times_out_as_botocore_says_it() -> None:
    port = free_port()
    with silent("127.0.0.2", port), silent("127.0.0.3", port):
        made = client(port, "127.0.0.2", "127.0.0.3", connect=0.3)
        with pytest.raises(ConnectTimeoutError):
            made.list_tables()
        made.close()


def test_an_endpoint_that_refuses_is_told_as_botocore_tells_it() -> None:
    """What was not sent is known not to have been sent: a write may go elsewhere."""
    made = client(free_port(), "127.0.0.2", "127.0.0.3")
    with pytest.raises(EndpointConnectionError):
        made.list_tables()
    made.close()


def test_one_address_is_connected_to_as_ever(serve: Callable[..., Server]) -> None:
    good = serve(TABLES)
    made = client(good.port, "127.0.0.1")
    assert made.list_tables()["TableNames"] == ["orders"]
    made.close()


def test_a_name_that_does_not_resolve_is_told_as_urllib3_tells_it() -> None:
    class Nowhere(SharingConnection):
        @staticmethod
        def resolve(host: str, port: int) -> Sequence[Address]:
            raise socket.gaierror(f"{host}:{port}")

    with pytest.raises(NameResolutionError):
        Nowhere("nowhere.test", 80, timeout=1.0).connect()


def test_a_version_of_botocore_without_the_attribute_keeps_its_own_connections() -> None:
    share_time(object())
