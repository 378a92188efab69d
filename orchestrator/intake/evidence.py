"""What an alert can be matched to a region by, besides its labels: a host and a check id.

Evidence that two regions share tells neither of them. Where it can be known beforehand, from the
file, it is refused at load. Pure; values only, as the file or the core has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from urllib.parse import urlsplit

from orchestrator.core.exceptions import Found
from orchestrator.core.outside.hosts import Place, place_of
from orchestrator.core.outside.secrets import masked
from orchestrator.core.outside.shown import short

MOST = 3
"""Regions that are named beside one that shares their evidence."""

LONGEST = 200
"""Characters of a name or URL that are shown."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

Object = Mapping[object, object]


def hosts(url: str | None) -> tuple[str, ...]:
    """A health URL's host as an alert may name it: as written there, without port, and with."""
    if not url:
        return ()
    parts = urlsplit(url.lower())
    host = (parts.hostname or "").rstrip(".")
    return (parts.netloc, host, f"{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme)}")


def check_name(check_id: str) -> str:
    """An uptime check's id, which may be given by its whole resource name."""
    return check_id.rsplit("/", 1)[-1].strip().lower()


def same_url(url: str) -> str:
    """The URL as it compares: what asks the same server for the same thing is the same."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme.lower()}://{host}:{port}{parts.path or '/'}?{parts.query}"


_EVIDENCE: Mapping[str, Callable[[str], str]] = {"health_url": same_url, "check_id": check_name}


def shared(services: Object) -> Iterator[Found]:
    """Evidence that regions of different names share, within a service or between services.

    One region's name in two services may have one URL and one check: they fail together.
    services: as the file has them.
    """
    for field, form in _EVIDENCE.items():
        places = defaultdict(list)
        for path, given in _given(services, field):
            places[form(given)].append((path, given))
        for found in places.values():
            if len({path[3] for path, _ in found}) > 1:
                for path, given in found:
                    yield (*path, field), _also(path, given, [other for other, _ in found])


def _also(path: tuple[object, ...], given: str, places: list[tuple[object, ...]]) -> str:
    rivals = (f"{other[3]} of {other[1]}" for other in places if other != path)
    others = [short(one, LONGEST) for one in islice(rivals, MOST)]
    more = [f"{len(places) - 1 - MOST} more"] if len(places) - 1 > MOST else []
    return (
        f"{short(masked(given), LONGEST)} is {' and '.join([*others, *more])}'s too: an alert or a"
        " probe would be about both. Write the region's own"
    )


def _given(services: Object, field: str) -> Iterator[tuple[tuple[object, ...], str]]:
    for name, service in services.items():
        for region, entry in _object(_object(service).get("regions")).items():
            given = _object(entry).get(field)
            if isinstance(given, str) and given:
                yield ("services", name, "regions", region), given


def in_clear(services: Object) -> Iterator[Found]:
    """Health URLs that an identity token would be sent to in clear text, over a network."""
    for path, url in _given(services, "health_url"):
        if url.lower().startswith("http:") and not _is_loopback(url):
            told = "write https: with probe.auth oidc every request carries an identity token"
            yield (*path, "health_url"), told


def on_loopback(services: Object) -> Iterator[Found]:
    """Health URLs that in the cloud would ask the function's own machine for a region's health."""
    for path, url in _given(services, "health_url"):
        if _is_loopback(url):
            told = (
                "write the region's own host: a loopback address is the machine that asks, and is"
                " taken only with file:// state or an emulator"
            )
            yield (*path, "health_url"), told


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return place_of(host) is Place.LOOPBACK


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
