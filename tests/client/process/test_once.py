"""Trouble is logged once for each kind, whatever its text says."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from orchestrator.client._process.once import WELL, Once, kind_of
from orchestrator.client.document import DocumentView
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.health import HealthCheck, Heartbeat, Limits
from orchestrator.local.process.wait import wait_until
from tests.support.health_parts import FakeItems
from tests.support.regional import EAST, PATIENCE, HeldSource, answer, document


def test_a_kind_is_new_when_it_is_not_the_one_before() -> None:
    once = Once()
    assert [once.is_new("a", kind) for kind in (1, 1, 2, WELL, WELL, 1)] == [
        *(True, False, True, True, False, True)
    ]
    assert once.is_new("b", 1), "another thing"


def test_what_is_usual_is_not_said_of_a_thing_of_which_nothing_is_known() -> None:
    once = Once()
    assert not once.is_new("a", WELL, usual=True)
    assert once.is_new("a", 1)
    assert once.is_new("a", WELL, usual=True)


def caused(by: Exception) -> Exception:
    error = SourceUnavailable("no answer")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OSError("port 49152"), OSError("port 49153")),
        (OSError(111, "refused"), OSError(111, "connection refused, attempt 2")),
        (answer("ThrottlingException", 400), answer("ThrottlingException", 400, "of a table")),
        (SourceUnavailable("17 bytes"), SourceUnavailable("18 bytes")),
        (caused(OSError("port 1")), caused(OSError("port 2"))),
    ],
)
def test_another_text_is_the_same_kind(one: Exception, other: Exception) -> None:
    assert kind_of(one) == kind_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OSError("no"), ValueError("no")),
        (OSError(111, "no"), OSError(113, "no")),
        (answer("ThrottlingException", 400), answer("AccessDeniedException", 400)),
        (SourceUnavailable("no", Silence.LATE), SourceUnavailable("no", Silence.DENIED)),
        (caused(OSError("no")), caused(ValueError("no"))),
    ],
)
def test_the_same_text_may_be_another_kind(one: Exception, other: Exception) -> None:
    assert kind_of(one) != kind_of(other)


def test_a_chain_of_causes_that_leads_back_to_itself_has_an_end() -> None:
    error = caused(OSError("no"))
    assert error.__cause__ is not None
    error.__cause__.__cause__ = error
    assert kind_of(error) == kind_of(error)


# --- each place that says something of trouble, with a text that is another one each time


def of_a_source(raised: Callable[[], Exception], times: int) -> None:
    source = HeldSource(document())
    with DocumentView([source], interval=100.0, max_staleness=1000.0) as view:
        assert view.wait_first(PATIENCE)
        for _ in range(times):
            source.trouble = raised()
            assert view.refresh(PATIENCE)


def of_a_heartbeat(raised: Callable[[], Exception], times: int) -> None:
    items = FakeItems()
    items.trouble = raised()
    with Heartbeat(EAST, items, every=0.01):
        for number in range(1, times + 1):
            wait_until(lambda: len(items.reads) >= number, PATIENCE, "a heartbeat")  # noqa: B023  # at once
            items.trouble = raised()


def of_a_check(raised: Callable[[], Exception], times: int) -> None:
    items = FakeItems()
    check = HealthCheck(EAST, items, limits=Limits(cache=0))
    for _ in range(times):
        items.trouble = raised()
        assert not check.measure().ok


@pytest.mark.parametrize("trouble", [of_a_source, of_a_heartbeat, of_a_check])
def test_a_text_that_is_another_one_at_each_try_is_logged_once(
    trouble: Callable[[Callable[[], Exception], int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The numbers of requests and of ports that errors carry filled logs, a line every 2 s."""
    numbers = iter(range(1000))
    with caplog.at_level(logging.INFO):
        trouble(lambda: OSError(f"request {next(numbers)} failed"), 5)
    said = [record for record in caplog.records if "request" in record.getMessage()]
    assert [record.levelname for record in said] == ["WARNING"]
