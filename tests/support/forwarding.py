"""A station that stands before another server: what it does with a request is the test's."""

from __future__ import annotations

import urllib.error
import urllib.request

from tests.support.station import Asked, Said

HOP = {"host", "content-length", "connection"}


def forward(url: str, asked: Asked) -> Said:
    """The other server's answer. url: where it is, on loopback."""
    headers = {name: value for name, value in asked.headers.items() if name not in HOP}
    request = urllib.request.Request(url + asked.path, asked.body, headers)  # noqa: S310  # loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
            return Said(answer.status, answer.read(), {"x-amzn-RequestId": "proxied"})
    except urllib.error.HTTPError as error:
        return Said(error.code, error.read())
