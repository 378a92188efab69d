"""What heartbeats tell: a replica that is behind, a writer that stopped, a silent region."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.client.health._beat import Beat, PeerSight, Pulse, judge, read_beat

NOW = 1_763_874_000.0


@pytest.mark.parametrize(
    ("at", "sights", "pulse", "lag"),
    [
        (None, (), Pulse.MISSING, None),
        (NOW - 2, (), Pulse.FRESH, 2.0),
        (NOW + 0.2, (), Pulse.FRESH, 0.0),
        (NOW + 3600, (), Pulse.AHEAD, None),
        (NOW - 90, (), Pulse.SILENT, 90.0),
        # nobody had to ask there yet, or it was asked before the heartbeat was overdue
        (NOW - 90, (PeerSight(NOW - 90),), Pulse.SILENT, 90.0),
        (NOW - 90, (PeerSight(NOW - 90, NOW - 90, NOW - 85),), Pulse.SILENT, 90.0),
        # it was asked, and holds no newer one either: nobody writes there
        (NOW - 90, (PeerSight(NOW - 90, NOW - 90, NOW - 20),), Pulse.STALLED, None),
        # the same, a day later, after the region died
        (NOW - 90000, (PeerSight(NOW - 90000, NOW - 90000, NOW - 80000),), Pulse.STALLED, None),
        # it was asked, and holds a newer one that has not arrived here
        (NOW - 90, (PeerSight(NOW - 90, NOW - 1, NOW),), Pulse.BEHIND, 90.0),
        # a third region has a newer one
        (NOW - 90, (PeerSight(NOW - 90), PeerSight(NOW - 4)), Pulse.BEHIND, 90.0),
        # one region's proof that it stalled is outweighed by another's that it did not
        (NOW - 90, (PeerSight(0, NOW - 90, NOW - 40), PeerSight(NOW - 30)), Pulse.BEHIND, 90.0),
    ],
)
def test_a_heartbeat_is_judged_by_its_age_and_by_what_regions_saw_of_it(
    at: float | None, sights: tuple[PeerSight, ...], pulse: Pulse, lag: float | None
) -> None:
    found, behind = judge(Beat(at) if at else None, NOW, sights)
    assert found is pulse
    assert behind == (pytest.approx(lag) if lag is not None else None)


def test_a_slower_heartbeat_is_overdue_later() -> None:
    assert judge(Beat(NOW - 50, every=30), NOW, ())[0] is Pulse.FRESH
    assert judge(Beat(NOW - 50, every=5), NOW, ())[0] is Pulse.SILENT


TIMES = st.floats(min_value=0, max_value=2 * NOW)
SIGHTS = st.lists(st.builds(PeerSight, TIMES, TIMES, TIMES), max_size=4)


@given(st.none() | st.builds(Beat, st.floats(min_value=1, max_value=2 * NOW)), SIGHTS)
def test_lag_is_never_negative_nor_told_of_what_cannot_tell_it(
    beat: Beat | None, sights: list[PeerSight]
) -> None:
    pulse, lag = judge(beat, NOW, sights)
    assert (lag is None) == (pulse in {Pulse.MISSING, Pulse.AHEAD, Pulse.STALLED})
    assert lag is None or (lag >= 0 and math.isfinite(lag))


@given(st.builds(Beat, st.floats(min_value=1, max_value=NOW)), SIGHTS, TIMES)
def test_evidence_that_something_newer_was_written_is_never_called_stalled(
    beat: Beat, sights: list[PeerSight], newer: float
) -> None:
    if newer > beat.at:
        assert judge(beat, NOW, [*sights, PeerSight(newer)])[0] is not Pulse.STALLED


@pytest.mark.parametrize("at", [None, 0.0, -1.0, math.nan, math.inf, "now", {}])
def test_an_item_that_was_never_written_or_is_broken_is_no_heartbeat(at: object) -> None:
    assert read_beat({"pk": "failover#heartbeat#x", "at": at}) is None


JUNK: st.SearchStrategy[object] = st.recursive(
    st.none() | st.text() | st.floats() | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(["at", "there", "x"]), inner, max_size=3),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # junk takes its time
@given(st.dictionaries(st.sampled_from(["at", "n", "every", "seen"]), JUNK))
def test_whatever_was_written_it_breaks_nobody_who_reads_it(item: dict[str, object]) -> None:
    beat = read_beat(item)
    judge(beat, NOW, tuple(beat.seen.values()) if beat else ())
    assert beat is None or 0 < beat.every <= 300
