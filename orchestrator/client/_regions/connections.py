"""Connections whose host's addresses share the time (`orchestrator.addresses`).

urllib3 tries the addresses of a host in turn and gives each the whole timeout: with one that is
silent a call with a timeout of 1 s waits 1 s, and hears that the region does not answer. Where a
host has one address, as DynamoDB's regional endpoints mostly do, nothing is different.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from orchestrator.addresses import Address, by_turns, connect, resolve


class Sharing(HTTPConnection):
    """Connects as urllib3's own connections do, and raises what they raise."""

    @staticmethod
    def resolve(host: str, port: int) -> Sequence[Address]:
        """The host's addresses."""
        return resolve(host, port)

    def _new_conn(self) -> socket.socket:
        if self.source_address or not isinstance(self.timeout, int | float):
            return super()._new_conn()
        until = time.monotonic() + self.timeout
        try:
            addresses = by_turns(self.resolve(self._dns_host, self.port or self.default_port))
            made, _ = connect(addresses, until, tuple(self.socket_options or ()))
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            text = f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            raise ConnectTimeoutError(self, text) from error
        except OSError as error:
            text = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, text) from error
        made.settimeout(self.timeout)
        return made


class SharingConnection(Sharing, HTTPConnection):
    """urllib3's, for http."""


class SharingTlsConnection(Sharing, HTTPSConnection):
    """urllib3's, for https."""
