"""Where the file may say that a region's table is, and what is wrong where it may not.

An endpoint that no client would accept is refused when the file is loaded, not when users find out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestrator.core.exceptions import Found
from orchestrator.core.outside.endpoints import (
    PORTS,
    aws_region_of,
    default_endpoint,
    is_allowed,
    is_aws_region,
    origin_of,
)

Object = Mapping[object, object]


def refused(services: Object, *, local: bool) -> Iterator[Found]:
    """Endpoints of no DynamoDB, and regions whose AWS region nothing tells.

    local: everything is on this machine or an emulator.
    """
    for name, service in services.items():
        listed = _object(service).get("allow_endpoints")
        hosts = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        for region, entry in _object(_object(service).get("regions")).items():
            if not isinstance(region, str) or not isinstance(entry, dict):
                continue  # the schema says so
            path = ("services", name, "regions", region)
            yield from _of_region(path, region, entry, hosts, local=local)


def other_name(region: str, aws_region: str | None, endpoint: str) -> str:
    """AWS's name of the region where the region's key is not that name, else an empty text."""
    named = aws_region or (None if is_aws_region(region) else aws_region_of(endpoint))
    return "" if named in {None, region} else str(named)


def _of_region(
    path: tuple[object, ...], region: str, entry: Object, hosts: list[str], *, local: bool
) -> Iterator[Found]:
    stated, endpoint = entry.get("aws_region"), entry.get("endpoint", "")
    expected = region if stated is None else stated
    if not isinstance(expected, str) or not isinstance(endpoint, str):
        return  # the schema says so
    if stated is not None and not is_aws_region(expected):
        return  # as above
    yield from _in_no_region(path, region, expected, endpoint)
    if _is_foreign(endpoint, hosts, local=local):
        right = expected if is_aws_region(expected) else "us-east-1"
        yield (*path, "endpoint"), _foreign(endpoint, right, local=local)


def _in_no_region(
    path: tuple[object, ...], region: str, expected: str, endpoint: str
) -> Iterator[Found]:
    """A region whose AWS region nothing tells, or whose endpoint is in another one."""
    named = aws_region_of(endpoint)
    if not is_aws_region(expected):
        if named is None:
            yield (*path, "aws_region"), _unnamed(region)
    elif named is not None and named != expected:
        yield (*path, "endpoint"), _in_another(endpoint, named, region, expected)


def _is_foreign(endpoint: str, hosts: list[str], *, local: bool) -> bool:
    """Whether the endpoint is no name of AWS's, and none that the file allows."""
    if not endpoint or aws_region_of(endpoint) is not None:
        return False
    return not is_allowed(endpoint, hosts, local=local)


def _unnamed(region: str) -> str:
    return (
        f"missing: {region} is no AWS region, so nothing tells where its table is. Write the"
        " replica's, such as us-east-1"
    )


def _in_another(endpoint: str, named: str, region: str, expected: str) -> str:
    text = f"{endpoint} is DynamoDB in {named}, not in {expected}. Write"
    other = f"aws_region: {named}" if region == expected else f"aws_region: {named} as well"
    return f"{text} {default_endpoint(expected)}, or {other} if the table is there"


def _foreign(endpoint: str, region: str, *, local: bool) -> str:
    """What is wrong with an endpoint that is no name of AWS's, and what would be right."""
    shown = ascii(re.sub(r"(^|//)[^/]*@", r"\1***@", endpoint[:200]))
    origin = origin_of(endpoint)
    right = f"write {default_endpoint(region)}"
    if origin is None:
        return f"{shown} is no host that requests can be sent to by https; {right}"
    if origin.on_loopback:
        return (
            f"{shown} is the machine that asks, and is taken only with file:// state or an"
            f" emulator; {right}"
        )
    plain = origin.port == PORTS[origin.scheme]
    listed = f"allow_endpoints: [{origin.host if plain else f'{origin.host}:{origin.port}'}]"
    if origin.scheme == "http" and not local:
        return (
            f"{shown}: items and credentials would go in clear text, which is taken only with"
            f" file:// state or an emulator; {right}"
        )
    return (
        f"{shown} is no name that AWS gives DynamoDB in {region}: requests with items and"
        f" signatures would go there; {right}, or {listed} in the service if the host is yours"
    )


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
