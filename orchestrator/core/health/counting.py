"""Probes that ticks count: how many in a row prove that a region is well, or that it fails.

One probe may be a hiccup, so a region is proven well, or found failing, by several in a row. They
are in a row only if nothing else was seen between them, and they count only if they are apart. What
follows for the region's incidents is decided by `orchestrator.core.health.incidents`. PURE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core.model import RegionState, Status, Verdict
from orchestrator.core.policy import Policy

PROBE_SPACING = timedelta(seconds=45)
"""Probes closer than this count once: two orchestrators tick every minute, each on its own."""

ROW_GAP = timedelta(minutes=15)
"""Probes further apart than this, in either direction of the clock, are not in a row."""

RELAPSE = timedelta(hours=24)
"""A region that fails again within this time of its recovery has relapsed."""

LONGEST_PROOF = 60
"""Probes that a recovery takes at most, however often the region has relapsed: about an hour."""

_MOST_DOUBLINGS = 16
"""Relapses that are counted. The longest proof is reached long before."""


@dataclass(frozen=True, slots=True)
class Count:
    """A region after one more probe.

    proven: enough healthy probes in a row. failed: enough failing ones in a row.
    """

    region: RegionState
    proven: bool = False
    failed: bool = False


def count(
    region: RegionState,
    verdict: Verdict,
    policy: Policy,
    now: datetime,
    *,
    accused: bool,
    down: bool,
) -> Count:
    """The region after a tick's probe with this verdict.

    accused: some incident still speaks against the region, so its health must be proven. down: its
    incidents already make it down, so its failing is nothing new.
    """
    region = _in_a_row(region, now)
    match verdict:
        case Verdict.SILENT:
            return Count(region)  # it says neither, so it breaks no row
        case Verdict.HEALTHY if accused:
            return _one_more_proof(region, policy, now)
        case Verdict.FAILING if not down:
            return _one_more_failure(region, policy, now)
        case _:
            return Count(uncounted(region))


def _one_more_proof(region: RegionState, policy: Policy, now: datetime) -> Count:
    spaced = _is_spaced(region, now)
    proofs = region.proofs + spaced
    if proofs < proof_needed(region, policy, now):
        at = now if spaced else region.counted_at
        return Count(replace(region, proofs=proofs, failures=0, counted_at=at))
    if region.status is Status.UP:  # one incident of several: it was never down
        return Count(uncounted(region), proven=True)
    return Count(_recovered(region, now), proven=True)


def _one_more_failure(region: RegionState, policy: Policy, now: datetime) -> Count:
    spaced = _is_spaced(region, now)
    failures = region.failures + spaced
    if failures < policy.recovery_probes:
        at = now if spaced else region.counted_at
        return Count(replace(region, proofs=0, failures=failures, counted_at=at))
    return Count(uncounted(region), failed=True)


def _is_spaced(region: RegionState, now: datetime) -> bool:
    return region.counted_at is None or now - region.counted_at >= PROBE_SPACING


def _in_a_row(region: RegionState, now: datetime) -> RegionState:
    """The region without a count that is not of a moment ago: nothing is known of the time between.

    A count that lies a little ahead was made by a faster clock, and stands.
    """
    if region.counted_at is None or abs(now - region.counted_at) <= ROW_GAP:
        return region
    return uncounted(region)


def uncounted(region: RegionState) -> RegionState:
    """The region with nothing counted: the next row starts from zero."""
    return replace(region, proofs=0, failures=0, counted_at=None)


def proof_needed(region: RegionState, policy: Policy, now: datetime) -> int:
    """Healthy probes in a row that prove this region: twice as many with each relapse in a day."""
    relapses = min(_recoveries(region, now), _MOST_DOUBLINGS)
    doubled: int = policy.recovery_probes * 2**relapses
    return min(doubled, max(policy.recovery_probes, LONGEST_PROOF))


def _recoveries(region: RegionState, now: datetime) -> int:
    """How often the region has recovered, each time within a day of the time before."""
    recent = region.proven_at is not None and now - region.proven_at <= RELAPSE
    return region.recoveries if recent else 0


def _recovered(region: RegionState, now: datetime) -> RegionState:
    """The region that a tick has just proven healthy."""
    recoveries = _recoveries(region, now) + 1
    return replace(uncounted(region), proven_at=now, recoveries=recoveries)
