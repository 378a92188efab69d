"""Which region an alert is about: its labels, its host and its check id, compared with each other.

Labels count first, then the host of a health URL, then the check id. What they say is compared: an
alert whose evidence does not agree is not dropped and not believed. It carries a `Doubt`, and
counts only while our own probe of the region fails. What is ours is never dropped without a word,
and a region that is not configured is refused, never added. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.core.exceptions import Unknown
from orchestrator.core.model import NOTHING, Doubt, Json
from orchestrator.core.outside.shown import short
from orchestrator.core.policy import Service
from orchestrator.intake.condition import NamedChecks, checks_of
from orchestrator.intake.evidence import check_name, hosts

LabelPair = tuple[str, str]
"""A service and a region of it."""

Services = Mapping[str, Service]

LONGEST = 256
"""Characters of a label that are looked at: a host has at most 253, a name of ours 63."""


@dataclass(frozen=True, slots=True)
class Note:
    """What people should know of how an alert was taken. severity: of its log line."""

    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """One region that the alert is about. doubt: why its word alone is not enough."""

    service: str
    region: str
    doubt: Doubt | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """The alert is for a service that is not ours, and nothing of it is ours."""

    service: str


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one alert says of its region.

    by_host, by_check: every region that has the alert's host, or the check that it is certainly of.
    named: every region whose check its condition names without excluding it.
    """

    service: str
    region: str
    host: str
    checks: NamedChecks
    by_host: frozenset[LabelPair]
    by_check: frozenset[LabelPair]
    named: frozenset[LabelPair]

    def disagrees(self, pair: LabelPair, *, whole: bool = True) -> bool:
        """Whether host or check id are another region's. whole: the service counts too."""
        seen = [found for found in (self.by_host, self.by_check) if found]
        if whole:
            return any(pair not in found for found in seen)
        return any(pair[1] not in {region for _, region in found} for found in seen)

    def __str__(self) -> str:
        labels = f"labels service={self.service or '-'} region={self.region or '-'}"
        return f"{labels}; host {self.host or '-'}{_whose(self.by_host)}; {self._check()}"

    def _check(self) -> str:
        if self.checks.sure:
            sure = short(self.checks.sure, LONGEST)
            return f"check id {sure}{_whose(self.by_check)}"
        if self.checks.named:
            several = short(", ".join(sorted(self.checks.named)), LONGEST)
            return f"check id not certain (its condition names {several}){_whose(self.named)}"
        return "check id -"


def match(incident: Json, services: Services) -> tuple[Match, ...] | Foreign:
    """The regions that an incident of a notification is about, one or more of each service.

    Raises Unknown when it names a region that is not configured, or none at all.
    """
    seen = _evidence(incident, services)
    if seen.service and seen.service not in services:
        return _taken_from_others(seen)
    among = {seen.service: services[seen.service]} if seen.service else services
    if seen.region:
        return tuple(_labelled(seen, among))
    return tuple(_unlabelled(seen, among))


def _labelled(seen: _Evidence, among: Services) -> Iterable[Match]:
    names = [name for name, service in among.items() if seen.region in service.names]
    if not names:
        raise _unknown(seen.region, among)
    for name in names:
        if seen.disagrees((name, seen.region), whole=bool(seen.service)):
            yield _doubted((name, seen.region), Doubt.CONTRADICTED, seen)
        elif len(among) > 1:
            yield _doubted((name, seen.region), Doubt.UNNAMED, seen)
        else:
            yield Match(name, seen.region)


def _unlabelled(seen: _Evidence, among: Services) -> Iterable[Match]:
    found = _found(seen, among)
    if not found:
        raise _matches_nothing(seen)
    for pair in found:
        if seen.disagrees(pair):
            yield _doubted(pair, Doubt.CONTRADICTED, seen)
        elif len(among) > 1:
            yield _doubted(pair, Doubt.UNNAMED, seen)
        else:
            yield Match(*pair)


def _taken_from_others(seen: _Evidence) -> tuple[Match, ...] | Foreign:
    """An alert that is labelled for another service, taken only if something of it is ours."""
    found = _found(seen)
    if not found and (seen.by_host or seen.named):
        raise _matches_nothing(seen)
    if not found:
        return Foreign(seen.service)
    return tuple(_doubted(pair, Doubt.FOREIGN, seen) for pair in found)


def _found(seen: _Evidence, among: Services | None = None) -> list[LabelPair]:
    """The regions by host, narrowed by the check id where both fit; else by the check id.

    A host that several regions of a service share tells none of them.
    """

    def ours(pairs: Iterable[LabelPair]) -> list[LabelPair]:
        return sorted(pair for pair in pairs if among is None or pair[0] in among)

    both = ours(seen.by_host & seen.by_check)
    services = [name for name, _ in seen.by_host]
    alone = [pair for pair in ours(seen.by_host) if services.count(pair[0]) == 1]
    return both or alone or ours(seen.by_check)


_WORDS: Mapping[Doubt, tuple[str, str, str]] = {
    Doubt.CONTRADICTED: (
        "ERROR",
        "the alert names two different regions",
        "Correct the alert policy: its labels, or the check that it watches",
    ),
    Doubt.FOREIGN: (
        "WARNING",
        "the alert is labelled for an unknown service, but its host or check id is configured",
        "Label its policy with the configured `service` and `region`",
    ),
    Doubt.UNNAMED: (
        "INFO",
        "the alert's policy has no `service` label, and the file has several services",
        "Label its policy with `service` too",
    ),
}


def _doubted(pair: LabelPair, doubt: Doubt, seen: _Evidence) -> Match:
    severity, what, remedy = _WORDS[doubt]
    service, region = pair
    text = (
        f"{service}: {what} ({seen}). It is treated as an alert of {region}, and counts only while"
        f" our own probe of {region} fails. {remedy}"
    )
    return Match(service, region, doubt, Note(severity, text))


def _unknown(region: str, among: Services) -> Unknown:
    known = sorted({name for service in among.values() for name in service.names})
    near = difflib.get_close_matches(region, known, 1)
    meant = f". Did you mean {near[0]!r}?" if near else "."
    return Unknown(
        f"region {region!r} is not configured for {', '.join(among)}{meant} The message is refused."
        f" Configured: {', '.join(known)}"
    )


def _matches_nothing(seen: _Evidence) -> Unknown:
    return Unknown(
        f"the alert matches no region ({seen}): its policy has no label `region`, its host is not"
        " that of exactly one region's health_url, and no check_id certainly matches. If it was for"
        " these services, a failover may not happen: label its policy with `region` and `service`"
    )


# --- what the notification says ------------------------------------------------------------------


def _evidence(incident: Json, services: Services) -> _Evidence:
    labels = _object(incident.get("policy_user_labels"))
    host = _text(_object(_object(incident.get("resource")).get("labels")), "host").rstrip(".")
    checks = _checks(incident)
    regions = [(name, one) for name, service in services.items() for one in service.regions]
    of_check: dict[str, set[LabelPair]] = {}
    for name, region in regions:
        if region.check_id:
            of_check.setdefault(check_name(region.check_id), set()).add((name, region.name))
    named = [of_check.get(one, set()) for one in checks.named]
    return _Evidence(
        service=_text(labels, "service"),
        region=_text(labels, "region"),
        host=host,
        checks=checks,
        by_host=frozenset((n, r.name) for n, r in regions if host and host in hosts(r.health_url)),
        by_check=frozenset(of_check.get(checks.sure, ())),
        named=frozenset[LabelPair]().union(*named),
    )


def _checks(incident: Json) -> NamedChecks:
    """What the metric's labels and the condition say; what they say must agree.

    The label is of the very series that failed, so it settles what the condition leaves open.
    """
    parts = [_object(part) for part in _object(incident.get("condition")).values()]
    found = checks_of(text for part in parts for text in part.values() if isinstance(text, str))
    label = _text(_object(_object(incident.get("metric")).get("labels")), "check_id")
    if not label:
        return found
    agrees = found.sure in {"", label}
    return NamedChecks(label if agrees else "", found.named | {label})


def _whose(pairs: Iterable[LabelPair]) -> str:
    told = " and ".join(f"{region} of {service}" for service, region in sorted(pairs))
    return f" (of {told})" if told else ""


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else NOTHING


def _text(labels: Json, name: str) -> str:
    value = labels.get(name)
    return short(value.strip().lower(), LONGEST) if isinstance(value, str) else ""
