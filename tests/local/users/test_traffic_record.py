"""Outages and segments, computed from records that are written down here."""

from datetime import UTC, datetime, timedelta

from orchestrator.local.users.traffic_record import Sample, Segment, outages, segments, served

START = datetime(2026, 1, 1, tzinfo=UTC)


def record(outcomes: str, step: float = 0.02) -> list[Sample]:
    """One sample a character, `step` seconds apart: a letter is the region that served."""
    return [sample(position * step, outcome) for position, outcome in enumerate(outcomes)]


def sample(started: float, outcome: str) -> Sample:
    """A request served by the region `outcome`, or failed if it is `.` (503) or `!` (timeout)."""
    at = START + timedelta(seconds=started)
    if outcome == ".":
        return Sample(started, at, 0.001, 503, None, None)
    if outcome == "!":
        return Sample(started, at, 1.0, None, "timeout", None)
    return Sample(started, at, 0.001, 200, None, outcome)


def test_no_failure_no_outage() -> None:
    """A record of successes has no outage, and an empty one neither."""
    assert outages(record("a" * 100)) == ()
    assert outages([]) == ()


def test_an_outage_lasts_to_the_first_sustained_success() -> None:
    """An outage begins with the first failure and ends where twenty successes in a row begin."""
    samples = record("a" * 10 + ".!." + "b" * 20)
    (outage,) = outages(samples)
    assert outage.first_failure is samples[10]
    assert outage.recovery is samples[13]
    assert outage.seconds == samples[13].started - samples[10].started
    assert (outage.failed, outage.requests) == (3, 3)


def test_a_lucky_request_ends_nothing() -> None:
    """Successes between failures, fewer than twenty in a row, belong to the outage."""
    samples = record("." + "a" * 19 + "." + "b" * 20)
    (outage,) = outages(samples)
    assert outage.recovery is samples[21]
    assert (outage.failed, outage.requests) == (2, 21)


def test_a_second_of_successes_is_sustained_at_a_low_rate() -> None:
    """At five requests a second, one second of nothing but successes is a recovery."""
    samples = record(".bbbbbb.bb", step=0.2)
    first, second = outages(samples)
    assert first.recovery is samples[1]
    assert second.first_failure is samples[7]
    assert second.recovery is None


def test_an_outage_that_does_not_end_lasts_to_the_last_request() -> None:
    """Without a recovery the outage lasts to the end of the record, and says so."""
    samples = record("a" * 5 + "." * 10 + "b" * 3)
    (outage,) = outages(samples)
    assert outage.recovery is None
    assert outage.seconds == samples[-1].started - samples[5].started
    assert (outage.failed, outage.requests) == (10, 13)


def test_two_outages() -> None:
    """A failure after a recovery is another outage."""
    samples = record("a" * 5 + ".." + "b" * 25 + "..." + "c" * 25)
    assert [outage.failed for outage in outages(samples)] == [2, 3]


def test_segments_say_who_served_when() -> None:
    """Each change of the serving region begins a segment; failures belong to the one they hit."""
    assert segments(record("aaa..bb.b", step=1)) == (
        Segment("a", 0, 4, 3, 2),
        Segment("b", 5, 8, 3, 1),
    )


def test_failures_before_any_success_are_nobodys() -> None:
    """A record that begins with failures begins with a segment without a region."""
    assert segments(record("..a", step=1)) == (Segment(None, 0, 1, 0, 2), Segment("a", 2, 2, 1, 0))


def test_shares() -> None:
    """The successes are counted by region, failures by none."""
    assert served(record("aab.a")) == {"a": 3, "b": 1}
