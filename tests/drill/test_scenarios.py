"""Every promise of examples/drills is kept, and the runner can tell when one is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.app import cli
from orchestrator.cli.words import sentences
from orchestrator.drill.clouds import Balancer
from orchestrator.drill.phrases import FORMS, TAILS, length, read
from orchestrator.drill.scenario import BadScenario, load, read_scenario
from orchestrator.drill.scenario_schema import ExpectModel, ScenarioModel
from orchestrator.drill.virtual import DrillResult, Run, run

FOLDER = Path(__file__).parents[2] / "examples" / "drills"
FILES = sorted(FOLDER.glob("*.toml"))

SMALL = """
title = "The primary fails"
promise = "The traffic moves."

[[step]]
at = "1m"
do = ["us-east-1 fails", "alert A opens for us-east-1"]
expect = { traffic = "us-west-2", epoch = 1 }
"""


def played(text: str) -> DrillResult:
    """A scenario, run."""
    return run(load(text, "test"), sentences.tell)


def problems(text: str) -> list[str]:
    """What is wrong with a scenario."""
    with pytest.raises(BadScenario) as caught:
        load(text, "test")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_promise_holds(file: Path) -> None:
    result = run(read_scenario(file), sentences.tell)
    assert result.held, "\n".join(result.broken)


def test_every_scenario_expects_something_at_its_end() -> None:
    assert all(read_scenario(file).steps[-1].expect for file in FILES)


def test_a_run_is_repeatable() -> None:
    scenario = read_scenario(FOLDER / "two-orchestrators.toml")
    assert run(scenario, sentences.tell).lines == run(scenario, sentences.tell).lines


# --- the runner can fail -------------------------------------------------------------------------


BROKEN = [
    ('traffic = "eu-west-1"', "traffic is us-west-2, expected eu-west-1"),
    ("traffic = { us-west-2 = 0.5 }", "traffic is {'us-west-2': 1.0}, expected"),
    ('primary = "us-east-1"', "primary is us-west-2, expected us-east-1"),
    ('serving = "us-east-1"', "serving is us-west-2, expected us-east-1"),
    ("epoch = 2", "epoch is 1, expected 2"),
    ('outcome = "held"', "outcome is moved, expected held"),
    ('refused = "freeze"', "refused should have 'freeze', and it has nothing"),
    ('users = "failing"', "users is served, expected failing"),
    ("health = { us-east-1 = 'up' }", "health of us-east-1 is down, expected up"),
    ("paged = true", "paged is nothing, expected a page"),
    ('paged = "brake"', "paged should have 'brake'"),
    ('fenced = "us-east-1"', "fenced is nobody, expected us-east-1"),
    ('switching_to = "us-east-1"', "switching_to is nobody, expected us-east-1"),
    ("frozen = true", "frozen is False, expected True"),
    ("patches = 2", "patches is 1, expected 2"),
    ("commits = 0", "commits is 3, expected 0"),
    ('explains = "It HELD"', "explains should have 'It HELD', and it has Decision"),
    ('log = "drift repaired"', "log should have 'drift repaired'"),
]


@pytest.mark.parametrize(("expectation", "told"), BROKEN)
def test_a_broken_expectation_names_its_step_and_the_value(expectation: str, told: str) -> None:
    result = played(f'{SMALL}[[step]]\nat = "90s"\nexpect = {{ {expectation} }}\n')
    assert not result.held
    assert [text for text in result.broken if text.startswith(f"step 2 (at 1m 30s): {told}")]


def test_every_expectation_has_been_seen_to_fail() -> None:
    tried = {expectation.partition(" ")[0] for expectation, _ in BROKEN}
    assert tried == set(ExpectModel.model_fields)


def test_a_patch_that_leaves_no_region_with_traffic_breaks_every_promise() -> None:
    stage = Run(load(SMALL, "test"), sentences.tell)
    fingerprint = Balancer(stage.world).read("checkout").fingerprint
    Balancer(stage.world).patch("checkout", {"backends": [], "fingerprint": fingerprint})
    assert "took the traffic from every region" in stage.play().broken[-1]


# --- a file that cannot be run -------------------------------------------------------------------


def test_an_unknown_key_is_refused_with_its_path_and_the_one_that_was_meant() -> None:
    wrong = SMALL.replace("traffic =", "trafic =").replace("promise =", "mod = 1\npromise =")
    assert sorted(problems(wrong)) == [
        "mod: not known here. Did you mean `mode`?",
        "step 1.expect.trafic: not known here. Did you mean `traffic`?",
    ]


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        'title = ""\nmode = "passive"\n[[step]]\nat = "soon"\ndo = ["us-east-1 falls"]\n'
        '[[step]]\nexpect = { outcome = "won" }\n'
    )
    assert [text.partition(":")[0] for text in found] == [
        "title",
        "promise",
        "mode",
        "step 1.at",
        "step 1.do",
        "step 2.at",
        "step 2.expect.outcome",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("us-east-1 fails", "us-east-2 fails"), "step 1.do 1: no region 'us-east-2'; there are"),
        (('traffic = "us-west-2"', 'traffic = "mars"'), "step 1.expect: no region 'mars'"),
        (("us-east-1 fails", "us-east-1 failed"), "no phrase. Did you mean `REGION fails`?"),
        (("us-east-1 fails", "us-east-1 fails, now"), "'now' cannot follow `REGION fails`"),
        (("us-east-1 fails", "the orchestrator is killed"), "say when: `before the next patch"),
        (("us-east-1 fails", "orchestrator 2 cannot reach us-east-1"), "needs `orchestrators = 2`"),
        (('at = "1m"', 'at = "-1m"'), "step 1.at: write a duration such as 90s, 1m30s or 26h"),
        (("promise", "overlap = true\npromise"), "overlap: needs `orchestrators = 2`"),
        (("promise", 'tick_every = "1ms"\npromise'), "tick_every: write at least 1s"),
        (
            ("promise", "policy = { cooldwn = '1m' }\npromise"),
            "policy.cooldwn: not known here. Did",
        ),
        (("promise", "policy = { cooldown = 'x' }\npromise"), "policy.cooldown: write a duration"),
        (("expect =", "#"), "step: no step expects anything, so nothing is promised"),
        (('title = "The', "title = The"), "(file): not TOML"),
    ],
)
def test_a_faulty_file_is_refused_with_what_would_be_right(
    change: tuple[str, str], told: str
) -> None:
    assert told in " | ".join(problems(SMALL.replace(*change)))


def test_steps_stand_in_the_order_of_their_times() -> None:
    earlier = f'{SMALL}[[step]]\nat = "30s"\n'
    assert problems(earlier) == ["step 2.at: earlier than the step before"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b"title = '\xe9'")
    with pytest.raises(BadScenario, match=r"latin\.toml cannot be run"):
        read_scenario(file)


# --- the phrases ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("1m30s", 90), ("1.5m", 90), ("26h", 93_600), ("1d", 86_400)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert length(text).total_seconds() == seconds


def test_every_phrase_is_tried_by_some_scenario() -> None:
    tried = {act.form for file in FILES for step in read_scenario(file).steps for act in step.do}
    assert set(FORMS) - tried == set()


def test_every_tail_is_tried_by_some_scenario_or_here() -> None:
    acts = [act for file in FILES for step in read_scenario(file).steps for act in step.do]
    acts += [read("alice commands failover to us-west-2, overriding target_healthy")]
    assert {tail for act in acts for tail in act.tails} == set(TAILS)


def test_the_readme_tells_every_phrase_tail_and_key() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    cells = set(re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE))
    keys = {*ScenarioModel.model_fields, *ExpectModel.model_fields} - {"step"}
    assert {*FORMS, *TAILS, *keys} <= cells


def test_the_readme_lists_every_scenario() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(.*?)\]\((.*?)\.toml\) \|", text, re.MULTILINE)
    assert {name for name, _ in listed} == {file.stem for file in FILES}
    assert all(name == link for name, link in listed)


# --- the verb ------------------------------------------------------------------------------------


def drilled(*arguments: str | Path) -> Any:
    """The answer of `failoverctl drill`."""
    return CliRunner().invoke(cli, ["drill", *map(str, arguments)])


def test_the_verb_prints_the_timeline_and_that_the_promise_held() -> None:
    found = drilled(FOLDER / "frozen.toml")
    assert found.exit_code == 0, found.output
    assert "  5m         alert A opens for us-east-1\n" in found.stdout
    assert "  5m         -> It HELD: the traffic stayed with us-east-1.\n" in found.stdout
    assert "refused freeze: frozen by alice" in found.stdout
    assert "The promise held.\n\n1 of 1 promises held.\n" in found.stdout


def test_the_verb_ends_with_1_when_a_promise_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(SMALL.replace("epoch = 1", "epoch = 7"))
    found = drilled(file, FOLDER / "frozen.toml")
    assert found.exit_code == 1
    assert "BROKEN: step 1 (at 1m): epoch is 1, expected 7" in found.stdout
    assert "1 of 2 promises held." in found.stdout


def test_the_verb_refuses_a_faulty_file_in_words_and_in_json(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(SMALL.replace("expect", "expects"))
    found = drilled(file)
    assert found.exit_code == 1
    assert "step 1.expects: not known here. Did you mean `expect`?" in found.stderr
    told = json.loads(drilled(file, "--json").stdout)
    assert told["drills"][0]["error"]["kind"] == "BadScenario"


def test_the_verb_answers_in_json(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(SMALL.replace("epoch = 1", "epoch = 7"))
    found = drilled(file, "--json")
    assert found.exit_code == 1
    (told,) = json.loads(found.stdout)["drills"]
    assert not told["held"]
    assert told["broken"] == ["step 1 (at 1m): epoch is 1, expected 7"]
    assert [line["kind"] for line in told["timeline"]] == ["act", "act", "decision", "broken"]
    assert told["timeline"][2]["decision"]["outcome"] == "moved"
