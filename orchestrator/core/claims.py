"""Which backend groups a region claims: a group's path, or a pattern with `*`.

A claim is a path from `projects/` on. `*` stands in one part of it, for the whole part
(`zones/*/networkEndpointGroups/NAME`: GKE gives one name to a group in every zone) or for its end
(`zones/us-east4-*/`). It never matches a `/`. A group is a claim without `*`, which matches itself.
"""

from __future__ import annotations

STAR = "*"
"""Stands for any characters of one part of a path, also for none at its end."""


def is_pattern(claim: str) -> bool:
    """Whether the claim stands for more than one group."""
    return STAR in claim


def matches(claim: str, group: str) -> bool:
    """Whether the claim covers this group."""
    return overlap(claim, group)


def overlap(one: str, other: str) -> bool:
    """Whether some group is covered by both claims.

    Exact: the parts of a path are independent of each other, so two claims share a group if and
    only if each pair of their parts shares a text.
    """
    ours, theirs = one.split("/"), other.split("/")
    return len(ours) == len(theirs) and all(map(_share_text, ours, theirs))


def _share_text(one: str, other: str) -> bool:
    """Whether some text is covered by both parts: a text, or a text whose end is open."""
    first, second = one.removesuffix(STAR), other.removesuffix(STAR)
    if one == first and other == second:
        return one == other
    if one == first:
        return one.startswith(second)
    if other == second:
        return other.startswith(first)
    return first.startswith(second) or second.startswith(first)


def example(claim: str, region: str) -> str:
    """A group that the claim covers, for worlds that are made from the file.

    region: for the zone where the claim leaves it open.
    """
    return "/".join(_filled(part, region) for part in claim.split("/"))


def _filled(part: str, region: str) -> str:
    if not part.endswith(STAR):
        return part
    given = part.removesuffix(STAR)
    return f"{given}a" if given else f"{region}-a"


def place(group: str) -> str:
    """The zone or region of a group's path, `global` where it has neither."""
    parts = group.split("/")
    for collection in ("zones", "regions"):
        if collection in parts[:-1]:
            return parts[parts.index(collection) + 1]
    return "global" if "global" in parts else "somewhere"


def short_name(group: str) -> str:
    """A group's place and name, as in `us-east4-a/checkout`: names repeat from zone to zone."""
    return f"{place(group)}/{group.rsplit('/', 1)[-1]}"
