"""The file's YAML: what its two readers would read differently is refused, with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config import load
from orchestrator.config.plain_yaml import LONGEST, read
from orchestrator.core.exceptions import BadConfig
from tests.config.test_loader import FULL
from tests.support.yaml_texts import REFUSED_SCALARS, refused, taken


def problems(text: str) -> dict[str, str]:
    """The problems of this file, by path."""
    with pytest.raises(BadConfig) as told:
        load(text, "failover.yaml")
    return {problem.path: problem.text for problem in told.value.problems}


@pytest.mark.parametrize("text", refused().values(), ids=refused().keys())
def test_what_readers_read_differently_is_refused(text: str) -> None:
    try:
        _, found = read(text, "failover.yaml")
    except BadConfig:
        return
    assert found


@pytest.mark.parametrize(("text", "meant"), taken().values(), ids=taken().keys())
def test_what_they_read_alike_is_read(text: str, meant: Any) -> None:
    assert read(text, "failover.yaml") == (meant, [])


@pytest.mark.parametrize("value", REFUSED_SCALARS)
def test_a_value_that_is_refused_is_told_at_its_path(value: str) -> None:
    """Whether or not the schema would have taken it."""
    found = problems(FULL.replace("serial: 3", f"serial: {value}"))
    assert {path.split(".")[0] for path in found} <= {"serial", "(file)"}
    assert found


@pytest.mark.parametrize(
    ("old", "new", "path", "told"),
    [
        ("serial: 3", "serial: 010", "serial", '"010" in quotes if it is a text, a number only as'),
        ("gs://my-project-failover", "gs://${P}-x", "state", "nothing is substituted in this file"),
        ("serial: 3", "serial: !!int 3", "serial", "Write the value without it"),
        (
            "max_auto_failovers: {count: 3, within: 24h}",
            "max_auto_failovers: {count: 1_0, within: 24h}",
            "services.checkout.policy.max_auto_failovers.count",
            "do not read 1_0 alike",
        ),
        (
            "ramp: [0.1, 0.5, 1.0]",
            "ramp: [0.1, .5, 1.0]",
            "services.checkout.policy.ramp.1",
            "a number only as in 10, -3 or 0.5",
        ),
        (
            "check_id: checkout-use4-x1",
            "check_id: 2026_11_24",
            "services.checkout.regions.us-east-1.check_id",
            '"2026_11_24" in quotes',
        ),
        (
            "cooldown: 10m",
            "cooldown: &c 10m\n      failback_after: *c",
            "services.checkout.policy.failback_after",
            "the alias *c. Write out what it stands for",
        ),
    ],
)
def test_the_refusal_says_what_to_write(old: str, new: str, path: str, told: str) -> None:
    text = FULL.replace("      failback_after: 30m\n", "") if "*c" in new else FULL
    assert told in problems(text.replace(old, new))[path]


def test_a_merge_is_refused_at_its_place() -> None:
    text = FULL.replace("    policy:\n", "    policy:\n      <<: {on_lag: proceed}\n")
    assert "Write its keys out" in problems(text)["services.checkout.policy.<<"]


def test_every_problem_of_both_kinds_is_told_at_once() -> None:
    text = FULL.replace("serial: 3", "serial: 0o3").replace("mode: active-passive", "mode: yes")
    assert set(problems(text)) == {"serial", "services.checkout.mode"}


def test_a_file_that_is_too_long_is_refused_before_it_is_read() -> None:
    assert load(FULL + "#" * (LONGEST - len(FULL.encode())), "failover.yaml").services
    assert "split the services" in problems(FULL + "#" * LONGEST)["(file)"]
