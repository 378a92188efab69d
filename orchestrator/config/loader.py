"""`failover.yaml`: from text to the core's values, every problem told at once with its path.

What the file may name but this version cannot do yet is refused at load with a clear sentence,
never ignored: a rule that a human believes in and nobody enforces is worse than none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.config import plain_yaml, table_endpoints
from orchestrator.config.kinds import MIRRORED
from orchestrator.config.schema import (
    FileModel,
    GracefulModel,
    MirrorsModel,
    PolicyModel,
    ProbeModel,
    ServiceModel,
    TopicsModel,
)
from orchestrator.core import policy as core
from orchestrator.core.claims import is_pattern, overlap
from orchestrator.core.exceptions import BadConfig, Found
from orchestrator.core.outside.endpoints import default_endpoint
from orchestrator.core.outside.limits import MOST_REGIONS
from orchestrator.core.traffic.plan import group_path, is_regional
from orchestrator.intake import evidence

MOST_GROUPS = 100
"""Groups of one service; a backend service of Google's has fewer backends."""

A_TICK_AND_A_HALF = timedelta(seconds=90)
"""Ticks come once a minute, and the first after the waiting must come before the deadline."""

T = TypeVar("T", core.Policy, core.AutoFailovers, core.Brake, core.Graceful)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as the orchestrator uses it."""

    project: str
    state: str
    topics: TopicsModel
    services: Mapping[str, core.Service]
    probe: ProbeModel
    gauges: bool
    mirrors: MirrorsModel


def load(text: str, source: str, *, emulated: bool = True) -> Config:
    """The configuration in this text. Raises BadConfig with every problem found.

    source: where the text is from, for the message. emulated: whether an emulator stands in for the
    cloud, so that regions may be on this machine.
    """
    raw, ambiguous = plain_yaml.read(text, source)
    file, invalid = _validated(raw)
    across = [*ambiguous, *_across(_object(raw)), *_elsewhere(_object(raw), emulated=emulated)]
    if invalid or across or file is None:
        raise _refusal(source, raw, invalid, across)
    services = {
        name: _service(name, service, file, _object(_object(raw).get("services")).get(name))
        for name, service in file.services.items()
    }
    return Config(
        file.project, file.state, file.topics, services, file.probe, file.gauges, file.mirrors
    )


def _validated(raw: object) -> tuple[FileModel | None, ValidationError | None]:
    try:
        return FileModel.model_validate(raw), None
    except ValidationError as error:
        return None, error


def _refusal(
    source: str, raw: object, invalid: ValidationError | None, across: Iterable[Found]
) -> BadConfig:
    from orchestrator.config.problems import (  # only a faulty file pays for the import
        SORTED,
        in_order,
        told,
    )

    others = list(across)
    places = {steps for steps, _ in others}
    of_fields = told(invalid, raw) if invalid else []
    more = max(0, len(others) - SORTED)
    more += max(0, invalid.error_count() - SORTED) if invalid else 0
    first = [*(one for one in of_fields if one[0] not in places), *others[:SORTED]]
    return BadConfig(source, in_order(raw, first, more))


def _across(raw: Mapping[object, object]) -> Iterator[Found]:
    """Faults that only show between fields; read from the file as it is, whatever else is wrong."""
    services = _object(raw.get("services"))
    targets = [_object(_object(s).get("traffic")).get("backend_service") for s in services.values()]
    shared = Counter(target for target in targets if isinstance(target, str))
    for name, service in services.items():
        path = ("services", name)
        yield from _too_short((*path, "policy", "graceful"), service)
        yield from _standby(path, _object(service))
        yield from _too_many((*path, "regions"), _object(_object(service).get("regions")))
        yield from _between_regions(path, _object(_object(service).get("regions")))
        yield from _open_ended(path, _object(service))
        yield from _unconfirmed(path, _object(service))
        target = _object(_object(service).get("traffic")).get("backend_service")
        if isinstance(target, str) and shared[target] > 1:
            here = (*path, "traffic", "backend_service")
            yield here, f"{target} is moved by another service too; give each its own"
    yield from evidence.shared(services)
    if _object(raw.get("probe")).get("auth") == "oidc":
        yield from evidence.in_clear(services)
    if len(services) > 1:
        yield from _shared_mirrors(_object(raw.get("mirrors")))


def _too_many(path: tuple[object, ...], regions: Mapping[object, object]) -> Iterator[Found]:
    """What every application would refuse in the document."""
    if len(regions) > MOST_REGIONS:
        yield path, f"{len(regions)} regions. Write at most {MOST_REGIONS}: no client reads more"


def _elsewhere(raw: Mapping[object, object], *, emulated: bool) -> Iterator[Found]:
    """Regions that cannot be where the file says, unless everything is on this machine."""
    local, services = emulated or str(raw.get("state")).startswith("file:"), raw.get("services")
    if not local:
        yield from evidence.on_loopback(_object(services))
    yield from table_endpoints.refused(_object(services), local=local)


def _shared_mirrors(mirrors: Mapping[object, object]) -> Iterator[Found]:
    """A parameter or key in which several services would write over each other."""
    for kind, field in (("ssm", "parameter"), ("redis", "key")):
        given = _object(mirrors.get(kind)).get(field)
        if isinstance(given, str) and MIRRORED not in given:
            text = f"all services would share {given}. Write {MIRRORED} where their names are to be"
            yield ("mirrors", kind, field), text


def _too_short(path: tuple[object, ...], service: object) -> Iterator[Found]:
    """A graceful switch whose deadline comes before its waiting can end."""
    given = _object(_object(_object(service).get("policy")).get("graceful"))
    try:
        model = GracefulModel.model_validate(given)
    except ValidationError:
        return
    least = model.max_staleness + model.request_timeout + A_TICK_AND_A_HALF
    if model.deadline < least:
        seconds = round(least.total_seconds())
        yield (
            (*path, "deadline"),
            (f"write at least {seconds}s: max_staleness, request_timeout and a tick and a half"),
        )


def _standby(path: tuple[object, ...], service: Mapping[object, object]) -> Iterator[Found]:
    """What attached standbys cannot go with, and what they need."""
    if _object(service.get("traffic")).get("standby") != core.Standby.ATTACHED:
        return
    if service.get("mode") == core.Mode.ACTIVE_ACTIVE:
        text = "active-active has no standbys: leave it out, or write mode: active-passive"
        yield (*path, "traffic", "standby"), text
    if _object(service.get("policy")).get("on_state_loss") == core.OnStateLoss.ACT:
        text = (
            "write hold: with standby: attached the document alone says who is the primary, so"
            " nothing can be moved without it"
        )
        yield (*path, "policy", "on_state_loss"), text
    for name, region in _object(service.get("regions")).items():
        here, url = (*path, "regions", name, "health_url"), _object(region).get("health_url")
        if url is None:
            yield here, "missing; standby: attached asks every region for its role below this URL"
        elif isinstance(url, str) and re.fullmatch(r"[^?#]*/primary/?([?#].*)?", url):
            yield here, "write the URL of the region's health; /primary below it tells its role"


def _unconfirmed(path: tuple[object, ...], service: Mapping[object, object]) -> Iterator[Found]:
    """Regions whose alerts nothing could confirm, in a file that does not say to believe them."""
    policy, default = _object(service.get("policy")), core.Policy()
    confirm = policy.get("confirm", default.confirm)
    otherwise = policy.get("on_unconfirmed", default.on_unconfirmed)
    if confirm != core.Confirm.PROBE or otherwise == core.OnUnconfirmed.PROCEED:
        return
    if _object(service.get("traffic")).get("standby") == core.Standby.ATTACHED:
        return  # it needs the URL in any case, and says so
    for name, region in _object(service.get("regions")).items():
        if isinstance(region, dict) and region.get("health_url") is None:
            text = (
                f"missing; our probe could not confirm an alert of {name}, so nothing would move."
                " Write it, or have alerts move traffic by themselves: `on_unconfirmed: proceed`"
            )
            yield (*path, "regions", name, "health_url"), text


def _between_regions(path: tuple[object, ...], regions: Mapping[object, object]) -> Iterator[Found]:
    claims = [(name, group) for name, groups in _claims(regions).items() for group in groups]
    if len(claims) > MOST_GROUPS:
        text = f"{len(claims)} groups. Write at most {MOST_GROUPS} for a service"
        yield (*path, "regions"), text
        return
    for name, region in regions.items():
        here = (*path, "regions", name, "backend")
        if _object(region).get("backend") == []:
            yield here, "an empty list; name at least one group"
        yield from ((here, text) for text in _claimed_elsewhere(name, claims))


def _claimed_elsewhere(name: object, claims: list[tuple[object, str]]) -> Iterator[str]:
    """Each group of the region that another claim can match too, with the first such claim."""
    for group in sorted({group for region, group in claims if region == name}):
        rivals = [(region, other) for region, other in claims if overlap(group, other)]
        rivals.remove((name, group))
        if rivals:
            yield _claimed_twice(group, *rivals[0])


def _claimed_twice(group: str, region: object, other: str) -> str:
    if group == other:
        return f"{group} is claimed twice; a group belongs to one region, once"
    text = f"{group} can match the same group as {other} of {region}"
    return f"{text}; a group belongs to one region, once"


def _open_ended(path: tuple[object, ...], service: Mapping[object, object]) -> Iterator[Found]:
    """Patterns where groups are attached by name: what is not attached has no name to go by."""
    claims = _claims(_object(service.get("regions")))
    why = _attached_by_name(_object(service.get("traffic")).get("lever"), claims)
    if not why:
        return
    text = f"name the group without `*`: with {why}, groups are attached by their names"
    for name, groups in claims.items():
        for group in filter(is_pattern, groups):
            yield (*path, "regions", name, "backend"), f"{group}: {text}"


def _attached_by_name(lever: object, claims: Mapping[object, list[str]]) -> str:
    """Why groups are attached by their names; empty where they are scaled."""
    if lever is not None:
        return "" if lever == core.Lever.CAPACITY else "lever: membership"
    regional = [group for groups in claims.values() for group in groups if is_regional(group)]
    return f"the regional {regional[0]} beside it" if regional else ""


def _claims(regions: Mapping[object, object]) -> Mapping[object, list[str]]:
    """The groups that each region claims, as API paths."""
    return {name: _groups(_object(region).get("backend")) for name, region in regions.items()}


def _groups(backend: object) -> list[str]:
    given = backend if isinstance(backend, list) else [backend]
    return [group_path(group) for group in given if isinstance(group, str)]


def _object(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}


def _service(name: str, model: ServiceModel, file: FileModel, raw: object) -> core.Service:
    mode = core.Mode(model.mode)
    whole = {"project": file.project, "order": list(model.regions), "service": raw}
    text = json.dumps(whole, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    service = core.Service(
        name=name,
        project=file.project,
        mode=mode,
        regions=tuple(
            core.Region(
                name=region_name,
                endpoint=region.endpoint or default_endpoint(region.aws_region or region_name),
                health_url=region.health_url,
                check_id=region.check_id,
                backends=region.groups,
                aws_region=table_endpoints.other_name(
                    region_name, region.aws_region, region.endpoint
                ),
            )
            for region_name, region in model.regions.items()
        ),
        backend_service=model.traffic.backend_service,
        stated_lever=core.Lever(model.traffic.lever) if model.traffic.lever else None,
        policy=_policy(model.policy),
        stamp=core.Stamp(file.serial, digest, mode),
        standby=core.Standby(model.traffic.standby),
    )
    return replace(service, stamp=replace(service.stamp, routing_digest=_routing_digest(service)))


def _routing_digest(service: core.Service) -> str:
    """A digest of all that a shift depends on: who has the same one carries out the same epoch."""
    whole = {
        "project": service.project,
        "groups": {region.name: sorted(region.backends) for region in service.regions},
        "lever": service.stated_lever,
        "standby": service.standby,
        "resources": [service.backend_service],
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]


def _policy(model: PolicyModel) -> core.Policy:
    states_lag = "max_replication_lag" in model.model_fields_set
    return replace(_alike(core.Policy(), model), lag_required=states_lag)


def _alike(default: T, model: BaseModel) -> T:
    """The core's value with each field as the model's of that name, in the type of its default."""
    given = {name: _typed(getattr(default, name), value) for name, value in model}
    return replace(default, **given)


def _typed(default: Any, value: object) -> Any:  # of any field
    match value:
        case BaseModel():
            return _alike(default, value)
        case str() | list():
            return type(default)(value)
        case _:
            return value
