"""What a human can do about refusals: from the whole set of them, never from one alone.

PURE: from the reasons of history and journal, as JSON, to text. Every command stands in backticks,
ready to paste: its service and region are filled in, and TEXT is the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.cli.words.again import again
from orchestrator.cli.words.gates import reasons
from orchestrator.core.model import DecisionOutcome, Json
from orchestrator.core.rule import OF_A_TARGET, OVERRIDABLE, Cause, Rule

_WHY = "--apply --reason TEXT"


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals of one decision as a whole.

    by_rule: those that are about no target. by_region: those of each target, by rule. ready:
    targets that nothing refuses. failing: regions that the second signal confirms. shared: several
    regions carry the traffic. given: the refused command as data, nothing where the entry has none.
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
        """The service as an argument, with a space behind it. Nothing when it is not known."""
        return f"{self.service} " if self.service else ""


def remedies(entry: Json, service: str = "") -> list[str]:
    """What a human can do about a held decision, each rule or region once.

    service: whose decision it is, where the entry does not say.
    """
    if str(entry.get("outcome")) not in {DecisionOutcome.HELD, DecisionOutcome.ABANDONED}:
        return []
    whole = _whole(reasons(entry), str(entry.get("service") or service), entry)
    lines = [f"{rule}: {text}." for rule, text in (*_targets(whole), *_rules(whole)) if text]
    return list(dict.fromkeys(lines))


def remedy(rule: str, service: str) -> str:
    """What to do about one rule that blocks automation as such."""
    return _of_rule({"rule": rule}, Refusals(service, {}, {}, ()))


def _whole(found: Sequence[Json], service: str, entry: Json) -> Refusals:
    refused = [one for one in found if not one.get("passed")]
    by_region: dict[str, dict[str, Json]] = {}
    for one in filter(_is_of_target, refused):
        by_region.setdefault(str(one["region"]), {})[str(one.get("rule"))] = one
    routing, given = _mapping(entry, "routing"), _mapping(entry, "given")
    elsewhere = [one for one in _passed(found, Rule.TARGET_HEALTHY) if one not in routing]
    return Refusals(
        service,
        by_rule={str(one.get("rule")): one for one in refused if not _is_of_target(one)},
        by_region=by_region,
        ready=tuple(one for one in elsewhere if one not in by_region),
        failing=_passed(found, Rule.CONFIRM),
        shared=len(routing) > 1,
        given=given,
    )


def _is_of_target(reason: Json) -> bool:
    """Whether this is about one region as a place to go to."""
    return str(reason.get("rule")) in OF_A_TARGET and bool(reason.get("region"))


def _passed(found: Sequence[Json], rule: Rule) -> tuple[str, ...]:
    """The regions for which this rule passed, each once."""
    of_rule = [one for one in found if one.get("rule") == rule and one.get("passed")]
    return tuple(dict.fromkeys(str(one["region"]) for one in of_rule if one.get("region")))


def _mapping(entry: Json, name: str) -> Json:
    found = entry.get(name)
    return found if isinstance(found, dict) else {}


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
    """What a human can do to go to this region. No text where only the region itself can help."""
    stands = [rule for rule in refused if rule != Rule.COOLDOWN]  # a human's command passes it
    if not stands:
        return Rule.COOLDOWN, _cooling(region, whole)
    rule = stands[0]
    if len(stands) > 1:
        names = " and ".join(stands)
        return rule, f"{region} is refused by {names}, and one override takes back one rule only"
    if refused[rule].get("cause") == Cause.NEEDS_NOW:
        return rule, f"Add `--now` to move there at once: {whole.go(region, _overridable(rule))}"
    match rule:
        case Rule.TARGET_HEALTHY:
            return rule, _unhealthy(region, refused[rule], whole)
        case Rule.REPLICATION_LAG:
            return rule, _behind(region, refused[rule], whole)
        case Rule.ROLE:
            go = whole.go(region, Rule.ROLE)
            return rule, (
                f"See why the role URL of {region} (`/primary` below `health_url`) does not answer"
                " 200 or 503 with the document's epoch in its JSON. To move there all the same:"
                f" {go}"
            )
        case _:
            return rule, (
                f"Nothing. The next signals attach {region} when it is healthy and answers as a"
                " standby. `failoverctl check` shows what it answers"
            )


def _behind(region: str, reason: Json, whole: Refusals) -> str:
    go = whole.go(region, Rule.REPLICATION_LAG)
    if reason.get("cause") == Cause.UNKNOWN_LAG:
        return f"{region} does not report its lag. Fix its heartbeat, or accept the loss: {go}"
    return f"Wait until {region} has caught up, or accept the loss of what was not replicated: {go}"


def _cooling(region: str, whole: Refusals) -> str:
    where = f"{region} is up, and automation left it not long ago"
    if whole.ready:
        return f"Nothing. {where}, and {whole.ready[0]} can be the target meanwhile"
    go = whole.go(region)
    return f"{where}. It is a target again when that time has passed. To move there now: {go}"


def _unhealthy(region: str, reason: Json, whole: Refusals) -> str:
    if reason.get("cause") == Cause.NO_BACKEND:
        return f"Attach a backend of {region} to the load balancer: `failoverctl check` names it"
    if reason.get("cause") != Cause.UNPROVEN:
        return ""
    return (
        f"{region} answers well and has not proven healthy yet. Wait for the probes that are still"
        " to be counted, one a minute, or move at once:"
        f" {whole.go(region, Rule.TARGET_HEALTHY)}"
    )


def _overridable(rule: str) -> str:
    return rule if rule in OVERRIDABLE else ""


# --- the other rules ------------------------------------------------------------------------------


def _rules(whole: Refusals) -> Iterable[tuple[str, str]]:
    for rule, reason in whole.by_rule.items():
        yield rule, _of_rule(reason, whole)


def _of_rule(reason: Json, whole: Refusals) -> str:  # a table with places to fill in
    named = whole.named
    match reason.get("rule"):
        case Rule.CONFIRM:
            return _confirm(reason, whole)
        case Rule.MAX_EVENT_AGE:
            return (
                "Nothing. If the region still fails, the next ticks see the failure themselves and"
                " act"
            )
        case Rule.BRAKE:
            return (
                "Look at the regions yourself. If they answer, find out what is wrong with the"
                f" monitoring{_to_move('. If they really are down', whole)}"
            )
        case Rule.MAX_AUTO_FAILOVERS:
            return (
                f"Find out why it moved so often: `{f'failoverctl history {named}'.rstrip()}`. Then"
                f" `failoverctl ack {named}{_WHY}`"
            )
        case Rule.FREEZE:
            return _frozen(whole)
        case Rule.MIN_HEALTHY_REGIONS:
            return "Bring another region up. If those left can carry the load: " + _spare(whole)
        case _:
            return _of_rarer(reason, whole)


def _to_move(condition: str, whole: Refusals) -> str:
    """The condition with the command that moves to the first region that is ready, if any is."""
    return f"{condition}: {whole.go(whole.ready[0])}" if whole.ready else ""


def _confirm(reason: Json, whole: Refusals) -> str:
    if reason.get("cause") == Cause.DOUBTFUL:
        return (
            "The alert does not say for certain which region fails. Correct the labels of its"
            " alert policy: they must name the service and one region, and agree with the"
            f" resource that it watches{_to_move('. If users really fail, move them', whole)}"
        )
    return (
        "If users really fail there, see why its health URL answers well (or does not"
        " answer us at all): the alert and the second signal disagree"
        f"{_to_move('. To move them', whole)}"
    )


def _frozen(whole: Refusals) -> str:
    end = f"`failoverctl unfreeze {whole.named}{_WHY}`"
    if not whole.ready:
        return f"If it must move, end the freeze: {end}"
    go = whole.go(whole.ready[0])
    return f"If it must move now: {go} (a freeze does not stop a command). To end the freeze: {end}"


def _of_rarer(reason: Json, whole: Refusals) -> str:
    rule = str(reason.get("rule"))
    match rule:
        case Rule.ROUTING:
            return (
                "Give a configured region traffic again by hand, or correct `backend` in the file:"
                " `failoverctl check` compares the two"
            )
        case Rule.COMMAND:
            return _again(whole)
        case Rule.SWITCH if reason.get("cause") == Cause.ENDED:
            return (
                "Nothing has moved. Give the command again when the cause is gone (an automatic"
                " failback comes again by itself). `--now` waits for nothing, and then the region"
                " that it moves to lacks what was not replicated"
            )
        case Rule.RAMP:
            return (
                "Find out why the region failed again. When it has proven healthy:"
                f" `failoverctl failback {whole.named}{_WHY}`"
            )
        case Rule.CONFIGURATION | Rule.OUTDATED:
            return "Deploy the newest configuration everywhere. `failoverctl check` compares"
        case _ if rule in OVERRIDABLE and reason.get("cause") == Cause.NEEDS_NOW:
            return f"Give the command again with `--now`, or without `--override {rule}`"
        case _:
            return ""


def _again(whole: Refusals) -> str:
    """The command line that gives the refused command again. Words where no data tells it."""
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
