"""Google's certificates, and whether a token is signed by one of them, by google-auth.

They are fetched when a token with a signature comes, and kept for as long as Google says. A token
that names another certificate has them fetched before that, but not more often than every `LEAST`
seconds: anybody can write a token that names any. The library is imported by the first such token;
behind Cloud Run's own check there is none.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.adapters.gcp.error_kinds import kind_of, kind_of_status
from orchestrator.core.exceptions import Kind, Unavailable

if TYPE_CHECKING:
    import requests

TIMEOUT = (2.0, 3.0)
"""Seconds to connect and to read: the message's own deadline is minutes, an alert's is short."""

LEAST, UNSAID, LONGEST = 60.0, 300.0, 86400.0
"""Seconds that certificates are kept: at least, where Google does not say, and at most."""

SKEW = 60
"""Seconds that two clocks may be apart."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was fetched: PEM by id, when, and until when it counts (both monotonic)."""

    certificates: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fetched: float = float("-inf")
    until: float = float("-inf")


class GoogleCertificates:
    """Implements `orchestrator.ports.Signatures`.

    url: where the certificates are, as JSON of PEM by id. clock: seconds that only go on.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = _Kept()

    def signed(self, token: str) -> bool:
        """Whether one of them signed it, and it is valid now. Raises Unavailable."""
        from google.auth import jwt  # with the first token that has a signature

        try:
            identity = jwt.decode_header(token).get("kid")
        except Exception:  # noqa: BLE001  # what the library cannot read is not signed
            return False
        certificate = self._certificate(identity) if isinstance(identity, str) else None
        if certificate is None:
            return False
        try:
            jwt.decode(token, certs={identity: certificate}, clock_skew_in_seconds=SKEW)
        except Exception:  # noqa: BLE001  # as above: an algorithm, a time, a key of another kind
            return False
        return True

    def _certificate(self, identity: str) -> str | None:
        """The certificate of this id, None when Google has none."""
        with self._lock:
            kept, at = self._kept, self._clock()
            may = at >= kept.until or (
                identity not in kept.certificates and at >= kept.fetched + LEAST
            )
            if may:
                kept = self._kept = self._fetched(at)
            return kept.certificates.get(identity)

    def _fetched(self, at: float) -> _Kept:
        import requests  # with the first of them

        try:
            answer = requests.get(self._url, timeout=TIMEOUT, allow_redirects=False)
        except Exception as error:
            raise _unavailable(type(error).__name__, kind_of(error)) from error
        if answer.status_code != requests.codes.ok:
            raise _unavailable(f"HTTP {answer.status_code}", kind_of_status(answer.status_code))
        return _Kept(_read(answer.content), at, at + _life(answer))


def _read(content: bytes) -> Mapping[str, str]:
    """The certificates by their ids. Raises Unavailable for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise _unavailable("what came is no list of certificates", Kind.UNKNOWN)
    return MappingProxyType(found)


def _life(answer: requests.Response) -> float:
    """Seconds that the answer may be kept, by its own word."""
    said = re.search(r"max-age=([0-9]{1,9})", answer.headers.get("Cache-Control", ""))
    return max(LEAST, min(float(said[1]) if said else UNSAID, LONGEST))


def _unavailable(what: str, kind: Kind) -> Unavailable:
    return Unavailable(
        f"Google's certificates cannot be fetched ({what}), so it is not known whether Google"
        " signed the token of this request, and the request is not handled",
        page=True,
        kind=kind,
        rule="push-certificates",
    )
