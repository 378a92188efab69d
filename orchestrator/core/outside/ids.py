"""Ids from outside, and names of objects: of safe letters and a bounded length."""

from __future__ import annotations

import hashlib
import re

from orchestrator.core.outside.limits import ID

_PLAIN = re.compile(rf"[A-Za-z0-9._:-]{{1,{ID}}}")


_PART = r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,199}"
_OBJECT = re.compile(rf"{_PART}(/{_PART}){{0,9}}")


def is_object_name(name: str) -> bool:
    """Whether an object may have this name: parts of a safe alphabet, none of them hidden or `..`.

    Every store refuses to write another: in a folder it could lie outside of it.
    """
    return _OBJECT.fullmatch(name) is not None


def plain_id(given: str) -> str:
    """The id itself if it has at most 64 characters of `[A-Za-z0-9._:-]`, else its hash.

    The hash is made from the form given, and from nothing else. So anybody who has the form given
    finds the record, by `forms`.
    """
    if _PLAIN.fullmatch(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'replace')).hexdigest()[:40]}"


def forms(given: str) -> frozenset[str]:
    """Every form in which a record may have the id that a message brought, or a person gives.

    Blanks around an id are dropped when it comes. Older versions kept it as it came otherwise.
    """
    bare = given.strip()
    return frozenset({given, bare, plain_id(bare)})
