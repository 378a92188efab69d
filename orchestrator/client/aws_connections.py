"""botocore's connections, with the addresses of a host sharing the time (`connections`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from orchestrator.addresses import Resolve, resolve
from orchestrator.client.connections import Sharing
from orchestrator.client.guard import look


class _AwsConnection(Sharing, AWSHTTPConnection):  # type: ignore[misc]  # botocore overrides so, too
    """botocore's, for http."""

    def send(self, data: Any) -> Any:
        """As botocore's, after a last look."""
        look()
        return super().send(data)


class _AwsTlsConnection(Sharing, AWSHTTPSConnection):  # type: ignore[misc]  # as above
    """botocore's, for https."""

    def send(self, data: Any) -> Any:
        """As botocore's, after a last look."""
        look()
        return super().send(data)


def pools(resolve: Resolve = resolve) -> Mapping[str, Any]:
    """botocore's pools by scheme, with these connections. resolve: finds a host's addresses."""
    find = staticmethod(resolve)
    plain = type("SharingAwsConnection", (_AwsConnection,), {"resolve": find})
    tls = type("SharingAwsTlsConnection", (_AwsTlsConnection,), {"resolve": find})
    return {
        "http": type("SharingPool", (AWSHTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SharingTlsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
