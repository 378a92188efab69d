"""`check` on who may publish, call the functions and write the state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.check.policies import access
from orchestrator.config.schema import TopicsModel
from orchestrator.core.exceptions import Kind, Unavailable
from orchestrator.ports import Grant, Pushing
from tests.support.desk import Desk
from tests.support.fakes import FakeAccess
from tests.support.seat import Seat

TOPIC = "topic dynamodb-failover-alerts"
SERVICE = "projects/laptop/locations/us-east4/services/failover-alerts"
FUNCTION = f"function {SERVICE}"
URL = "https://failover-alerts-abc-uk.a.run.app"
PUSH = "alerts-push@laptop.iam.gserviceaccount.com"
DOOR = Pushing("projects/laptop/subscriptions/failover-alerts", URL, PUSH)
NOTIFIER = "serviceAccount:service-1@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

HARMLESS = {
    TOPIC: "roles/pubsub.viewer",
    "bucket": "roles/storage.objectViewer",
    FUNCTION: "roles/run.viewer",
}
ABLE = {
    TOPIC: "roles/pubsub.publisher",
    "bucket": "roles/storage.objectAdmin",
    FUNCTION: "roles/run.invoker",
    "project": "roles/owner",
}
ROW = {
    TOPIC: "who may publish alerts (topic dynamodb-failover-alerts)",
    "bucket": "who may write the state (gs://laptop-failover)",
    FUNCTION: "who may call what takes alerts (failover-alerts)",
    "project": "who may publish by the project's policy",
}


@pytest.fixture
def world() -> FakeAccess:
    """Policies as a deployment leaves them."""
    made = FakeAccess()
    made.doors["dynamodb-failover-alerts"] = [DOOR]
    made.services[URL] = SERVICE
    made.bindings = {
        TOPIC: [Grant("roles/pubsub.publisher", (NOTIFIER,))],
        "bucket": [Grant("roles/storage.objectUser", ("serviceAccount:failover@laptop",))],
        FUNCTION: [Grant("roles/run.invoker", (f"serviceAccount:{PUSH}",))],
        "project": [Grant("roles/owner", ("user:alice@example.com",))],
    }
    return made


def found(policies: FakeAccess) -> dict[str, Finding]:
    """The findings by what they are of."""
    world = replace(Seat().world(), access=policies)
    return {one.what: one for one in access(world)}


def test_a_closed_deployment_is_fine_and_names_who_may(world: FakeAccess) -> None:
    findings = found(world)
    assert {one.level for one in findings.values()} == {Level.OK}
    assert NOTIFIER in findings[ROW[TOPIC]].detail
    assert PUSH in findings[ROW[FUNCTION]].detail
    assert "folder or an organization are not read" in findings[ROW["project"]].detail


@pytest.mark.parametrize("everybody", ["allUsers", "allAuthenticatedUsers"])
@pytest.mark.parametrize("condition", ["", "request.time < timestamp('2030-01-01T00:00:00Z')"])
@pytest.mark.parametrize("what", ABLE)
def test_everybody_among_them_fails_also_under_a_condition(
    world: FakeAccess, what: str, condition: str, everybody: str
) -> None:
    """The attack is anybody's: publish an alert, call the URL, write the document."""
    granted = world.bindings[what]
    assert granted is not None
    granted.append(Grant(ABLE[what], (everybody,), condition))
    one = found(world)[ROW[what]]
    assert one.level is Level.FAIL
    assert everybody in one.detail
    assert everybody in one.do
    assert ("under a condition" in one.detail) == bool(condition)


@pytest.mark.parametrize("what", HARMLESS)
def test_a_role_that_is_not_known_counts_as_one_that_gives_it(world: FakeAccess, what: str) -> None:
    world.bindings[what] = [Grant("projects/laptop/roles/mine", ("allUsers",))]
    assert found(world)[ROW[what]].level is Level.FAIL


@pytest.mark.parametrize("what", HARMLESS)
def test_everybody_who_may_only_read_is_a_warning(world: FakeAccess, what: str) -> None:
    granted = world.bindings[what]
    assert granted is not None
    granted.append(Grant(HARMLESS[what], ("allUsers",)))
    assert found(world)[ROW[what]].level is Level.WARN


@pytest.mark.parametrize("broad", ["projectEditor:laptop", "domain:example.com"])
@pytest.mark.parametrize("what", ABLE)
def test_members_that_are_many_people_are_a_warning(
    world: FakeAccess, what: str, broad: str
) -> None:
    world.bindings[what] = [Grant(ABLE[what], (broad,))]
    one = found(world)[ROW[what]]
    assert (one.level, broad in one.do) == (Level.WARN, True)


def test_editors_of_the_project_are_a_warning(world: FakeAccess) -> None:
    world.bindings["project"] = [Grant("roles/editor", ("serviceAccount:1-compute@developer",))]
    one = found(world)[ROW["project"]]
    assert (one.level, "1-compute@developer" in one.detail) == (Level.WARN, True)


def test_roles_of_the_project_that_nobody_knows_are_counted(world: FakeAccess) -> None:
    world.bindings["project"] = [Grant("projects/laptop/roles/mine", ("user:bob@example.com",))]
    assert "1 custom roles are not read" in found(world)[ROW["project"]].detail


def test_an_invoker_beside_the_subscriptions_own_identity_is_a_warning(world: FakeAccess) -> None:
    """A function that is told FAILOVER_PUSH_IAM=closed rests on there being none."""
    granted = world.bindings[FUNCTION]
    assert granted is not None
    granted.append(Grant("roles/run.invoker", ("serviceAccount:ci@laptop",)))
    one = found(world)[ROW[FUNCTION]]
    assert (one.level, "serviceAccount:ci@laptop" in one.do) == (Level.WARN, True)


def test_a_function_whose_callers_are_not_checked_fails_however_closed_its_policy_is(
    world: FakeAccess,
) -> None:
    """Anybody could then send a token with a removed signature."""
    world.opened.add(SERVICE)
    one = found(world)[ROW[FUNCTION]]
    assert (one.level, "--invoker-iam-check" in one.do) == (Level.FAIL, True)
    world.refused[f"open {SERVICE}"] = Unavailable("x is missing", kind=Kind.PERMISSION)
    one = found(world)[ROW[FUNCTION]]
    assert (one.level, one.detail) == (Level.WARN, "unknown: x is missing")


def test_a_pushing_identity_that_may_not_call_is_a_warning(world: FakeAccess) -> None:
    world.bindings[FUNCTION] = []
    one = found(world)[ROW[FUNCTION]]
    assert (one.level, f"{PUSH}, which pushes, is not among them" in one.detail) == (
        Level.WARN,
        True,
    )


def test_one_identity_for_both_topics_is_a_warning(world: FakeAccess) -> None:
    """What pushes alerts could give commands."""
    assert "one identity for each topic" not in found(world)
    control = Pushing("projects/laptop/subscriptions/failover-control", URL, PUSH)
    world.doors["failover-control"] = [control]
    config = replace(Seat().world().config, topics=TopicsModel(control="failover-control"))
    findings = access(replace(Seat().world(), config=config, access=world))
    (one,) = [each for each in findings if each.what == "one identity for each topic"]
    assert (one.level, PUSH in one.detail) == (Level.WARN, True)


def test_everybody_with_a_role_of_the_project_that_nobody_knows_fails(world: FakeAccess) -> None:
    world.bindings["project"] = [Grant("projects/laptop/roles/mine", ("allAuthenticatedUsers",))]
    assert found(world)[ROW["project"]].level is Level.FAIL


@pytest.mark.parametrize("what", ABLE)
def test_a_policy_that_cannot_be_read_is_unknown_and_never_fine(
    world: FakeAccess, what: str
) -> None:
    world.refused[what] = Unavailable("some.permission is missing", kind=Kind.PERMISSION)
    row = "who may do it by the project's policy" if what == "project" else ROW[what]
    one = found(world)[row]
    assert one.level is Level.WARN
    assert "unknown: some.permission is missing" in one.detail


def test_inherited_grants_are_unknown_where_the_projects_policy_may_not_be_read(
    world: FakeAccess,
) -> None:
    world.refused["project"] = Unavailable("x is missing", kind=Kind.PERMISSION)
    (one,) = [each for each in found(world).values() if "project's" in each.what]
    assert one.detail == "inherited grants: unknown: x is missing"


@pytest.mark.parametrize("asked", ["pushing dynamodb-failover-alerts", "behind"])
def test_who_may_call_is_unknown_where_what_the_topic_pushes_to_is(
    world: FakeAccess, asked: str
) -> None:
    world.refused[asked] = Unavailable("x is missing", kind=Kind.PERMISSION)
    rows = [one for name, one in found(world).items() if "may call what" in name]
    assert rows
    assert all(one.level is Level.WARN and "unknown" in one.detail for one in rows)


def test_a_url_that_is_no_service_of_the_project_is_unknown(world: FakeAccess) -> None:
    world.services.clear()
    one = found(world)[ROW[FUNCTION]]
    assert (one.level, one.detail.startswith("unknown")) == (Level.WARN, True)


def test_a_push_without_a_token_fails(world: FakeAccess) -> None:
    world.doors["dynamodb-failover-alerts"] = [Pushing(DOOR.name, URL, "")]
    assert found(world)[ROW[FUNCTION]].level is Level.FAIL


def test_a_topic_that_pushes_nowhere_is_a_warning(world: FakeAccess) -> None:
    world.doors.clear()
    assert found(world)["who may call what takes alerts"].level is Level.WARN


def test_an_emulator_has_no_policies_and_that_is_what_is_said(world: FakeAccess) -> None:
    world.bindings = dict.fromkeys(ABLE)
    world.doors["dynamodb-failover-alerts"] = None
    findings = found(world).values()
    assert {one.level for one in findings} == {Level.OK}
    assert all("an emulator has no IAM" in one.detail for one in findings)


def test_with_the_state_in_a_folder_nobody_is_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write()
    assert desk.routing.exists()
    desk.run("check", "--apply")
    (one,) = [f for f in desk.json("check")["findings"] if f["what"] == "access"]
    assert (one["level"], one["detail"].startswith("not checked")) == ("ok", True)
