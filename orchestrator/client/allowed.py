"""Endpoints beside AWS's own names that an application takes from the document.

    MultiRegionDynamoDB(source, allow_endpoint=hosts("https://dynamodb.internal.example.com"))
    MultiRegionDynamoDB(source, allow_endpoint=loopback)       # a laptop, a test

The document cannot allow them: anybody who can write it could name a host of theirs, and items and
signatures made with the application's credentials would go there. So the application says it.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.outside.endpoints import origin_of

Allow = Callable[[str, str], bool]
"""Whether requests for this region (its name in the document) may go to this endpoint. Asked only
about endpoints that are no name of AWS's for DynamoDB there. Anything but True refuses."""


def never(region: str, endpoint: str) -> bool:  # noqa: ARG001  # every Allow is asked both
    """AWS's names only: the default."""
    return False


def loopback(region: str, endpoint: str) -> bool:  # noqa: ARG001  # every Allow is asked both
    """This machine, on any port, also by `http`. For laptops and tests."""
    origin = origin_of(endpoint)
    return origin is not None and origin.on_loopback


def hosts(*endpoints: str) -> Allow:
    """These endpoints and no others, in any region: a proxy, an own domain, LocalStack.

    endpoints: each a host, host:port or URL. `https` is meant unless `http://` is written, so that
    nobody turns one into the other. Raises ValueError for what is not an endpoint.
    """
    origins = {endpoint: origin_of(endpoint) for endpoint in endpoints}
    for endpoint, origin in origins.items():
        if origin is None:
            raise ValueError(
                f"{endpoint!r} is no endpoint: write a host, host:port or URL in lower case,"
                " without user name and path"
            )
    known = frozenset(origins.values())

    def allow(region: str, endpoint: str) -> bool:  # noqa: ARG001  # every Allow is asked both
        return origin_of(endpoint) in known

    return allow
