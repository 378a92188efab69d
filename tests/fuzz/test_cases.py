"""What the fuzzer once found stays fixed; and the fuzzer itself finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import __main__ as verb
from tests.fuzz import engines
from tests.fuzz.mutate import Dice
from tests.fuzz.targets import BY_NAME, CASES, TARGETS, Target

KEPT = sorted(CASES.rglob("*.bin"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_kept_case_is_found_no_more(path: Path) -> None:
    BY_NAME[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_reader_takes_its_own_examples_and_some_changes_of_them(target: Target) -> None:
    watch = engines.Watch(target)
    for seed in target.seeds:
        watch(seed)
    thrown = Dice(target.seeds, 1, is_json=target.is_json)
    for _ in range(60):
        watch(thrown.throw())
    assert watch.findings == {}


def test_a_finding_is_kept_once_for_each_kind(tmp_path: Path) -> None:
    def fragile(data: bytes) -> None:
        if len(data) > 3:
            raise KeyError("id")
        assert data != b"no"

    watch = engines.Watch(Target("fragile", fragile, (), cases=tmp_path))
    assert [watch(data) for data in (b"yes", b"no", b"longer", b"longest", b"")] == [
        True,
        False,
        False,
        False,
        True,
    ]
    made = watch.told("dice", 1)
    assert made.executions == 5
    assert len(made.findings) == 2
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.bin")) == [b"longer", b"no"]
    assert "2" in verb.row(made)


@pytest.mark.parametrize("engine", ["dice", "hypothesis"])
def test_each_engine_finds_a_fault_that_an_odd_field_shows(engine: str, tmp_path: Path) -> None:
    """Of a reader that believes the type of one field."""

    def believes(data: bytes) -> None:
        if data.startswith(b'{"id": ') and not data.startswith(b'{"id": "'):
            raise TypeError("the id is no text")

    found = engines.ENGINES[engine](
        Target("id", believes, (b'{"id": "x"}',), cases=tmp_path), 0.2, 7
    )
    assert found.findings
    assert list(tmp_path.rglob("*.bin"))


def test_the_same_seed_throws_the_same_inputs() -> None:
    target = BY_NAME["alert"]
    one, other = (Dice(target.seeds, 5, is_json=True) for _ in range(2))
    assert [one.throw() for _ in range(50)] == [other.throw() for _ in range(50)]


def test_the_time_is_shared_among_readers_and_engines() -> None:
    made = verb.jobs(["alert", "mark"], ["dice", "hypothesis"], 60, 1)
    assert sum(seconds for _, _, seconds, _ in made) == pytest.approx(60)
    assert len({(name, engine) for name, engine, _, _ in made}) == 4


def test_the_verb_prints_a_row_for_each_and_ends_with_0_when_nothing_is_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = verb.main(["--seconds", "0.2", "--target", "health", "--engine", "dice"])
    out = capsys.readouterr().out
    assert status == 0
    assert "health" in out
    assert "0 findings" in out
