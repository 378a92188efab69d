"""What a human can do about refusals: from the whole set of them, never from one alone.

PURE: from the reasons of history and journal, as JSON, to text. Every command stands in backticks,
ready to paste: its service and region are filled in, and TEXT is the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.cli.again import again
from orchestrator.core.model import Json, Outcome
from orchestrator.core.rule import OF_A_TARGET, OVERRIDABLE, Cause, Rule

_WHY = "--apply --reason TEXT"


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals of one decision as a whole.

    by_rule: those that speak of no target. by_region: those of each target, by rule. ready: targets
    that nothing refuses. failing: regions that the second signal confirms. shared: several regions
    carry the traffic. given: the refused command as data; nothing where the entry has none.
    """

    service: str
    by_rule: Mapping[str, Json]
    by_region: Mapping[str, Mapping[str, Json]]
    ready: tuple[str, ...]
    failing: tuple[str, ...] = ()
    shared: bool = False
    given: Json = field(default_factory=dict)

    def go(self, region: str, override: str = "") -> str:
        """The command that goes there at once."""
        over = f" --override {override}" if override else ""
        return f"`failoverctl failover {self.named}--to {region} --now{over} {_WHY}`"

    @property
    def named(self) -> str:
        """The service as an argument, with a space behind it; nothing when it is not known."""
        return f"{self.service} " if self.service else ""


def remedies(entry: Json, service: str = "") -> list[str]:
    """What a human can do about a held decision, each rule or region once.

    service: whose decision it is, where the entry does not say.
    """
    if str(entry.get("outcome")) not in {Outcome.HELD, Outcome.ABANDONED}:
        return []
    found = entry.get("reasons")
    reasons = [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []
    whole = _whole(reasons, str(entry.get("service") or service), entry)
    lines = [f"{rule}: {text}." for rule, text in (*_targets(whole), *_rules(whole)) if text]
    return list(dict.fromkeys(lines))


def remedy(rule: str, service: str) -> str:
    """What to do about one rule that stands in the way of automation as such."""
    return _of_rule({"rule": rule}, Refusals(service, {}, {}, ()))


def _whole(reasons: Sequence[Json], service: str, entry: Json) -> Refusals:
    by_rule: dict[str, Json] = {}
    by_region: dict[str, dict[str, Json]] = {}
    passed = dict.fromkeys(
        str(r["region"])
        for r in reasons
        if r.get("rule") == Rule.TARGET_HEALTHY and r.get("passed")
    )
    for reason in reasons:
        rule, region = str(reason.get("rule")), str(reason.get("region") or "")
        if reason.get("passed"):
            continue
        if rule in OF_A_TARGET and region:
            by_region.setdefault(region, {})[rule] = reason
        else:
            by_rule[rule] = reason
    routing = entry.get("routing")
    carrying = list(routing) if isinstance(routing, dict) else []
    ready = tuple(one for one in passed if one not in by_region and one not in carrying)
    failing = tuple(
        str(r["region"])
        for r in reasons
        if r.get("rule") == Rule.CONFIRM and r.get("passed") and r.get("region")
    )
    asked = entry.get("given")
    given = asked if isinstance(asked, dict) else {}
    shared = len(carrying) > 1
    return Refusals(service, by_rule, by_region, ready, failing, shared=shared, given=given)


# --- where to go ----------------------------------------------------------------------------------


def _targets(whole: Refusals) -> Iterable[tuple[str, str]]:
    """A line for each region that a human can choose anyway, and one for those to bring up."""
    down: list[str] = []
    for region, refused in whole.by_region.items():
        rule, text = _target(region, refused, whole)
        if text:
            yield rule, text
        else:
            down.append(region)
    if down and not whole.ready:
        names = " or ".join(down)
        nowhere = Rule.LAST_REGION in whole.by_rule
        rule = Rule.LAST_REGION if nowhere else Rule.TARGET_HEALTHY
        after = ". It moves as soon as one proves healthy" if nowhere else ""
        yield rule, f"Bring {names} up, or see why the health URL does not answer with 2xx{after}"
    elif Rule.LAST_REGION in whole.by_rule and not whole.by_region:
        yield Rule.LAST_REGION, "Bring any region up. It moves as soon as one proves healthy"


def _target(region: str, refused: Mapping[str, Json], whole: Refusals) -> tuple[str, str]:
    """What a human can do to go to this region; no text where only the region itself can help."""
    stands = [rule for rule in refused if rule != Rule.COOLDOWN]  # a human's command passes it
    if not stands:
        return Rule.COOLDOWN, _cooling(region, whole)
    rule = stands[0]
    if len(stands) > 1:
        names = " and ".join(stands)
        return rule, f"{region} is refused by {names}, and one override takes back one rule only"
    if refused[rule].get("cause") == Cause.NEEDS_NOW:
        return rule, f"Add `--now` to go there at once: {whole.go(region, _overridable(rule))}"
    match rule:
        case Rule.TARGET_HEALTHY:
            return rule, _unhealthy(region, refused[rule], whole)
        case Rule.REPLICATION_LAG:
            return rule, _behind(region, refused[rule], whole)
        case Rule.ROLE:
            go = whole.go(region, Rule.ROLE)
            return rule, (
                f"See why the role URL of {region} (`/primary` below `health_url`) does not answer"
                f" 200 or 503 with the document's epoch in its JSON. To go there all the same: {go}"
            )
        case _:
            return rule, (
                f"Nothing: the next signals attach {region} when it is well and says that it stands"
                " by. `failoverctl check` tells what it says"
            )


def _behind(region: str, reason: Json, whole: Refusals) -> str:
    go = whole.go(region, Rule.REPLICATION_LAG)
    if reason.get("cause") == Cause.UNKNOWN_LAG:
        return f"{region} does not report its lag. Repair its heartbeat, or accept the loss: {go}"
    return f"Wait until {region} has caught up, or lose what was not replicated: {go}"


def _cooling(region: str, whole: Refusals) -> str:
    where = f"{region} is up, and automation left it not long ago"
    if whole.ready:
        return f"Nothing: {where}, and {whole.ready[0]} can be the target meanwhile"
    return f"{where}. It is a target again when that time has passed. To go there now: " + whole.go(
        region
    )


def _unhealthy(region: str, reason: Json, whole: Refusals) -> str:
    if reason.get("cause") == Cause.NO_BACKEND:
        return f"Attach a backend of {region} to the load balancer: `failoverctl check` names it"
    if reason.get("cause") != Cause.UNPROVEN:
        return ""
    return (
        f"{region} answers well and is not yet proven: wait for the probes that are still to be"
        f" counted, one a minute, or go at once: {whole.go(region, 'target_healthy')}"
    )


def _overridable(rule: str) -> str:
    return rule if rule in OVERRIDABLE else ""


# --- the other rules ------------------------------------------------------------------------------


def _rules(whole: Refusals) -> Iterable[tuple[str, str]]:
    for rule, reason in whole.by_rule.items():
        yield rule, _of_rule(reason, whole)


def _of_rule(reason: Json, whole: Refusals) -> str:  # a table with places to fill in
    named, rule = whole.named, str(reason.get("rule"))
    go = f": {whole.go(whole.ready[0])}" if whole.ready else ""
    match rule:
        case Rule.CONFIRM if reason.get("cause") == Cause.DOUBTFUL:
            return (
                "The alert does not say for certain which region fails. Correct the labels of its"
                " alert policy: they must name the service and one region, and agree with the"
                " resource that it watches"
            ) + (f". If users really fail, move them{go}" if go else "")
        case Rule.CONFIRM:
            return (
                "If users really fail there, see why its health URL answers well (or does not"
                " answer us at all): the alert and the second signal disagree"
            ) + (f". To move them{go}" if go else "")
        case Rule.MAX_EVENT_AGE:
            return "Nothing: if the region still fails, the next ticks see it themselves and act"
        case Rule.BRAKE:
            return (
                "Look at the regions with your own eyes. If they answer, see what watches them"
                + (f". If they really are down{go}" if go else "")
            )
        case Rule.MAX_AUTO_FAILOVERS:
            return (
                f"Find out why it moved so often: `{f'failoverctl history {named}'.rstrip()}`. Then"
                f" `failoverctl ack {named}{_WHY}`"
            )
        case Rule.FREEZE:
            end = f"`failoverctl unfreeze {named}{_WHY}`"
            passes = f"If it must move now{go}, which a freeze does not stop; or end it: {end}"
            return passes if go else f"If it must move, end the freeze: {end}"
        case _:
            return _rarer(rule, reason, whole)


def _rarer(rule: str, reason: Json, whole: Refusals) -> str:
    named = whole.named
    match rule:
        case Rule.MIN_HEALTHY_REGIONS:
            return "Bring another region up. If those left can carry the load: " + _spare(whole)
        case Rule.ROUTING:
            return (
                "Give a configured region traffic again by hand, or correct `backend` in the file:"
                " `failoverctl check` compares the two"
            )
        case Rule.COMMAND:
            return _again(whole)
        case Rule.SWITCH if reason.get("cause") == Cause.ENDED:
            return (
                "Nothing has moved. Give the command again when what stood in its way is over (an"
                " automatic failback comes again by itself). `--now` waits for nothing, and what"
                " was not replicated is missing there"
            )
        case Rule.RAMP:
            return (
                "Find out why the region failed again. When it has proven well:"
                f" `failoverctl failback {named}{_WHY}`"
            )
        case Rule.CONFIGURATION | Rule.OUTDATED:
            return "Deploy the newest configuration everywhere. `failoverctl check` compares"
        case _ if rule in OVERRIDABLE and reason.get("cause") == Cause.NEEDS_NOW:
            return f"Give the command again with `--now`, or without `--override {rule}`"
        case _:
            return ""


def _again(whole: Refusals) -> str:
    """The command line that gives the refused command again; words where no data tells it."""
    if not whole.given:
        return "Correct what the rule names, and give the command again"
    return f"If it is still wanted, give it again: `{again(whole.service, whole.given)}`"


def _spare(whole: Refusals) -> str:
    """The command that leaves a region although few are left."""
    if whole.shared and whole.failing:
        service = f"--service {whole.service} " if whole.service else ""
        over = "--override min_healthy_regions"
        return f"`failoverctl evacuate {whole.failing[0]} {service}{over} {_WHY}`"
    if whole.ready:
        return whole.go(whole.ready[0])
    return "give the command again with `--override min_healthy_regions`"
