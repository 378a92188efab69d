"""When a page is due: once for each condition, again when it comes back, and as reminders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import paging
from orchestrator.core.document import codec
from orchestrator.core.exceptions import BadConfig, Cloud, Kind, Outdated, Unavailable, UnsafePlan
from orchestrator.core.model import Incident, IncidentState, Page, Paged, Repair
from tests.support.fakes import START, lab

MINUTE = timedelta(minutes=1)
HELD = Page("last_region", "nobody can take over", ("us-east-1",))


def paged_at(minutes: int, every: int = 1, page: Page = HELD) -> list[int]:
    """At which minutes a condition that lasts so long pages, looked at so often."""
    known: Mapping[str, Paged] = {}
    found = []
    for minute in range(0, minutes + 1, every):
        known, due = paging.note(known, (page,), START + minute * MINUTE)
        found += [minute] * len(due)
    return found


def test_a_condition_pages_once_and_reminds_at_growing_intervals_then_daily() -> None:
    day = 24 * 60
    assert paged_at(14) == [0]
    assert paged_at(3 * day) == [0, 15, 60, 240, 240 + day, 240 + 2 * day]


def test_one_that_is_seen_less_often_still_reminds_once_for_what_it_missed() -> None:
    assert paged_at(300, every=9) == [0, 18, 63, 243]


def test_another_rule_resource_or_region_is_another_condition() -> None:
    others = (
        HELD,
        replace(HELD, rule="brake"),
        replace(HELD, regions=("us-west-2",)),
        replace(HELD, resource="checkout"),
        replace(HELD, text="the same condition with other numbers"),
    )
    _, due = paging.note({}, others, START)
    assert [one.page for one in due] == list(others[:4])
    assert paging.key(Page("a", "", ("y", "x"))) == paging.key(Page("a", "", ("x", "y")))


def test_a_condition_that_is_over_is_forgotten_and_pages_when_it_comes_back() -> None:
    known, _ = paging.note({}, (HELD,), START)
    flickering, due = paging.note(known, (HELD,), START + 9 * MINUTE)
    assert (len(flickering), due) == (1, ())
    gone, _ = paging.note(known, (), START + 11 * MINUTE)
    assert gone == {}
    _, due = paging.note(known, (HELD,), START + 11 * MINUTE)
    assert [one.entry.count for one in due] == [1]


def test_what_is_remembered_is_written_seldom_while_nothing_pages() -> None:
    """A lasting condition changes the document at most once in five minutes, not every minute."""
    known: Mapping[str, Paged] = {}
    writes = 0
    for minute in range(61):
        after, _ = paging.note(known, (HELD,), START + minute * MINUTE)
        writes += after != known
        known = after
    assert writes <= 13


def test_acknowledged_conditions_remind_nobody_and_new_ones_page() -> None:
    known, _ = paging.note({}, (HELD,), START)
    known = paging.acknowledged(known)
    for minute in range(1, 300):
        known, due = paging.note(known, (HELD,), START + minute * MINUTE)
        assert due == ()
    _, due = paging.note(known, (HELD, replace(HELD, rule="brake")), START + 300 * MINUTE)
    assert [one.page.rule for one in due] == ["brake"]


def test_a_page_may_be_one_that_is_never_repeated_or_that_waits_first() -> None:
    assert paged_at(2000, page=replace(HELD, once=True)) == [0]
    assert paged_at(14, page=replace(HELD, grace=timedelta(minutes=5))) == [5]


def test_what_a_clock_far_ahead_has_written_does_not_silence_a_page() -> None:
    ahead = START + timedelta(days=400)
    for entry in (Paged(ahead, ahead, ahead, 1), Paged(START, START, ahead, 1)):
        _, due = paging.note({paging.key(HELD): entry}, (HELD,), START)
        assert len(due) == 1


def test_a_condition_keeps_the_decision_that_the_history_knows() -> None:
    known, _ = paging.note({}, (HELD,), START, "d-1")
    known, _ = paging.note(known, (HELD,), START + 8 * MINUTE, "d-2")
    _, (due,) = paging.note(known, (HELD,), START + 15 * MINUTE, "")
    assert due.entry.decision == "d-1"
    assert paging.command("checkout", due.page, due.entry.decision) == (
        "failoverctl explain checkout d-1"
    )


def test_the_number_of_conditions_that_are_remembered_is_bounded() -> None:
    many = [replace(HELD, rule=f"rule-{number}") for number in range(200)]
    known, due = paging.note({}, many, START)
    assert (len(known), len(due)) == (paging.MOST, 200)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), max_size=30))
def test_within_fifteen_minutes_no_condition_that_lasts_pages_twice(
    looks: list[tuple[int, int]],
) -> None:
    """Whatever other conditions come between, and however often it is looked at."""
    known: Mapping[str, Paged] = {}
    told: list[str] = []
    now = START
    for rule, seconds in looks:
        now = min(now + timedelta(seconds=seconds), START + timedelta(seconds=899))
        pages = (HELD, replace(HELD, rule=f"other-{rule}"))
        known, due = paging.note(known, pages, now)
        told += [one.key for one in due]
    assert told.count(paging.key(HELD)) <= 1


# --- errors --------------------------------------------------------------------------------------


def test_an_error_pages_by_its_rule_or_by_its_cloud_and_kind() -> None:
    denied = Unavailable("403", page=True, kind=Kind.PERMISSION, cloud=Cloud.STORAGE)
    corrupt = Unavailable("cut", page=True, kind=Kind.CORRUPT)
    unsafe = UnsafePlan("drain", "no backend", ("us-east-1",))
    found = [paging.page_of(one, "checkout") for one in (denied, corrupt, unsafe)]
    assert [page.rule for page in found] == ["storage-permission", "corrupt", "drain"]
    assert [page.command for page in found] == [
        "failoverctl check checkout",
        "failoverctl state restore checkout",
        "failoverctl plan checkout",
    ]
    assert found[2].regions == ("us-east-1",)
    assert paging.page_of(BadConfig("failover.yaml", [])).rule == "configuration"


def test_an_outdated_instance_that_only_ticks_waits_for_the_roll_out_to_end() -> None:
    error = Outdated("serial 2 is older than 3")
    assert paging.page_of(error, "checkout").grace == timedelta(0)
    assert paging.page_of(error, "checkout", ticking=True).grace == paging.ROLLOUT


# --- what is counted -----------------------------------------------------------------------------


def test_three_repairs_within_fifteen_minutes_are_drift_that_comes_back() -> None:
    world = lab()
    world.tick()
    repairs = tuple(Repair(START + n * MINUTE, "checkout", 1) for n in range(3))
    now = START + 3 * MINUTE
    state = replace(world.state, repairs=repairs)
    (page,) = paging.drifting(state, world.service, now)
    assert (page.rule, page.resource) == ("drift", "checkout")
    assert page.command.startswith("gcloud logging read")
    assert '/checkout"' in page.command
    assert paging.drifting(replace(state, repairs=repairs[:2]), world.service, now) == ()
    assert paging.drifting(state, world.service, START + 17 * MINUTE) == ()
    elsewhere = tuple(replace(one, resource=f"r{n}") for n, one in enumerate(repairs))
    assert paging.drifting(replace(state, repairs=elsewhere), world.service, now) == ()
    marks = tuple(replace(one, mark=True) for one in repairs)
    assert paging.drifting(replace(state, repairs=marks), world.service, now) == ()


def test_a_mark_is_left_after_five_writes_for_one_epoch() -> None:
    world = lab()
    world.tick()
    epoch = world.state.epoch
    marks = tuple(Repair(START, "checkout", epoch, mark=True) for _ in range(5))
    state = replace(world.state, repairs=marks)
    assert paging.leaves_mark(state, "checkout", START)
    assert not paging.leaves_mark(state, "another", START)
    assert not paging.leaves_mark(replace(state, repairs=marks[1:]), "checkout", START)
    assert not paging.leaves_mark(replace(state, epoch=epoch + 1), "checkout", START)
    assert not paging.leaves_mark(state, "checkout", START + timedelta(hours=25))


def test_repairs_are_remembered_for_a_day_and_in_a_bounded_number() -> None:
    old = [Repair(START - timedelta(hours=25), "checkout", 1), Repair(START, "checkout", 1)]
    ahead = Repair(START + timedelta(days=2), "checkout", 1)
    assert len(paging.keep_repairs(old, [ahead], START)) == 1
    many = [Repair(START, "checkout", 1)] * 100
    assert len(paging.keep_repairs(many, many, START)) == paging.MOST_REPAIRS


def test_an_open_alert_that_stays_contradicted_pages_and_a_closed_one_does_not() -> None:
    world = lab()
    world.tick()
    ten = START + timedelta(minutes=10)
    alert = Incident("a", "us-west-2", IncidentState.STALE, START, START, contradicted=True)
    cases = {
        "contradicted and proven ten minutes ago": (alert, True),
        "not contradicted": (replace(alert, contradicted=False), False),
        "closed": (replace(alert, state=IncidentState.CLOSED), False),
        "chosen by a human": (replace(alert, set_aside="alice"), False),
        "proven just now": (replace(alert, ended_at=ten), False),
        "not proven for half an hour": (
            replace(alert, state=IncidentState.OPEN, started_at=ten - timedelta(minutes=30)),
            True,
        ),
        "not proven yet": (replace(alert, state=IncidentState.OPEN), False),
    }
    for name, (incident, pages) in cases.items():
        state = replace(world.state, incidents={"a": incident})
        assert bool(paging.contradicted(state, ten)) is pages, name


# --- the document --------------------------------------------------------------------------------


def test_pages_and_repairs_survive_the_document_and_unreadable_ones_are_forgotten() -> None:
    world = lab()
    world.tick()
    entry = Paged(START, START, START, 2, quiet=True, decision="d-1")
    repair = Repair(START, "checkout", 3, mark=True)
    state = replace(world.state, pages={"brake": entry}, repairs=(repair,))
    read = codec.decode(codec.encode(state), "checkout")
    assert (read.pages, read.repairs) == ({"brake": entry}, (repair,))
    text = codec.encode(state).decode().replace('"count": 2', '"count": "two"')
    assert codec.decode(text.encode(), "checkout").pages == {}
    strange = {**dict(read.raw), "pages": ["x"], "repairs": {"at": 1}}
    assert codec.encode(replace(state, raw=strange))


def test_conditions_that_began_apart_are_seen_again_together() -> None:
    """So that three of them cost a write every five minutes, and not three."""
    pages = tuple(Page("drift", "text", (region,)) for region in ("a", "b", "c"))
    known: Mapping[str, Paged] = {}
    for minute in range(3):
        known, _ = paging.note(known, pages[: minute + 1], START + timedelta(minutes=minute))
    writes = 0
    for minute in range(3, 33):
        after, due = paging.note(known, pages, START + timedelta(minutes=minute))
        writes += after != known and not due
        known = after
    assert writes <= 30 / 5
