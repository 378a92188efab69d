"""A scenario file as values: every problem of it told at once, each with its path.

The configuration is made as `failover.yaml` is, by the same loader, so a policy that the file could
not have is refused in the same words.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from orchestrator.config import load as load_config
from orchestrator.core.exceptions import BadConfig, FailoverError, Problem
from orchestrator.core.policy import Service
from orchestrator.drill.scenario_schema import ScenarioModel, StepModel, problem

SERVICE = "checkout"
"""The one service of every scenario."""


class BadScenario(FailoverError):
    """The file cannot be run. Carries every problem found."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {one}" for one in problems)
        super().__init__(f"{source} cannot be run:\n{lines}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One promise, and the timeline that tries it.

    overlap: the second orchestrator acts in the middle of the first. tick_every: None for never.
    """

    title: str
    promise: str
    service: Service
    steps: tuple[StepModel, ...]
    orchestrators: int
    overlap: bool
    tick_every: timedelta | None


def read_scenario(file: Path) -> Scenario:
    """The scenario in this file. Raises BadScenario."""
    try:
        return load(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenario(str(file), (Problem("(file)", str(error)),)) from error


def load(text: str, source: str) -> Scenario:
    """The scenario in this text. Raises BadScenario with every problem found."""
    try:
        model = ScenarioModel.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(source, (Problem("(file)", f"not TOML: {error}"),)) from error
    except ValidationError as error:
        invalid = (problem(one) for one in error.errors(include_url=False))
        raise BadScenario(source, tuple(dict.fromkeys(invalid))) from error
    problems = (*_across(model), *_in_policy(model))
    if problems:
        raise BadScenario(source, problems)
    return Scenario(
        title=model.title,
        promise=model.promise,
        service=_service(model),
        steps=tuple(model.step),
        orchestrators=model.orchestrators,
        overlap=model.overlap,
        tick_every=None if model.tick_every == "never" else model.tick_every,
    )


def _across(model: ScenarioModel) -> Iterator[Problem]:
    """Faults that only show between fields."""
    if not any(step.expect for step in model.step):
        yield Problem("step", "no step expects anything, so nothing is promised")
    if model.overlap and model.orchestrators == 1:
        yield Problem("overlap", "needs `orchestrators = 2`")
    if model.tick_every != "never" and model.tick_every < timedelta(seconds=1):
        yield Problem("tick_every", "write at least 1s")
    last = timedelta(0)
    for number, step in enumerate(model.step, 1):
        if step.at < last:
            yield Problem(f"step {number}.at", "earlier than the step before")
        last = step.at
        yield from _strangers(model, number, step)


def _strangers(model: ScenarioModel, number: int, step: StepModel) -> Iterator[Problem]:
    listed = ", ".join(model.regions)
    for place, act in enumerate(step.do, 1):
        for name in act.regions:
            if name not in model.regions:
                yield Problem(
                    f"step {number}.do {place}", f"no region {name!r}; there are {listed}"
                )
        if act.values.get("number") == "2" and model.orchestrators == 1:
            yield Problem(f"step {number}.do {place}", "needs `orchestrators = 2`")
    for name in step.expect.regions if step.expect else ():
        if name not in model.regions:
            yield Problem(f"step {number}.expect", f"no region {name!r}; there are {listed}")


def _in_policy(model: ScenarioModel) -> tuple[Problem, ...]:
    """What the configuration's own loader finds, at the place that it has in this file."""
    try:
        _service(model)
    except BadConfig as error:
        prefix = f"services.{SERVICE}."
        return tuple(Problem(p.path.removeprefix(prefix), p.text) for p in error.problems)
    return ()


def _service(model: ScenarioModel) -> Service:
    """The service as `failover.yaml` would have it. Raises BadConfig."""
    regions = {
        name: {
            "endpoint": f"dynamodb.{name}.amazonaws.com",
            "health_url": f"https://{name}.checkout.example.com/healthz",
            "backend": _group(name, model.lever),
        }
        for name in model.regions
    }
    traffic = {
        "kind": "backend-service",
        "backend_service": SERVICE,
        "lever": model.lever,
        "standby": model.standby,
    }
    service = {
        "mode": model.mode,
        "regions": regions,
        "traffic": traffic,
        "policy": model.policy,
    }
    file = {
        "version": 1,
        "project": "drill",
        "state": "gs://drill-failover",
        "services": {SERVICE: service},
    }
    return load_config(json.dumps(file, default=str), "scenario").services[SERVICE]


def _group(region: str, lever: str) -> str:
    if lever == "membership":
        return f"projects/drill/regions/{region}/networkEndpointGroups/{SERVICE}-{region}"
    return f"projects/drill/zones/{region}-a/instanceGroups/{SERVICE}-{region}"
