"""Three ways to make inputs for a target within a time, and to count what came of them.

`dice` changes the seeds at random and is always there. `hypothesis` builds whatever decodes from
JSON into the places of the seeds. `atheris` goes by the branches that an input takes in
`orchestrator`, where its wheel exists for this Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutate import Dice, parsed
from tests.fuzz.targets import BY_NAME, Target


@dataclass(frozen=True, slots=True)
class Run:
    """What one engine came to on one target. slowest: milliseconds, and the input's bytes."""

    target: str
    engine: str
    executions: int
    seconds: float
    findings: tuple[str, ...] = ()
    slowest: tuple[float, int] = (0.0, 0)


class Watch:
    """Runs a target, keeps what it finds, and remembers what was slowest."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.executions = 0
        self.findings: dict[str, str] = {}
        self.slowest = (0.0, 0)

    def __call__(self, data: bytes) -> bool:
        """Whether the input is no finding. One of each kind is kept."""
        self.executions += 1
        began = time.process_time()
        try:
            self._target.run(data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
            self._found(data, error)
            return False
        took = 1000 * (time.process_time() - began)
        self.slowest = max(self.slowest, (took, len(data)))
        return True

    def _found(self, data: bytes, error: Exception) -> None:
        kind = kind_of(error)
        if kind not in self.findings:
            self.findings[kind] = str(kept(self._target, data))

    def told(self, engine: str, seconds: float) -> Run:
        """What it came to."""
        found = tuple(f"{kind} ({path})" for kind, path in self.findings.items())
        name = self._target.name
        return Run(name, engine, self.executions, seconds, found, self.slowest)


def kind_of(error: Exception) -> str:
    """The error and where it comes from: findings of one kind are one."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {where}: {ascii(str(error))[:120]}"


def kept(target: Target, data: bytes) -> Path:
    """The file in which this input is kept for good; made when it is not there."""
    path = target.cases / target.name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def dice(target: Target, seconds: float, number: int) -> Run:
    """Seeds changed at random."""
    watch, thrown = Watch(target), Dice(target.seeds, number, is_json=target.is_json)
    began = time.monotonic()
    for seed in target.seeds:
        watch(seed)
    while time.monotonic() - began < seconds:
        for _ in range(50):
            watch(thrown.throw())
    return watch.told("dice", time.monotonic() - began)


# --- hypothesis ----------------------------------------------------------------------------------

EVERYTHING = st.text(st.characters(exclude_categories=()), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | EVERYTHING | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(EVERYTHING, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def grafted(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with any JSON in one of its places."""
    value = parsed(draw(st.sampled_from([one for one in seeds if parsed(one)])))
    here, path = value, []
    while isinstance(here, dict | list) and here and draw(st.integers(0, 9)):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        path.append((here, draw(st.sampled_from(keys))))
        here = here[path[-1][1]]
    made = draw(JSON)
    if not path:
        return json.dumps(made).encode()
    parent, key = path[-1]
    parent[key] = made
    return json.dumps(value).encode()


@st.composite
def spliced(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with any text or bytes in it."""
    seed = draw(st.sampled_from(seeds))
    at = draw(st.integers(0, len(seed)))
    end = draw(st.integers(at, min(len(seed), at + 40)))
    text = EVERYTHING.map(lambda one: one.encode("utf-8", "surrogatepass"))
    return seed[:at] + draw(text | st.binary(max_size=30) | st.sampled_from(seeds)) + seed[end:]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Inputs of this target."""
    return grafted(target.seeds) if target.is_json else spliced(target.seeds)


def by_hypothesis(target: Target, seconds: float, number: int) -> Run:
    """What is built by structure."""
    del number
    watch, began = Watch(target), time.monotonic()

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(target))
    def once(data: bytes) -> None:
        watch(data)

    while time.monotonic() - began < seconds:
        once()
    return watch.told("hypothesis", time.monotonic() - began)


# --- atheris -------------------------------------------------------------------------------------

_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def has_atheris() -> bool:
    """Whether its wheel is installed for this Python."""
    program = "import atheris"
    return subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0  # noqa: PLW1510  # the status is the answer


def by_coverage(target: Target, seconds: float, number: int) -> Run:
    """What takes branches that no input has taken. It ends with its first finding."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for index, seed in enumerate(target.seeds):
            (corpus / str(index)).write_bytes(seed)
        options = [
            f"-max_total_time={max(1, int(seconds))}",
            "-print_final_stats=1",
            "-max_len=16384",
            "-timeout=20",
            "-rss_limit_mb=2048",
            f"-seed={number + 1}",
            f"-artifact_prefix={folder}/found-",
        ]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.coverage", target.name, *options, str(corpus)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        took = time.monotonic() - began
        found = [path.read_bytes() for path in sorted(Path(folder).glob("found-*"))]
    watch = Watch(target)
    for data in found:
        if watch(data):
            watch.findings[f"atheris alone: {done.stderr[-200:]}"] = str(kept(target, data))
    counted = _DONE.search(done.stderr)
    if done.returncode and not found:
        watch.findings[f"it ended with {done.returncode}: {done.stderr[-300:]}"] = "no input"
    made = watch.told("atheris", took)
    executions = int(counted[1]) if counted else 0
    return Run(target.name, "atheris", executions, took, made.findings)


Engine = Callable[[Target, float, int], Run]
ENGINES: dict[str, Engine] = {
    "dice": dice,
    "hypothesis": by_hypothesis,
    "atheris": by_coverage,
}


def run(job: tuple[str, str, float, int]) -> Run:
    """One engine on one target, in a process of its own. job: target, engine, seconds, number."""
    target, engine, seconds, number = job
    return ENGINES[engine](BY_NAME[target], seconds, number)


def replay(target: Target, path: Path) -> Any:  # what the target gives, which is nothing
    """One kept case."""
    return target.run(path.read_bytes())
