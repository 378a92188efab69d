"""Which region an alert is about: labels, host and check id, compared with each other."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.exceptions import BadEvent
from orchestrator.core.model import AlertClosed, AlertOpened, Doubt, Tick
from orchestrator.core.policy import Service
from orchestrator.intake.matching import Note
from orchestrator.intake.parse import Ignored, parse_alert
from tests.intake.test_parse import message, notification, services, signals

CHECK_FILTER = (
    'metric.type="monitoring.googleapis.com/uptime_check/check_passed" AND '
    'metric.label.check_id="checkout-eu-west-1" AND resource.type="uptime_url"'
)


def pairs(value: object, among: dict[str, Service] | None = None) -> set[tuple[str, str]]:
    """(service, region) of each signal."""
    found = signals(value, among)
    return {(one.service, one.signal.region) for one in found if not isinstance(one.signal, Tick)}


def host(name: str) -> dict[str, Any]:
    """The monitored resource of an uptime check of this host."""
    return {"type": "uptime_url", "labels": {"project_id": "p", "host": name}}


def test_labels_come_first() -> None:
    """Before a host and a check id that say otherwise, which leave it in doubt."""
    told = notification(
        resource=host("us-west-2.checkout.example.com"),
        condition={"conditionThreshold": {"filter": CHECK_FILTER}},
    )
    assert pairs(told) == {("checkout", "us-east-1")}
    assert doubts(told) == {Doubt.CONTRADICTED}


def test_the_host_comes_second() -> None:
    told = notification(
        drop=["policy_user_labels"],
        resource=host("US-West-2.checkout.example.com"),
        metric={"labels": {"check_id": "checkout-eu-west-1"}},
    )
    assert pairs(told) == {("checkout", "us-west-2")}


def test_a_host_with_its_port_is_found_too() -> None:
    for name in ("ap-south-1.search.example.com", "ap-south-1.search.example.com:8443"):
        told = notification(drop=["policy_user_labels"], resource=host(name))
        assert pairs(told) == {("search", "ap-south-1")}


def test_a_host_with_the_port_that_its_url_need_not_name_is_found_too() -> None:
    told = notification(
        drop=["policy_user_labels"], resource=host("us-west-2.checkout.example.com:443")
    )
    assert pairs(told) == {("checkout", "us-west-2")}


def test_the_check_id_among_the_metrics_labels_comes_third() -> None:
    told = notification(
        drop=["policy_user_labels"],
        resource=host("elsewhere.example.com"),
        metric={"labels": {"check_id": "Checkout-EU-west-1"}},
    )
    assert pairs(told) == {("checkout", "eu-west-1")}


@pytest.mark.parametrize("spelling", ["metric.label.check_id=", "metric.labels.check_id = "])
def test_the_check_id_in_the_filter_comes_last(spelling: str) -> None:
    told = notification(
        drop=["policy_user_labels"],
        condition={
            "name": "c",
            "conditionThreshold": {
                "filter": CHECK_FILTER.replace("metric.label.check_id=", spelling)
            },
        },
    )
    assert pairs(told) == {("checkout", "eu-west-1")}


def test_a_check_id_may_be_configured_by_its_whole_name() -> None:
    among = services(checkout__eu_west_1__check_id="projects/p/uptimeCheckConfigs/whole-name")
    told = notification(drop=["policy_user_labels"], metric={"labels": {"check_id": "whole-name"}})
    assert pairs(told, among) == {("checkout", "eu-west-1")}


def test_a_host_that_regions_share_names_none_of_them() -> None:
    """One global name in front of all regions says nothing of which one fails."""
    among = services(
        checkout__us_east_1__health_url="https://www.example.com/us-east-1/healthz",
        checkout__us_west_2__health_url="https://www.example.com/us-west-2/healthz",
    )
    told = notification(drop=["policy_user_labels"], resource=host("www.example.com"))
    with pytest.raises(BadEvent, match="matches no region"):
        parse_alert(message(told), among)
    told["incident"]["metric"] = {"labels": {"check_id": "checkout-us-west-2"}}
    assert pairs(told, among) == {("checkout", "us-west-2")}


def test_an_unknown_region_is_refused() -> None:
    told = notification(policy_user_labels={"service": "checkout", "region": "mars-1"})
    with pytest.raises(BadEvent, match=r"configured for checkout\. The message is refused"):
        parse_alert(message(told), services())


def test_a_region_of_another_service_is_unknown_to_this_one() -> None:
    told = notification(policy_user_labels={"service": "checkout", "region": "ap-south-1"})
    with pytest.raises(BadEvent, match="not configured"):
        parse_alert(message(told), services())


def test_a_region_without_a_service_concerns_every_service_that_has_it() -> None:
    told = notification(policy_user_labels={"region": "us-east-1"})
    assert pairs(told) == {("checkout", "us-east-1"), ("search", "us-east-1")}
    only = notification(policy_user_labels={"region": "eu-west-1"})
    assert pairs(only) == {("checkout", "eu-west-1")}


def test_a_service_without_a_region_narrows_the_search() -> None:
    told = notification(
        policy_user_labels={"service": "checkout"}, resource=host("us-east-1.search.example.com")
    )
    with pytest.raises(BadEvent, match="matches no region"):
        parse_alert(message(told), services())
    told["incident"]["resource"] = host("us-west-2.checkout.example.com")
    assert pairs(told) == {("checkout", "us-west-2")}


@pytest.mark.parametrize("label", [None, "", 7, [], {}])
def test_a_region_label_of_no_use_falls_back_to_the_host(label: object) -> None:
    told = notification(
        policy_user_labels={"region": label}, resource=host("us-west-2.checkout.example.com")
    )
    assert pairs(told) == {("checkout", "us-west-2")}


def test_what_matches_nothing_is_loud() -> None:
    """It may be a failover that will not happen, so it is poison and not ignored."""
    told = notification(drop=["policy_user_labels", "resource"])
    with pytest.raises(BadEvent, match="a failover may not happen"):
        parse_alert(message(told), services())


# --- evidence is compared ------------------------------------------------------------------------

EAST, WEST, EU = "us-east-1", "us-west-2", "eu-west-1"
FOREIGN = {"service": "billing", "region": "mars-1"}


def doubts(value: object, among: dict[str, Service] | None = None) -> set[Doubt | None]:
    """The doubts of the alerts that were opened."""
    found = signals(value, among)
    return {one.signal.doubt for one in found if isinstance(one.signal, AlertOpened)}


def notes(value: object) -> list[Note]:
    """What people are told of how the alert was taken."""
    return [one.note for one in signals(value) if one.note]


def conditioned(text: str, **fields: Any) -> dict[str, Any]:  # any JSON
    """A notification whose condition has this filter."""
    return notification(condition={"name": "c", "conditionThreshold": {"filter": text}}, **fields)


def named(*regions: str) -> str:
    """A filter that names the checks of these regions of checkout."""
    return " OR ".join(f'metric.label.check_id="checkout-{region}"' for region in regions)


@pytest.mark.parametrize("field", ["resource", "metric", "condition"])
def test_evidence_that_agrees_leaves_no_doubt(field: str) -> None:
    agreeing = {
        "resource": host("us-east-1.checkout.example.com"),
        "metric": {"labels": {"check_id": "checkout-us-east-1"}},
        "condition": {"c": {"filter": named(EAST)}},
    }
    assert doubts(notification(**{field: agreeing[field]})) == {None}
    assert not notes(notification(**{field: agreeing[field]}))


@pytest.mark.parametrize(
    "fields",
    [
        {"resource": host("us-west-2.checkout.example.com")},
        {"resource": host("us-east-1.search.example.com")},
        {"metric": {"labels": {"check_id": "checkout-us-west-2"}}},
        {"condition": {"c": {"filter": named(WEST)}}},
        {
            "resource": host("us-east-1.checkout.example.com"),
            "metric": {"labels": {"check_id": "checkout-us-west-2"}},
        },
    ],
)
def test_labels_that_host_or_check_id_contradict_are_taken_with_a_doubt(
    fields: dict[str, Any],
) -> None:
    told = notification(**fields)
    assert pairs(told) == {("checkout", EAST)}
    assert doubts(told) == {Doubt.CONTRADICTED}
    (note,) = notes(told)
    assert note.severity == "ERROR"
    assert "labels service=checkout region=us-east-1" in note.text
    assert " of checkout)" in note.text or " of search)" in note.text


def test_a_host_and_a_check_id_of_nobody_contradict_nothing() -> None:
    told = notification(
        resource=host("www.example.com"), metric={"labels": {"check_id": "of-somebody-else"}}
    )
    assert doubts(told) == {None}


def test_a_contradicted_close_is_a_close() -> None:
    told = notification(state="closed", resource=host("us-west-2.checkout.example.com"))
    (one,) = signals(told)
    assert isinstance(one.signal, AlertClosed)
    assert one.signal.region == EAST


def test_a_host_and_a_check_id_of_different_regions_leave_a_doubt() -> None:
    told = conditioned(
        named(EU),
        drop=["policy_user_labels"],
        resource=host("us-west-2.checkout.example.com"),
    )
    assert pairs(told) == {("checkout", WEST)}
    assert doubts(told) == {Doubt.CONTRADICTED}


@pytest.mark.parametrize("text", [named(EAST, WEST), f"NOT {named(EAST)}", f"-{named(EAST)}"])
def test_a_filter_of_several_checks_or_of_none_gives_no_region(text: str) -> None:
    """And with nothing else that tells the region the alert is poison, which is loud."""
    with pytest.raises(BadEvent, match="a failover may not happen"):
        parse_alert(message(conditioned(text, drop=["policy_user_labels"])), services())


@pytest.mark.parametrize("text", [named(EAST, WEST), f"NOT {named(WEST)}"])
def test_labels_and_host_still_count_beside_such_a_filter(text: str) -> None:
    assert pairs(conditioned(text)) == {("checkout", EAST)}
    assert doubts(conditioned(text)) == {None}
    by_host = conditioned(
        text, drop=["policy_user_labels"], resource=host("us-west-2.checkout.example.com")
    )
    assert pairs(by_host) == {("checkout", WEST)}


def test_the_series_own_check_id_settles_a_filter_of_several() -> None:
    told = conditioned(
        named(EAST, WEST),
        drop=["policy_user_labels"],
        metric={"labels": {"check_id": "checkout-us-west-2"}},
    )
    assert pairs(told) == {("checkout", WEST)}


def test_a_check_id_that_the_filter_does_not_name_is_no_evidence() -> None:
    told = conditioned(
        named(EAST),
        drop=["policy_user_labels"],
        metric={"labels": {"check_id": "checkout-us-west-2"}},
    )
    with pytest.raises(BadEvent, match="matches no region"):
        parse_alert(message(told), services())


def test_a_check_id_narrows_a_host_that_several_regions_have() -> None:
    among = services(
        checkout__us_east_1__health_url="https://www.example.com/us-east-1/healthz",
        checkout__us_west_2__health_url="https://www.example.com/us-west-2/healthz",
    )
    told = conditioned(named(WEST), drop=["policy_user_labels"], resource=host("www.example.com"))
    assert pairs(told, among) == {("checkout", WEST)}
    assert doubts(told, among) == {Doubt.UNNAMED}


# --- services ------------------------------------------------------------------------------------


def test_an_alert_for_a_foreign_service_is_ignored() -> None:
    told = notification(policy_user_labels=FOREIGN, resource=host("www.billing.example.com"))
    assert isinstance(parse_alert(message(told), services()), Ignored)


@pytest.mark.parametrize(
    "fields",
    [
        {"resource": host("us-west-2.checkout.example.com")},
        {"metric": {"labels": {"check_id": "checkout-us-west-2"}}},
        {"condition": {"c": {"filter": named(WEST)}}},
    ],
)
def test_an_alert_labelled_for_others_whose_host_or_check_is_ours_is_taken(
    fields: dict[str, Any],
) -> None:
    told = notification(policy_user_labels=FOREIGN, **fields)
    assert pairs(told) == {("checkout", WEST)}
    assert doubts(told) == {Doubt.FOREIGN}
    (note,) = notes(told)
    assert note.severity == "WARNING"
    assert "service=billing" in note.text


@pytest.mark.parametrize("text", [named(EAST, WEST)])
def test_an_alert_labelled_for_others_that_is_ours_of_no_one_region_is_loud(text: str) -> None:
    with pytest.raises(BadEvent, match="a failover may not happen"):
        parse_alert(message(conditioned(text, policy_user_labels=FOREIGN)), services())


def test_an_alert_for_others_that_excludes_our_check_is_ignored() -> None:
    told = conditioned(f"NOT {named(EAST)}", policy_user_labels=FOREIGN)
    assert isinstance(parse_alert(message(told), services()), Ignored)


@pytest.mark.parametrize(
    "fields",
    [
        {"policy_user_labels": {"region": EAST}},
        {"policy_user_labels": {"region": EU}},
        {"drop": ["policy_user_labels"], "resource": host("us-west-2.checkout.example.com")},
        {"drop": ["policy_user_labels"], "metric": {"labels": {"check_id": "checkout-us-west-2"}}},
    ],
    ids=["several have the region", "one has the region", "host", "check id"],
)
def test_an_alert_without_a_service_leaves_each_of_several_in_doubt(fields: Any) -> None:
    """Whatever else it says. Where the file has one service, there is nothing to doubt."""
    told = notification(**fields)
    assert doubts(told) == {Doubt.UNNAMED}
    assert {note.severity for note in notes(told)} == {"INFO"}
    alone = {"checkout": services()["checkout"]}
    assert doubts(told, alone) == {None}


def test_a_region_without_a_service_and_another_regions_host_is_a_contradiction() -> None:
    told = notification(
        policy_user_labels={"region": EAST}, resource=host("us-west-2.checkout.example.com")
    )
    assert doubts(told) == {Doubt.CONTRADICTED}
