"""Ids from outside, in a form that names objects, stands in a line and has a bounded length."""

from __future__ import annotations

import hashlib
import re

from orchestrator.core.limits import ID

_PLAIN = re.compile(rf"[A-Za-z0-9._:-]{{1,{ID}}}")


def plain_id(given: str) -> str:
    """The id itself if it has at most 64 characters of `[A-Za-z0-9._:-]`, else its hash.

    The hash is made from the form given, and from nothing else. So whoever has the form given finds
    the record: `explain` asks this function too.
    """
    if _PLAIN.fullmatch(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'replace')).hexdigest()[:40]}"
