"""Advice: by an error's kind and all refusals together, and every command in it can be pasted."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

import orchestrator
from orchestrator.cli.app import cli
from orchestrator.cli.words.advice import advice_on
from orchestrator.cli.words.remedies import remedies, remedy
from orchestrator.core import paging
from orchestrator.core.exceptions import (
    BadConfig,
    BadEvent,
    Cloud,
    Conflict,
    FailoverError,
    Kind,
    Outdated,
    StateLost,
    Unavailable,
    UnsafePlan,
)
from orchestrator.core.model import Json, Page
from orchestrator.core.rule import OVERRIDABLE, RULES, Cause

EAST, WEST, EUROPE = "us-east-1", "us-west-2", "eu-west-1"
TARGET = ("target_healthy", "cooldown", "replication_lag", "role", "attached")


def refused(rule: str, region: str = "", cause: Cause = Cause.NONE) -> Json:
    """A refusal, as history and journal have it."""
    return {"rule": rule, "passed": False, "value": "v", "region": region, "cause": cause}


def passed(rule: str, region: str = "") -> Json:
    """A gate that let the decision pass."""
    return {"rule": rule, "passed": True, "value": "v", "region": region, "cause": ""}


def held(
    *reasons: Json, routing: Mapping[str, float] | None = None, given: Json | None = None
) -> str:
    """What is advised for a decision that these reasons held."""
    entry = {"outcome": "held", "reasons": list(reasons), "routing": routing or {EAST: 1.0}}
    entry |= {"given": given} if given else {}
    return "\n".join(remedies(entry, "checkout"))


def commands(text: str) -> list[str]:
    """The commands of `failoverctl` in a text."""
    return re.findall(r"`(failoverctl [^`]*)`", text)


def parse(command: str) -> None:
    """Parse one as the command line does, without carrying it out. Raises click's errors."""
    words = shlex.split(command.replace("\n", " "))[1:]
    group: click.Command = cli
    context = cli.make_context("failoverctl", list(words), resilient_parsing=True)
    while isinstance(group, click.Group):
        name, found, words = group.resolve_command(context, words)
        assert found is not None, command
        context = (
            click.Context(found, parent=context, info_name=name)
            if isinstance(found, click.Group)
            else found.make_context(name, words, parent=context)
        )
        group = found


# --- every command can be pasted -----------------------------------------------------------------


def all_remedies() -> Iterator[str]:
    """The advice for every rule and cause, alone, in pairs, and for two targets."""
    rules = [*RULES, "min_healthy_regions", "outdated", "unknown"]
    shared = {EAST: 0.5, WEST: 0.5}
    for rule, cause in itertools.product(rules, Cause):
        yield held(refused(rule, WEST, cause))
        yield held(refused(rule, "", cause), passed("target_healthy", WEST))
        yield held(refused(rule, "", cause), passed("confirm", EAST), routing=shared)
        yield remedy(rule, "checkout")
        yield remedy(rule, "")
    for one, other in itertools.product(TARGET, TARGET):
        yield held(refused(one, WEST), refused(other, WEST), refused("last_region"))
        yield held(refused(one, WEST), refused(other, EUROPE), refused("last_region"))


def all_errors() -> Iterator[FailoverError]:
    """An error of every class, kind and cloud."""
    yield from (BadEvent("x"), Conflict("x"), UnsafePlan("drain", "x"), Outdated("x"))
    yield from (BadConfig("failover.yaml", []), StateLost("x"))
    yield Unavailable("x", kind=Kind.CORRUPT, service="checkout")
    for kind, cloud in itertools.product(Kind, Cloud):
        yield Unavailable("x", kind=kind, cloud=cloud)


def test_every_command_that_a_remedy_advises_is_taken_by_the_command_line() -> None:
    found = {command for text in all_remedies() for command in commands(text)}
    assert len(found) > 10
    for command in found:
        parse(command)
    overrides = {word for command in found for word in re.findall(r"--override (\S+)", command)}
    assert "role" in overrides
    assert overrides <= set(OVERRIDABLE)


def test_every_command_that_an_error_or_a_page_advises_is_taken_by_the_command_line() -> None:
    told = [advice_on(error, {}) for error in all_errors()]
    pages = [paging.page_of(error, name) for error in all_errors() for name in ("checkout", "")]
    pages += [Page(rule, "x") for rule in RULES]
    given = [paging.command("checkout", page, which) for page in pages for which in ("", "d-1")]
    found = {*given, *(command for text in told for command in commands(text))}
    assert len(found) > 5
    for command in found:
        parse(command)


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module, with a service's name in every place that is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "checkout"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_command_anywhere_in_our_sentences_is_one_that_there_is() -> None:
    root = Path(orchestrator.__file__).parent
    found = {
        command
        for path in root.rglob("*.py")
        for text in texts(ast.parse(path.read_text()))
        for command in commands(text)
    }
    assert len(found) > 20
    for command in found:
        name = command.split()[1]
        assert name in cli.commands or name.isupper() or not name.isalpha(), command


def test_an_override_that_the_command_line_refuses_does_not_parse() -> None:
    """The test above would notice."""
    with pytest.raises(click.BadParameter):
        parse("failoverctl failover checkout --to us-west-2 --override cooldown")


# --- by the whole set of refusals ----------------------------------------------------------------


def test_regions_that_are_up_and_in_their_cooldown_are_not_to_be_brought_up() -> None:
    told = held(refused("cooldown", WEST), refused("cooldown", EUROPE), refused("last_region"))
    assert "Bring" not in told
    assert "another region" not in told
    go = "`failoverctl failover checkout --to us-west-2 --now --apply --reason TEXT`"
    assert go in told


def test_a_cooldown_beside_a_region_that_can_take_over_needs_nothing() -> None:
    told = held(refused("cooldown", WEST), passed("target_healthy", EUROPE), refused("brake"))
    assert "eu-west-1 can be the target meanwhile" in told


def test_regions_that_are_down_are_named_once_together() -> None:
    told = held(
        refused("target_healthy", WEST),
        refused("cooldown", WEST),
        refused("target_healthy", EUROPE),
        refused("last_region"),
    )
    assert told.startswith("last_region: Bring us-west-2 or eu-west-1 up")
    assert told.count("\n") == 0


def test_a_region_that_answers_well_and_is_not_proven_can_be_chosen() -> None:
    told = held(refused("target_healthy", WEST, Cause.UNPROVEN), refused("last_region"))
    assert "--to us-west-2 --now --override target_healthy --apply" in told


def test_a_region_that_two_rules_refuse_is_not_promised_to_one_override() -> None:
    told = held(refused("target_healthy", WEST, Cause.UNPROVEN), refused("replication_lag", WEST))
    assert "one override takes back one rule only" in told
    assert "--override" not in told


def test_a_freeze_names_the_region_to_go_to_if_there_is_one_and_else_how_it_ends() -> None:
    assert "--to us-west-2" in held(refused("freeze"), passed("target_healthy", WEST))
    alone = held(refused("freeze"))
    assert "--to" not in alone
    assert "`failoverctl unfreeze checkout --apply --reason TEXT`" in alone


def test_few_healthy_regions_are_overridden_by_the_command_that_the_mode_has() -> None:
    shared = {EAST: 0.5, WEST: 0.5}
    told = held(refused("min_healthy_regions"), passed("confirm", EAST), routing=shared)
    assert "`failoverctl evacuate us-east-1 --service checkout" in told


def test_a_decision_of_an_older_version_without_causes_is_told_all_the_same() -> None:
    reason = {"rule": "target_healthy", "passed": False, "value": "status down", "region": WEST}
    assert "Bring us-west-2 up" in held(reason)


def test_a_late_command_is_given_again_by_a_line_to_paste() -> None:
    given = {"verb": "failover", "region": WEST, "reason": "it's slow", "now": True}
    (command,) = commands(held(refused("command"), given=given))
    assert command.startswith("failoverctl failover checkout --to us-west-2 --now --apply --reason")
    parse(command)
    freeze = {"verb": "freeze", "region": "", "reason": "work", "seconds": 7200.0}
    assert "`failoverctl freeze checkout --for 7200s" in held(refused("command"), given=freeze)


def test_an_unknown_lag_is_not_waited_for() -> None:
    told = held(refused("replication_lag", WEST, Cause.UNKNOWN_LAG))
    assert "us-west-2 does not report its lag. Fix its heartbeat" in told
    assert "failover checkout --to us-west-2 --now --override replication_lag --apply" in told
    assert "caught up" in held(refused("replication_lag", WEST))


def test_an_alert_in_doubt_is_corrected_at_its_labels() -> None:
    told = held(refused("confirm", EAST, Cause.DOUBTFUL))
    assert "Correct the labels" in told
    assert "health URL" not in told
    assert "health URL" in held(refused("confirm", EAST, Cause.CONTRADICTED))


# --- by the kind of an error ---------------------------------------------------------------------


def test_a_rate_limit_and_a_missing_bucket_are_no_missing_permission() -> None:
    text = "gs://b: 403 Forbidden IAM: ConnectionError"  # what it says does not matter
    busy = advice_on(Unavailable(text, kind=Kind.BUSY, cloud=Cloud.STORAGE), {})
    missing = advice_on(Unavailable(text, kind=Kind.MISSING, cloud=Cloud.STORAGE), {})
    denied = advice_on(Unavailable(text, kind=Kind.PERMISSION, cloud=Cloud.STORAGE), {})
    assert "Your permissions are in order" in busy
    assert "does not exist" in missing
    assert "gcloud storage ls" in missing
    assert "Your credentials do not have that permission" in denied
    assert advice_on(Unavailable(text), {}) == ""


def test_advice_names_the_server_that_is_silent_and_no_other() -> None:
    environ = {"STORAGE_EMULATOR_HOST": "http://s", "COMPUTE_EMULATOR_HOST": "http://c"}
    silent = Unavailable("x", kind=Kind.UNREACHABLE, cloud=Cloud.STORAGE)
    assert "STORAGE_EMULATOR_HOST=http://s" in advice_on(silent, environ)
    assert "COMPUTE" not in advice_on(silent, environ)
    assert "could not be reached" in advice_on(silent, {})


def test_a_server_that_answers_with_an_error_is_not_called_silent() -> None:
    error = Unavailable("503", kind=Kind.SERVER_ERROR, cloud=Cloud.COMPUTE)
    told = advice_on(error, {})
    assert told.startswith("The Compute API answers with an error. Wait and repeat")
    assert "status.cloud.google.com" in told
    local = advice_on(error, {"COMPUTE_EMULATOR_HOST": "http://c"})
    assert "answers at COMPUTE_EMULATOR_HOST=http://c" in local
    assert "Nothing answers" not in local
