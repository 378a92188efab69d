"""The fence: why a late or doubled writer cannot move traffic.

Every change of the desired routing takes a new *epoch*, handed out by compare-and-set of the state
document; so two handlers never hold the same epoch for different wishes. The commit that makes an
epoch also fixes its *revision*, the generation of the object that it replaced. The mark (epoch,
revision), compared in that order, is written into the routing resource itself, in the same atomic
request as the traffic, guarded by the resource's fingerprint F.

A handler shifts in three steps: it reads the resource and gets F and the mark (R, W) on it; it
stops if (R, W) is higher than its own mark; it writes traffic, its own mark and F at once. Suppose
handler A holds a lower mark than handler B, and A is stopped for an hour anywhere along the way:

- B wrote before A's read: A sees the higher mark and stops.
- B wrote after A's read: F has changed, A's write is refused (412), A reads again and stops.
- A wrote first: B's own write is refused by F or sees A's lower mark; B writes over it.

In every order the resource ends at the highest mark that was committed and sent. A lost answer
costs nothing: what was asked for is read again and compared, and a repeat carries the old F.

One case is left. The mark may be wiped (an infrastructure tool resets the description), and then a
stale A that reads afterwards sees no mark. So a resource without a mark is written only after the
state was read once more, *later* than that resource, and is still at the commit that the handler
carries out. If it is, nobody had decided anything newer by then. A later decision changes
F with its own write, or meets ours and overwrites it. The extra read is spared where our own
commit came after the read of the resource, for that commit is itself such a proof.

Some controllers (GKE among them) keep a JSON object in the description, and write it back when they
cannot parse it. Two writers would then undo each other for ever. So in a description that is a JSON
object the mark is a member of that object, `"failover-checkout": "failover epoch=7 ..."`, and the
whole stays a JSON object. It is read like any other: a mark counts wherever it stands.

This module reads and writes the mark. It does not decide and does not compare.
"""

from __future__ import annotations

import re

from orchestrator.core.exceptions import UnsafePlan
from orchestrator.core.model import NO_MARK, Mark
from orchestrator.core.outside.limits import EPOCHS
from orchestrator.core.outside.reading import read_json
from orchestrator.core.rule import Rule

MAX_DESCRIPTION = 2048
"""Characters that the API keeps of a description (reference of backendServices)."""

MAX_READ = 32 * MAX_DESCRIPTION
"""Characters of a description that are searched for marks; no API keeps as many."""

FROZEN_DIGITS = 10
"""Digits of the end of a freeze, in seconds since 1970: until the year 2286."""

FROZEN = len(" frozen=") + FROZEN_DIGITS
"""Characters that are kept free for it, so that a freeze cuts nothing."""

_JOINS = re.compile(r"[A-Za-z0-9=-]{2}| [A-Za-z0-9=-]|[A-Za-z0-9=-] ")

_MARK = re.compile(
    r"failover epoch=(\d{1,18}) service=([a-z0-9-]{1,63}) rev=(\d{1,20})(?!\d)"
    r"(?: frozen=(\d{1,10})(?!\d))?"
)

_CLAIM = re.compile(r"failover epoch=\d{17,} service=([a-z0-9-]{1,63}) rev=\d+")
"""What is no mark, because its epoch has more digits than any epoch, and looks like one."""


def read_mark(description: str, service: str) -> Mark:
    """The highest mark that the description carries for this service, wherever it stands in it.

    The mark of another service counts as none, and so does an epoch above every epoch that there
    can be.
    """
    marks = [
        Mark(int(match[1]), int(match[3]))
        for match in _MARK.finditer(description, 0, MAX_READ)
        if match[2] == service and int(match[1]) < EPOCHS
    ]
    return max(marks, default=NO_MARK)


def is_implausible(description: str, service: str) -> bool:
    """Whether a mark of this service has an epoch that nobody can have made, however long."""
    marks = _MARK.finditer(description, 0, MAX_READ)
    claims = _CLAIM.finditer(description, 0, MAX_READ)
    return any(match[2] == service and int(match[1]) >= EPOCHS for match in marks) or any(
        match[1] == service for match in claims
    )


def next_epoch(*epochs: int) -> int:
    """The epoch above all these. Raises UnsafePlan if no mark and no document could carry it."""
    epoch = max(epochs) + 1
    if epoch >= EPOCHS:
        raise UnsafePlan(
            Rule.EPOCH,
            f"no epoch is left above {max(epochs)}, and no decision has made that epoch. Nothing is"
            " decided and nothing is sent. Remove the mark from the load balancer's description if"
            " it has that epoch, and restore a version of the document from before it",
        )
    return epoch


def read_frozen(description: str, service: str) -> int:
    """Until when automation is frozen by this service's marks, in seconds since 1970; 0: it is not.

    Readers of an older form do not look at it, and keep it as people's text.
    """
    matches = _MARK.finditer(description, 0, MAX_READ)
    return max((int(mark[4]) for mark in matches if mark[2] == service and mark[4]), default=0)


def bare(description: str, service: str) -> str:
    """The description without this service's marks: what people and controllers have written."""
    while True:  # what stood around a mark may form another
        after = _without_marks(description, service)
        if after == description:
            return after.strip()
        description = after


def _without_marks(description: str, service: str) -> str:
    mark = rf"failover epoch=\d{{1,18}} service={re.escape(service)} rev=\d{{1,20}}"
    mark += r"(?: frozen=\d{1,10})?"
    member = rf'"failover-{re.escape(service)}"\s*:\s*"({mark})?( frozen=[0-9]{{1,10}})?"'
    for around in (rf"{member},", rf",\s*{member}", rf"{member}\s*,", member):
        description = re.sub(around, _gap, description)
    description = _CLAIM.sub(
        lambda match: _gap(match) if match[1] == service else match[0], description
    )
    return _MARK.sub(lambda match: _gap(match) if match[2] == service else match[0], description)


def _gap(removed: re.Match[str]) -> str:
    """What is left where a mark was, so that the text around it does not join.

    Two halves of another service's mark could become that mark, in which one blank stands between
    two words and never two.
    """
    before = removed.string[: removed.start()][-1:]
    after = removed.string[removed.end() :][:1]
    if not _JOINS.fullmatch(before + after):
        return ""
    return " " if " " in before + after else "  "


def write_mark(description: str, service: str, mark: Mark, frozen: int = 0) -> str:
    """The description with this mark as its beginning, other text kept, cut to fit the API.

    Where the other text is a JSON object, and both fit, the mark is its first member instead.
    frozen: until when automation is, in seconds since 1970; 0: it is not, or the mark does not
    tell.
    """
    until = f" frozen={frozen}" if frozen else ""
    written = f"failover epoch={mark.epoch} service={service} rev={mark.rev}{until}"
    text = bare(description, service)
    members = json_object(text)
    if members is not None:
        inside = f'{{"failover-{service}":"{written}"{"," if members else ""}{text[1:]}'
        room = MAX_DESCRIPTION if frozen else MAX_DESCRIPTION - FROZEN
        if len(inside) <= room and bare(inside, service) == text:
            return inside
    return _fitted(written, text)


def _fitted(mark: str, text: str) -> str:
    """The mark and the text behind it. People's text is cut, and no mark is.

    Raises UnsafePlan when the marks of all services do not fit.
    """
    gap = "  " if text.startswith("frozen=") else " "  # people's text, and not the mark's
    whole = f"{mark}{gap}{text}".strip()
    if len(whole) <= MAX_DESCRIPTION:
        return whole
    marks = " ".join([mark, *(match[0] for match in _MARK.finditer(text))])
    if len(marks) > MAX_DESCRIPTION:
        raise UnsafePlan(
            Rule.MARKS,
            f"the description has no room for the marks of all services ({len(marks)} characters of"
            f" {MAX_DESCRIPTION}). Nothing is sent. Give each service a backend service of its own",
        )
    room = MAX_DESCRIPTION - len(marks) - len(gap)
    return f"{marks}{gap}{_cut(text, room)}".strip()


def _cut(text: str, room: int) -> str:
    """The beginning of people's text, without a mark: none stood there, and the cut makes none."""
    while (after := _MARK.sub(_gap, text)) != text:
        text = after
    cut = text.strip()[: max(0, room)]
    mark = _MARK.search(cut)
    return cut[: mark.start()] if mark else cut


def is_cut(description: str, service: str, mark: Mark) -> bool:
    """Whether writing this mark, now or later with a freeze, loses some of people's text."""
    written = write_mark(description, service, mark, frozen=10 ** (FROZEN_DIGITS - 1))
    return bare(written, service) != bare(description, service)


def json_object(text: str) -> dict[str, object] | None:
    """The JSON object that the text is; None for any other text."""
    if not text.startswith("{"):
        return None
    try:
        value = read_json(text, MAX_DESCRIPTION)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
