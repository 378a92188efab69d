"""`failover.yaml`: from text to the core's values, every problem told at once with its path.

What the file may name but this version cannot do yet is refused at load with a clear sentence,
never ignored: a rule that a human believes in and nobody enforces is worse than none.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from orchestrator.core import policy as core
from orchestrator.core.errors import BadConfig, Problem
from orchestrator.core.plan import group_path
from orchestrator.schema import FileModel, PolicyModel, ProbeModel, ServiceModel


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as the orchestrator uses it."""

    project: str
    state: str
    services: Mapping[str, core.Service]
    probe: ProbeModel


_NOT_YET: dict[str, str] = {
    "kind": "traffic of kind {given} does not exist yet; use backend-service",
    "confirm": "confirm: monitoring does not exist yet; use probe or none",
    "failback": "failback: auto does not exist yet; use manual",
    "on_lag": "replication lag is not looked at yet; leave on_lag out",
    "max_replication_lag": "replication lag is not looked at yet; leave it out",
    "min_healthy_regions": "other values than 1 do not exist yet; leave it out",
    "on_state_loss": "on_state_loss: act does not exist yet; use hold",
    "standby": "standby: attached does not exist yet; use drained",
}
_DOCUMENTED: dict[str, tuple[object, ...]] = {
    "kind": ("url-map", "cloud-dns"),
    "confirm": ("monitoring",),
    "failback": ("auto",),
    "on_lag": ("proceed",),
    "on_state_loss": ("act",),
    "standby": ("attached",),
}
_ONLY_ELSEWHERE = frozenset(
    {"url_map", "path_matcher", "backend_services", "zone", "record", "type", "targets", "ttl"}
)
"""Fields of the traffic kinds that do not exist yet: told once, by their kind."""

_UNREADABLE = (
    yaml.YAMLError,
    RecursionError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
)
"""What PyYAML raises for text that is no YAML, or holds a date, number or tag that is none."""


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it was built


class _UniqueKeys(_SafeLoader):  # type: ignore[misc]  # chosen at run time
    """YAML in which a key that stands twice is an error: one of the two would be lost silently."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Any, Any]:  # the library's signature
        if isinstance(node, yaml.MappingNode):
            plain = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = [key for key, count in Counter(plain).items() if count > 1]
            if twice:
                line = node.start_mark.line + 1
                text = f"{twice[0]!r} stands twice, in the mapping at line {line}"
                raise yaml.MarkedYAMLError(problem=text)
        return dict(super().construct_mapping(node, deep=deep))


def load(text: str, source: str) -> Config:
    """The configuration in this text. Raises BadConfig with every problem found.

    source: where the text is from, for the message.
    """
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506  # a safe loader, made stricter
    except _UNREADABLE as error:
        raise BadConfig(source, [Problem("(file)", f"not YAML: {error}")]) from error
    if not isinstance(raw, dict):
        raise BadConfig(source, [Problem("(file)", "empty: see failover.yaml for an example")])
    file, problems = _validated(raw)
    problems += _across(raw)
    if problems or file is None:
        raise BadConfig(source, dict.fromkeys(problems))
    services = {
        name: _service(name, service, file, _object(raw["services"]).get(name))
        for name, service in file.services.items()
    }
    return Config(file.project, file.state, services, file.probe)


def _validated(raw: object) -> tuple[FileModel | None, list[Problem]]:
    try:
        return FileModel.model_validate(raw), []
    except ValidationError as error:
        found = [_problem(one) for one in error.errors(include_url=False)]
        return None, [problem for problem in found if problem]


def _problem(found: Any) -> Problem | None:  # pydantic's TypedDict of an error
    """One of pydantic's errors in our words; None for what another of them tells better."""
    steps = [str(step) for step in found["loc"]]
    path = ".".join(step for step in steps if not _is_tag(step)) or "(file)"
    last, given = (steps or [""])[-1], found.get("input")
    match found["type"]:
        case "missing" if last == "backend_service" and given.get("kind") in _DOCUMENTED["kind"]:
            return None
        case "missing":
            text = "missing"
        case "extra_forbidden" if "traffic" in steps and last in _ONLY_ELSEWHERE:
            return None
        case "extra_forbidden":
            text = "not known here; is it misspelt?"
        case "string_pattern_mismatch":
            text = f"{given!r}: lower-case letters, digits and hyphens, at most 63"
        case "literal_error" if _is_not_yet(last, given):
            text = _NOT_YET[last].format(given=given)
        case _:
            text = f"{str(found['msg']).removeprefix('Value error, ')} (it is {given!r})"
    return Problem(path, text)


def _is_tag(step: str) -> bool:
    """Whether this step of a path names a branch of a union, which is no part of the file."""
    return step in {"str", "[key]"} or step.startswith(("list[", "function-"))


def _is_not_yet(name: str, given: object) -> bool:
    if name == "min_healthy_regions":
        return isinstance(given, int) and given > 1
    return given in _DOCUMENTED.get(name, ())


def _across(raw: Mapping[object, object]) -> Iterator[Problem]:
    """Faults that only show between fields; read from the file as it is, whatever else is wrong."""
    services = _object(raw.get("services"))
    targets = [_object(_object(s).get("traffic")).get("backend_service") for s in services.values()]
    shared = Counter(target for target in targets if isinstance(target, str))
    for name, service in services.items():
        path = f"services.{name}"
        yield from _between_regions(path, _object(_object(service).get("regions")))
        policy = _object(_object(service).get("policy"))
        lag = policy.get("max_replication_lag", "60s")
        if isinstance(lag, str) and lag.strip() not in {"60s", "1m"}:
            yield Problem(f"{path}.policy.max_replication_lag", _NOT_YET["max_replication_lag"])
        target = _object(_object(service).get("traffic")).get("backend_service")
        if isinstance(target, str) and shared[target] > 1:
            here = f"{path}.traffic.backend_service"
            yield Problem(here, f"{target} is moved by another service too; give each its own")


def _between_regions(path: str, regions: Mapping[object, object]) -> Iterator[Problem]:
    groups = {name: _groups(_object(region).get("backend")) for name, region in regions.items()}
    claimed = Counter(group for found in groups.values() for group in found)
    for name, found in groups.items():
        here = f"{path}.regions.{name}.backend"
        if _object(regions[name]).get("backend") == []:
            yield Problem(here, "an empty list; name at least one group")
        for group in sorted({group for group in found if claimed[group] > 1}):
            yield Problem(here, f"{group} is claimed twice")


def _groups(backend: object) -> list[str]:
    given = backend if isinstance(backend, list) else [backend]
    return [group_path(group) for group in given if isinstance(group, str)]


def _object(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}


def _service(name: str, model: ServiceModel, file: FileModel, raw: object) -> core.Service:
    mode = core.Mode(model.mode)
    whole = {"project": file.project, "order": list(model.regions), "service": raw}
    told = json.dumps(whole, sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return core.Service(
        name=name,
        project=file.project,
        mode=mode,
        regions=tuple(
            core.Region(
                name=region_name,
                endpoint=region.endpoint or f"dynamodb.{region_name}.amazonaws.com",
                health_url=region.health_url,
                check_id=region.check_id,
                backends=region.groups,
            )
            for region_name, region in model.regions.items()
        ),
        backend_service=model.traffic.backend_service,
        stated_lever=core.Lever(model.traffic.lever) if model.traffic.lever else None,
        policy=_policy(model.policy),
        stamp=core.Stamp(file.serial, digest, mode),
    )


def _policy(model: PolicyModel) -> core.Policy:
    return core.Policy(
        confirm=core.Confirm(model.confirm),
        on_unconfirmed=core.OnUnconfirmed(model.on_unconfirmed),
        trust_close=model.trust_close,
        min_incidents=model.min_incidents,
        recovery_probes=model.recovery_probes,
        cooldown=model.cooldown,
        max_auto_failovers=core.AutoFailovers(**dict(model.max_auto_failovers)),
        max_event_age=model.max_event_age,
        brake=core.Brake(**dict(model.brake)),
    )
