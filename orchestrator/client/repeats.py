"""Which writes may be done twice. PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_RELATIVE = re.compile(r"[+-]|list_append|if_not_exists|\b(ADD|DELETE|REMOVE)\b", re.IGNORECASE)
"""What makes an update depend on what was there: done twice it comes to something else."""


def repeatable(kind: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether one write may be done twice: it has a condition, and sets values and no differences.

    kind: `Put`, `Delete`, `Update` or `ConditionCheck`. `balance >= :a` is still true after the
    first withdrawal, so a condition alone does not make an update safe.
    """
    if not kwargs.get("ConditionExpression"):
        return False
    return kind != "Update" or not _RELATIVE.search(str(kwargs.get("UpdateExpression", "-")))


def all_repeatable(kwargs: Mapping[str, Any]) -> bool:
    """Whether every write of a transaction is."""
    writes = [one for item in kwargs.get("TransactItems", ()) for one in item.items()]
    return bool(writes) and all(repeatable(kind, one) for kind, one in writes)
