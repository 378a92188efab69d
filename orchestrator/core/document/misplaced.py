"""Endpoints in the document that are not the configuration's: somebody else wrote them. PURE.

Applications send items there, with signatures that their credentials made. Nothing but the
configuration decides where that is, so the document is put back (see `ground.refit`), by an
instance that has the very configuration it was made with. A human is called, because nothing of
ours writes another endpoint. It makes no epoch: the traffic stays where it is, and a freeze
does not stop it: it is no decision.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.model import Decision, DecisionOutcome, Page, State
from orchestrator.core.policy import Service
from orchestrator.core.rule import Reason, Rule

SHOWN = 80
"""Characters that are shown of what somebody else wrote."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A region whose endpoint, or its AWS region, is another in the document than in the file."""

    region: str
    there: tuple[str, str]
    here: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.region}: the document has {_shown(*self.there)}, not {_shown(*self.here)}"


def differing(service: Service, state: State) -> tuple[Misplaced, ...]:
    """Every configured region of the document that is elsewhere than the file says.

    A document that does not name the AWS region was written by a version that did not know it.
    """
    pairs = ((region, state.regions.get(region.name)) for region in service.regions)
    return tuple(
        Misplaced(region.name, there, here)
        for region, entry in pairs
        if entry is not None
        for there, here in [
            ((entry.endpoint, entry.aws_region), (region.endpoint, region.aws_region))
        ]
        if there != here and (there[1] or there[0] != here[0])
    )


def found(service: Service, before: State | None) -> tuple[Misplaced, ...]:
    """Those that this instance puts back: the document was made with its own configuration."""
    if before is None or standing(before.stamp, service.stamp) is not Standing.SAME:
        return ()
    return differing(service, before)


def told(decision: Decision, regions: Collection[Misplaced]) -> Decision:
    """The decision that also says what was put back, and calls a human for it."""
    if not regions:
        return decision
    calm = decision.outcome is DecisionOutcome.UNCHANGED
    return replace(
        decision,
        outcome=DecisionOutcome.HEALTH if calm else decision.outcome,
        reasons=(*decision.reasons, *(_reason(one) for one in regions)),
        recorded=True,
        pages=(*decision.pages, _page(decision.state, regions)),
    )


def _reason(one: Misplaced) -> Reason:
    return Reason(Rule.ENDPOINT, True, f"{one}: put back", "", one.region)


def _page(state: State, regions: Collection[Misplaced]) -> Page:
    name = state.service
    text = (
        f"endpoint: {'; '.join(map(str, regions))}. Something other than the orchestrator wrote"
        f" {name}.json. It was put back. Our client sends nothing to a host that is not AWS's for"
        " DynamoDB there, unless the application allows it: it left the region out until then."
        " Applications that read the document without our client may have sent items and"
        " signatures to that host. Find out who wrote the object from its versions and the audit"
        " log of the state's bucket, and take that permission away. Replace credentials that may"
        " have been sent"
    )
    command = f"failoverctl state show {name} --versions"
    return Page(Rule.ENDPOINT, text, tuple(one.region for one in regions), command)


def _shown(endpoint: str, aws_region: str) -> str:
    where = f" in {_quoted(aws_region)}" if aws_region else ""
    return f"{_quoted(endpoint)}{where}"


def _quoted(text: str) -> str:
    """A text that others wrote: in ASCII alone, and cut."""
    return ascii(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")
