"""The schema of a scenario file, and the problems of one in words, each at its path.

Steps are counted from 1, as a reader counts them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import ErrorDetails

from orchestrator.core.exceptions import Problem
from orchestrator.core.model import DecisionOutcome, Status
from orchestrator.drill.phrases import Act, length, read


def _length(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else length(str(value))


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _acts(value: object) -> list[Act]:
    given = value if isinstance(value, list) else [value]
    return [one if isinstance(one, Act) else read(str(one)) for one in given]


Length = Annotated[timedelta, BeforeValidator(_length)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Acts = Annotated[tuple[Act, ...], BeforeValidator(_acts)]

NOBODY = "nobody"
"""What `fenced` and `switching_to` say when there is none."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectModel(_Model):
    """What must be so at this time. What is not named may be anything.

    traffic: the regions that the load balancer gives traffic, or each one's share of its capacity.
    serving: those that users are sent to, for attached standbys have capacity and no users.
    outcome, refused, explains: of the newest decision. paged, log: of all so far.
    """

    traffic: str | list[str] | dict[str, float] | None = None
    serving: Names | None = None
    primary: str | None = None
    epoch: int | None = None
    health: dict[str, Status] | None = None
    users: Literal["served", "failing"] | None = None
    outcome: DecisionOutcome | None = None
    refused: Names | None = None
    explains: Names | None = None
    paged: bool | str | None = None
    log: Names | None = None
    fenced: str | None = None
    switching_to: str | None = None
    frozen: bool | None = None
    commits: int | None = None
    patches: int | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that it names."""
        traffic = [self.traffic] if isinstance(self.traffic, str) else list(self.traffic or ())
        single = [self.primary, self.fenced, self.switching_to]
        named = [*traffic, *(self.serving or ()), *single, *(self.health or {})]
        return tuple(name for name in named if name and name != NOBODY)


class StepModel(_Model):
    """At this time first all that happens, in its order. Then what is expected."""

    at: Length
    do: Acts = ()
    expect: ExpectModel | None = None


class ScenarioModel(_Model):
    """One promise, and the timeline that tries it."""

    title: str = Field(min_length=1)
    promise: str = Field(min_length=1)
    mode: Literal["active-passive", "active-active"] = "active-passive"
    lever: Literal["capacity", "membership"] = "capacity"
    standby: Literal["drained", "attached"] = "drained"
    regions: list[str] = Field(["us-east-1", "us-west-2", "eu-west-1"], min_length=1)
    orchestrators: Literal[1, 2] = 1
    overlap: bool = False
    tick_every: Length | Literal["never"] = timedelta(minutes=1)
    policy: dict[str, object] = {}
    step: list[StepModel] = Field(min_length=1)


def problem(error: ErrorDetails) -> Problem:
    """One of the library's errors in our words."""
    loc = [one for one in error["loc"] if not _is_branch(one)]
    path = _path(loc)
    match error["type"]:
        case "missing":
            return Problem(path, "missing")
        case "extra_forbidden":
            return Problem(path, f"not known here{_near(str(loc[-1]), loc[:-1])}")
        case "value_error":
            return Problem(path, str(error["ctx"]["error"]))
        case _:
            text = error["msg"][:1].lower() + error["msg"][1:]
            return Problem(path, f"{text}. It is {error['input']!r}")


def _is_branch(step: int | str) -> bool:
    """Whether the library names a branch of a union, not a place in the file."""
    return isinstance(step, str) and ("[" in step or step in {"str", "bool"})


def _path(loc: Iterable[int | str]) -> str:
    """`step 3.expect.traffic`: as the file has it, steps counted from 1."""
    text = ".".join(f"#{one + 1}" if isinstance(one, int) else one for one in loc)
    return text.replace("step.#", "step ").replace(".#", " ") or "(file)"


def _near(key: str, above: list[int | str]) -> str:
    model: type[BaseModel] = ScenarioModel
    if above:
        model = ExpectModel if above[-1] == "expect" else StepModel
    fields: Mapping[str, object] = model.model_fields
    near = difflib.get_close_matches(key, fields, 1, 0.6)
    return f". Did you mean `{near[0]}`?" if near else f". Known are {', '.join(fields)}"
