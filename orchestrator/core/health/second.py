"""The second signal: who, besides the alert, says that a region fails.

By policy it is our own probe, or what Monitoring's uptime checks have seen from several places of
the world. It confirms or contradicts alerts. Whether a region can take traffic is asked of our own
probe alone, and nothing here decides what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.core.model import Probe, Verdict
from orchestrator.core.policy import Confirm, Policy

WINDOW = timedelta(minutes=5)
"""How far back the results of uptime checks count: a few rounds of a check a minute."""

ENOUGH = 2
"""Vantage points that must agree: the alert's own threshold, for one may be cut off by itself."""

NOT_ASKED = Probe(Verdict.SILENT, "Monitoring was not asked")


@dataclass(frozen=True, slots=True)
class Sight:
    """One result of an uptime check, made from one checker location."""

    vantage: str
    at: datetime
    passed: bool


def judge(sights: Iterable[Sight]) -> Probe:
    """What the newest results of all checker locations come to.

    Failing when two of them fail, as for the alert; else healthy when two pass; else silent.
    """
    newest: dict[str, Sight] = {}
    for sight in sights:
        known = newest.get(sight.vantage)
        if known is None or sight.at > known.at:
            newest[sight.vantage] = sight
    failing = sum(1 for sight in newest.values() if not sight.passed)
    passing = len(newest) - failing
    if failing >= ENOUGH:
        return Probe(Verdict.FAILING, f"{failing} of {len(newest)} checker locations fail")
    told = f"{passing} of {len(newest)} checker locations pass"
    if passing >= ENOUGH:
        return Probe(Verdict.HEALTHY, told)
    return Probe(Verdict.SILENT, f"{told}: too few to decide" if newest else "no data")


def second_signal(
    policy: Policy, probes: Mapping[str, Probe], checks: Mapping[str, Probe]
) -> Mapping[str, Probe]:
    """The second signal of each region.

    probes: our own, as they may be believed. checks: what Monitoring says, where it was asked.
    """
    if policy.confirm is not Confirm.MONITORING:
        return probes
    return {name: checks.get(name, NOT_ASKED) for name in {**probes, **checks}}


def agreed(probes: Mapping[str, Probe], second: Mapping[str, Probe]) -> Mapping[str, Probe]:
    """What ticks count of each region: our own probe, where the second signal does not differ.

    A region that answers us and that Monitoring sees failing is failing: it has not recovered (its
    alert is still open and would never come again), and an alert of it that was lost is found. One
    that only we cannot reach is neither failing nor healthy. One that tells us nothing stays so.
    """
    return {name: _agreed(probe, second.get(name, probe)) for name, probe in probes.items()}


def _agreed(ours: Probe, theirs: Probe) -> Probe:
    match ours.verdict, theirs.verdict:
        case Verdict.HEALTHY, Verdict.FAILING:
            return replace(ours, verdict=Verdict.FAILING, answer=f"Monitoring: {theirs.detail}")
        case Verdict.FAILING, Verdict.HEALTHY:
            told = f"{ours.detail}, but Monitoring: {theirs.detail}"
            return replace(ours, verdict=Verdict.SILENT, answer=told)
        case _:
            return ours
