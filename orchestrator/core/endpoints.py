"""Which endpoints applications can use: one answer for the configuration and for the client."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_usable(endpoint: str) -> bool:
    """Whether it is a host or a URL that requests can be sent to.

    A client leaves a region out whose endpoint is none, so that it does not take the others along;
    so the configuration refuses it.
    """
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return (
        known
        and not parts.username
        and endpoint.isascii()
        and endpoint.isprintable()
        and (" " not in endpoint)
    )
