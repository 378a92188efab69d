"""Poison: messages that nobody can read, kept once by their content, so many a day.

Anybody who may publish chooses how many there are, and each would be an object for years. So one
small object beside the documents, `_poison.json`, lists what was kept on the last days; it is
replaced by compare-and-set, so that the bound holds for all instances together. Beyond it a message
is still acknowledged and told in the log.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum

from orchestrator.core.exceptions import BadEvent, Conflict
from orchestrator.core.model import Page
from orchestrator.core.outside import reading
from orchestrator.core.outside.limits import READ, TOLD
from orchestrator.core.outside.shown import short
from orchestrator.core.rule import Rule
from orchestrator.flow.context import Context
from orchestrator.flow.outgoing import page
from orchestrator.flow.outgoing.spared import spared
from orchestrator.ports import Objects

FOLDER = "journal/_poison/"
INDEX = "_poison.json"

BYTES = 4096
"""How much of an unreadable message is kept."""

DAILY = 100
"""Messages that are kept on one day, by UTC."""

DAYS = 7
"""Days whose messages are listed."""

TRIES = 3
"""Writes of the list that may lose against others before a message is left out."""

_DIGEST = re.compile(r"[0-9a-f]{64}")

Index = Mapping[str, tuple[str, ...]]


class PoisonKept(StrEnum):
    """Whether a message was kept. LEFT_OUT: the day's room is used up. UNKNOWN: the list of what is
    kept could not be written, or others were faster each time."""

    KEPT = "kept in the journal"
    LEFT_OUT = f"not kept: {DAILY} a day are"
    UNKNOWN = "not kept: the list of kept messages could not be written"


def keep(data: bytes, error: BadEvent, context: Context) -> PoisonKept:
    """Keep the message with its reason and its first 4 KB, if the day has room. Raises nothing."""
    fates = [PoisonKept.UNKNOWN]
    spared("poison not kept", lambda: fates.append(_keep(data, error, context)), context)
    return fates[-1]


def _keep(data: bytes, error: BadEvent, context: Context) -> PoisonKept:
    digest = hashlib.sha256(data).hexdigest()
    claimed = _claim(digest, context)
    if claimed is not PoisonKept.KEPT:
        return claimed
    kept = {
        "sha256": digest,
        "reason": short(str(error), TOLD),
        "bytes": len(data),
        "first": data[:BYTES].decode("utf-8", "replace"),
    }
    with suppress(Conflict):  # it is there
        context.objects.put(name_of(digest), json.dumps(kept, indent=1).encode(), 0)
    return PoisonKept.KEPT


def name_of(digest: str) -> str:
    """The object that keeps the message with this SHA-256."""
    return f"{FOLDER}{digest}.json"


def _claim(digest: str, context: Context) -> PoisonKept:
    """Whether the message has a place among the day's. Raises Unavailable."""
    today = f"{context.now():%Y-%m-%d}"
    for _ in range(TRIES):
        listed, generation = _read(context.objects)
        if any(digest in names for names in listed.values()):
            return PoisonKept.KEPT
        mine = listed.get(today, ())
        if len(mine) >= DAILY:
            _page_once(today, listed, generation, context)
            return PoisonKept.LEFT_OUT
        oldest = f"{context.now() - timedelta(days=DAYS):%Y-%m-%d}"
        after = {day: names for day, names in listed.items() if day > oldest}
        after[today] = (*mine, digest)
        try:
            context.objects.put(INDEX, json.dumps(after, indent=1).encode(), generation)
        except Conflict:
            continue
        return PoisonKept.KEPT
    return PoisonKept.UNKNOWN


def _page_once(today: str, listed: Index, generation: int, context: Context) -> None:
    """Call a human for the first message that finds no room, and note that in the list.

    In this order: a crash between the two pages once more, and never not at all.
    """
    paged = f"{today} paged"
    if paged in listed:
        return
    _page(today, context)
    with suppress(Conflict):  # another instance was faster, and has paged too
        context.objects.put(INDEX, json.dumps({**listed, paged: ()}).encode(), generation)


def _read(objects: Objects) -> tuple[Index, int]:
    """The list and its generation; an unreadable one is begun again. Raises Unavailable."""
    got = objects.get(INDEX)
    if got is None:
        return {}, 0
    try:
        days = reading.mapping(reading.read_json(got[0], READ))
        return {day: _digests(names) for day, names in days.items()}, got[1]
    except (ValueError, TypeError):
        return {}, got[1]


def _digests(names: object) -> tuple[str, ...]:
    """Those that are digests: each becomes a part of a name. Raises TypeError for no list."""
    return tuple(name for name in reading.texts(names) if _DIGEST.fullmatch(name))


def _page(today: str, context: Context) -> None:
    text = (
        f"poison: {DAILY} messages of {today} could not be read. Each was acknowledged and changed"
        " nothing. The rest of today's are not kept, but the log has the reason of each. Readable"
        " alerts are not affected. Find out who publishes them"
    )
    condition = Page(Rule.POISON, text, command="failoverctl check", once=True)
    page.alarm(condition, context.memory, context.log, context.now())


def names(objects: Objects, most: int) -> tuple[tuple[str, ...], int]:
    """The newest kept messages' objects, and how many more there are. Raises Unavailable."""
    listed, _ = _read(objects)
    recent = [name_of(one) for day in sorted(listed, reverse=True) for one in listed[day][::-1]]
    newest = frozenset(recent)
    older = [name for name in objects.names(FOLDER) if name not in newest]
    every = (*recent, *older)
    return every[:most], max(0, len(every) - most)
