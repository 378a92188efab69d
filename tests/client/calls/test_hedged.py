"""A second region beside a slow one: who is asked, who wins, and what it says of each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from orchestrator.client._calls.call import Options, Settings
from orchestrator.client._calls.calls import Calls
from orchestrator.client._calls.hedges import ENOUGH, HEDGED, Hedges
from orchestrator.client._calls.routed import PageKey
from orchestrator.client._calls.routing import ServiceMode
from orchestrator.client._regions.breaker import Need
from orchestrator.client._regions.regions import Regions, RoutedRegion
from orchestrator.client.document import DocumentView
from orchestrator.client.errors import NoHealthyRegion
from orchestrator.local.process.wait import wait_until
from tests.support.regional import (
    EAST,
    EUROPE,
    PATIENCE,
    REGIONS,
    WEST,
    Direct,
    FakeDynamo,
    FakeSession,
    HeldSource,
    answer,
    document,
    refused,
    timed_out,
)

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
KEY: Any = {"Key": {"pk": "a"}}
LONG = Options(deadline=PATIENCE)


@dataclass
class Lab:
    """Calls to three regions, home in the west, of which it is known that it answers at once: so a
    west that does not is asked beside another one without delay. The time is real.
    """

    source: HeldSource
    view: DocumentView
    session: FakeSession
    hedges: Hedges
    calls: Calls
    gates: list[threading.Event] = field(default_factory=list)

    def __getitem__(self, name: str) -> FakeDynamo:
        return self.session.dynamo[name]

    @property
    def table(self) -> Any:
        return Direct(self.calls, LONG, "orders")

    def region(self, name: str) -> RoutedRegion:
        return next(one for one in self.calls._regions.all() if one.name == name)

    def hold(self, name: str) -> threading.Event:
        """Have a region hang until the event is set. Its answer is decided then."""
        gate = threading.Event()
        self[name].before = lambda: _wait(gate)
        self.gates.append(gate)
        return gate

    def see(self, body: bytes) -> None:
        self.source.body = body
        assert self.view.refresh(PATIENCE)

    def know(self, *operations: str) -> None:
        """It is known that the west answers these at once."""
        for operation in operations:
            for _ in range(ENOUGH):
                self.hedges.measured(WEST, operation, 0.0)


def _wait(gate: threading.Event) -> None:
    assert gate.wait(PATIENCE)


@contextmanager
def soon(happens: Callable[[], object], then: Callable[[], object]) -> Iterator[None]:
    """Do something in another thread as soon as this happens."""

    def watch() -> None:
        wait_until(happens, PATIENCE, "what a test waits for")
        then()

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    watching.join()


def lab(share: float = 1.0, threads: int = 8, **settings: Any) -> Iterator[Lab]:
    source, session, hedges = HeldSource(document()), FakeSession(), Hedges(share, threads)
    with DocumentView([source], interval=100.0, max_staleness=1000.0) as view:
        first = view.wait_first(PATIENCE)
        assert first is not None
        regions = Regions(lambda: cast("Any", session))
        regions.prepare(first)
        given: Any = {"mode": ServiceMode.ACTIVE_PASSIVE, "attempt": PATIENCE} | settings
        own = Settings(WEST, **given)
        made = Lab(
            source, view, session, hedges, Calls(view, regions, own, lambda: NOW, hedges=hedges)
        )
        made.know("get_item")
        try:
            yield made
        finally:
            for gate in made.gates:
                gate.set()
            hedges.close()


@pytest.fixture
def slow() -> Iterator[Lab]:
    """See `Lab`."""
    yield from lab()


# --- who wins


def test_a_second_region_answers_where_the_first_is_slow(slow: Lab) -> None:
    slow.hold(WEST)
    assert slow.table.get_item(**KEY) == {"region": EAST}
    assert slow.hedges.stats() == {"reads": 1, "asked": 1, "won": 1, "no_room": 0}
    assert slow[EUROPE].calls == []


def test_a_first_region_that_answers_in_time_is_the_only_one_asked(slow: Lab) -> None:
    for _ in range(10 * ENOUGH):
        slow.hedges.measured(WEST, "get_item", PATIENCE / 3)
    assert slow.table.get_item(**KEY) == {"region": WEST}
    assert slow[EAST].calls == []
    assert slow.hedges.stats()["asked"] == 0


def test_a_second_that_fails_is_raised_by_nobody_and_the_first_still_answers(slow: Lab) -> None:
    gate = slow.hold(WEST)
    slow[EAST].before = gate.set
    slow[EAST].fails = [refused()]
    assert slow.table.get_item(**KEY) == {"region": WEST}
    assert slow.hedges.stats()["won"] == 0


def test_a_first_that_fails_after_the_second_was_asked_is_raised_by_nobody(slow: Lab) -> None:
    first, second = slow.hold(WEST), slow.hold(EAST)
    slow[WEST].fails = [timed_out()]
    with (
        soon(lambda: slow[EAST].calls, first.set),
        soon(lambda: slow.region(WEST).failures, second.set),
    ):
        assert slow.table.get_item(**KEY) == {"region": EAST}
    assert slow.region(WEST).breakers.read._left < 5, "the east has answered: it counts"


def test_where_both_fail_the_call_goes_on_to_the_third(slow: Lab) -> None:
    gate = slow.hold(WEST)
    slow[WEST].fails = [timed_out()]
    slow[EAST].before = gate.set
    slow[EAST].fails = [refused()]
    assert slow.table.get_item(**KEY) == {"region": EUROPE}
    assert {name: slow.region(name).failures for name in REGIONS} == {WEST: 1, EAST: 1, EUROPE: 0}


def test_an_answer_about_the_request_itself_ends_it_whoever_gives_it(slow: Lab) -> None:
    slow.hold(WEST)
    slow[EAST].fails = [answer("ValidationException", 400)]
    with pytest.raises(ClientError, match="ValidationException"):
        slow.table.get_item(**KEY)


def test_a_second_that_cannot_be_asked_is_no_fault_while_the_first_answers(slow: Lab) -> None:
    gate = slow.hold(WEST)
    slow[EAST].before = gate.set
    slow[EAST].fails = [cast("Any", NoCredentialsError())]
    assert slow.table.get_item(**KEY) == {"region": WEST}


def test_where_nobody_answers_what_cannot_be_asked_is_raised(slow: Lab) -> None:
    gate = slow.hold(WEST)
    slow[WEST].fails = [refused()]
    slow[EAST].before = gate.set
    slow[EAST].fails = [cast("Any", NoCredentialsError())]
    with pytest.raises(NoCredentialsError):
        slow.table.get_item(**KEY)


def test_an_attempt_runs_in_the_context_of_its_call(slow: Lab) -> None:
    """Tracers keep the span of a request there."""
    span: ContextVar[str] = ContextVar("span")
    seen: list[str] = []
    slow[EAST].before = lambda: seen.append(span.get("none"))
    slow.hold(WEST)
    span.set("request 7")
    slow.table.get_item(**KEY)
    assert seen == ["request 7"]


# --- what it says of the regions


def test_a_loser_that_succeeds_later_counts_as_a_success(slow: Lab) -> None:
    for _ in range(4):
        slow.region(WEST).breakers.read.failed()
    gate = slow.hold(WEST)
    assert slow.table.get_item(**KEY) == {"region": EAST}
    assert slow.region(WEST).breakers.read._in_a_row == 4, "to have lost says nothing"
    gate.set()
    wait_until(lambda: slow.region(WEST).breakers.read._in_a_row == 0, PATIENCE, "its success")
    assert slow.region(WEST).failures == 0


def test_a_loser_that_times_out_later_counts_against_its_region_alone(slow: Lab) -> None:
    gate = slow.hold(WEST)
    slow[WEST].always = timed_out()
    for number in range(5):
        assert slow.table.get_item(Key={"pk": str(number)}) == {"region": EAST}
        assert slow.region(WEST).breakers.read.state == "closed"
    gate.set()
    wait_until(lambda: slow.region(WEST).breakers.read.dead, PATIENCE, "five failures")
    assert slow.region(WEST).failures == 5
    assert slow.region(EAST).breakers.state == "closed"
    assert slow.region(WEST).breakers.write.state == "closed"


def test_one_item_that_fails_everywhere_opens_no_breaker_hedged_or_not(slow: Lab) -> None:
    """A request that no region answers stays a suspicion."""
    for region in REGIONS:
        slow[region].always = answer("InternalServerError", 500)
    short = Direct(slow.calls, Options(deadline=0.05), "orders")
    for _ in range(10):
        with pytest.raises(NoHealthyRegion):
            short.get_item(**KEY)
    assert {slow.region(name).breakers.state for name in REGIONS} == {"closed"}


def test_attempts_that_do_not_end_are_left_at_the_deadline_and_count_once() -> None:
    """A name server that hangs, say: nobody can end that, and the call does not wait for it."""
    for one in lab(attempt=0.1):
        gates = [one.hold(name) for name in REGIONS]
        for name in REGIONS:
            one[name].always = timed_out()
        one.see(document(2, endpoints={n: f"dynamodb.{n}.amazonaws.com" for n in (WEST, EAST)}))
        with pytest.raises(NoHealthyRegion, match="no answer in time") as caught:
            Direct(one.calls, Options(deadline=0.1), "orders").get_item(**KEY)
        assert {name for name, _ in caught.value.tried} == {WEST, EAST}
        assert one.region(WEST).failures == one.region(EAST).failures == 1
        for gate in gates:
            gate.set()
        one.hedges.close()
        wait_until(lambda: not one.hedges.firsts.threads, PATIENCE, "the first to end")  # noqa: B023  # used within the turn
        wait_until(lambda: not one.hedges.seconds.threads, PATIENCE, "the second to end")  # noqa: B023  # as above
        assert one.region(WEST).failures == one.region(EAST).failures == 1


def test_what_a_loser_says_is_of_the_request_as_it_was_sent(slow: Lab) -> None:
    """The application may change its arguments while the loser is still under way."""
    gate = slow.hold(WEST)
    slow[WEST].always = timed_out()
    slow[EAST].always = answer("ValidationException", 400)
    key = {"pk": "a"}
    with pytest.raises(ClientError):
        slow.table.get_item(Key=key)
    key.clear()
    gate.set()
    wait_until(lambda: slow.region(WEST).failures, PATIENCE, "the loser")


# --- who is asked


def throttled(region: RoutedRegion) -> None:
    for _ in range(5):
        region.breakers.read.throttled()


CASES: dict[str, Callable[[Lab], object]] = {
    "down by the document": lambda one: one.see(document(2, down=[EAST])),
    "evacuated": lambda one: one.see(document(2, evacuated=[EAST])),
    "fenced, because it is being left": lambda one: one.see(
        document(2, fenced={EAST: NOW + timedelta(seconds=60)})
    ),
    "left by its breaker for reads": lambda one: one.region(EAST).breakers.read.trip(),
    "left by its breaker for writes": lambda one: one.region(EAST).breakers.write.trip(),
    "throttled": lambda one: throttled(one.region(EAST)),
}


@pytest.mark.parametrize("happens", CASES.values(), ids=CASES)
def test_a_region_of_which_anything_bad_is_known_is_not_the_second(
    slow: Lab, happens: Callable[[Lab], object]
) -> None:
    happens(slow)
    slow.hold(WEST)
    assert slow.table.get_item(**KEY) == {"region": EUROPE}
    assert slow[EAST].calls == []


def test_where_there_is_no_second_the_first_is_waited_for_in_the_callers_thread(slow: Lab) -> None:
    slow.see(document(2, down=[EAST, EUROPE]))
    threads: list[str] = []
    slow[WEST].before = lambda: threads.append(threading.current_thread().name)
    assert slow.table.get_item(**KEY) == {"region": WEST}
    assert threads == [threading.current_thread().name]


@pytest.mark.parametrize("operation", sorted(HEDGED - {"batch_execute_statement"}))
def test_every_eventually_consistent_read_of_items_is_hedged(slow: Lab, operation: str) -> None:
    slow.know(operation)
    slow.hold(WEST)
    given = {"Statement": "SELECT * FROM orders"} if operation == "execute_statement" else {}
    found = getattr(slow.table, operation)(**given)
    assert EAST in str(found)
    assert slow.hedges.stats()["won"] == 1


NEVER: dict[str, Callable[[Any], object]] = {
    "a consistent read": lambda table: table.get_item(**KEY, ConsistentRead=True),
    "a consistent query": lambda table: table.query(ConsistentRead=True),
    "a transaction of reads": lambda table: table.transact_get_items(TransactItems=[]),
    "a put": lambda table: table.put_item(Item={"pk": "a"}),
    "an update": lambda table: table.update_item(**KEY),
    "a delete": lambda table: table.delete_item(**KEY),
    "a batch of writes": lambda table: table.batch_write_item(RequestItems={}),
    "a transaction of writes": lambda table: table.transact_write_items(TransactItems=[]),
    "a statement that writes": lambda table: table.execute_statement(Statement="DELETE FROM a"),
    "a consistent statement": lambda table: table.execute_statement(
        Statement="SELECT * FROM a", ConsistentRead=True
    ),
    "a transaction of statements": lambda table: table.execute_transaction(
        TransactStatements=[{"Statement": "SELECT * FROM a"}]
    ),
    "a table's description": lambda table: table.describe_table(),
    "a page after the first": lambda table: table.scan(ExclusiveStartKey=PageKey({}, WEST)),
}


@pytest.mark.parametrize("call", NEVER.values(), ids=NEVER)
def test_nothing_else_is_ever_hedged(call: Callable[[Any], object]) -> None:
    """It is made in the caller's thread, once, and is not counted as a read that might be."""
    for one in lab(mode=ServiceMode.ACTIVE_ACTIVE):
        one.know(*HEDGED, "put_item", "update_item", "delete_item", "describe_table")
        threads: list[str] = []
        one[WEST].before = lambda: threads.append(threading.current_thread().name)  # noqa: B023  # used within the turn
        call(one.table)
        assert threads == [threading.current_thread().name]
        assert one[EAST].calls == one[EUROPE].calls == []
        assert one.hedges.stats() == {"reads": 0, "asked": 0, "won": 0, "no_room": 0}


def test_a_first_page_is_continued_in_the_region_that_won(slow: Lab) -> None:
    slow.know("query")
    slow.hold(WEST)
    pages = list(slow.table.pages("query"))
    assert [page["Items"][0]["region"] for page in pages] == [EAST] * 3
    assert slow.hedges.stats()["reads"] == 1


# --- what bounds it


def test_while_a_regions_time_is_unknown_nothing_is_hedged() -> None:
    for one in lab():
        one.hedges._estimates.clear()
        for number in range(ENOUGH):
            assert one.hedges.patience(WEST, "get_item") is None
            assert one.table.get_item(Key={"pk": str(number)}) == {"region": WEST}
        assert one.hedges.patience(WEST, "get_item") is not None, "it is measured by the calls"
        assert one.hedges.stats()["asked"] == 0


def test_a_region_that_is_slow_for_every_read_sends_no_more_than_the_share() -> None:
    for one in lab(share=0.1):

        def until_the_second_is_asked(hedges: Hedges = one.hedges) -> None:
            """If it may be."""
            wait_until(lambda: hedges._tokens < 1, PATIENCE, "the hedge")

        one[WEST].before = until_the_second_is_asked
        for number in range(200):
            one.hedges._estimates.clear()
            one.know("get_item")
            one.table.get_item(Key={"pk": str(number)})
        asked = one.hedges.stats()["asked"]
        assert 18 <= asked <= 20
        wait_until(lambda: len(one[EAST].calls) == asked, PATIENCE, "the last of them to be sent")  # noqa: B023  # used within the turn
        assert one[EUROPE].calls == []


def test_losers_that_hang_take_no_more_than_their_threads_and_reads_go_on_without_a_hedge() -> None:
    for one in lab(threads=2):
        gate = one.hold(WEST)
        for number in range(2):
            assert one.table.get_item(Key={"pk": str(number)}) == {"region": EAST}
        threads: list[str] = []  # the two that hang wait for their gate still
        one[WEST].before = lambda: threads.append(threading.current_thread().name)  # noqa: B023  # used within the turn
        assert one.table.get_item(**KEY) == {"region": WEST}
        assert threads == [threading.current_thread().name]
        assert one.hedges.stats() == {"reads": 3, "asked": 2, "won": 2, "no_room": 1}
        assert one.hedges.firsts.threads == 2
        gate.set()


def test_where_there_is_no_thread_for_the_second_the_first_is_waited_for(slow: Lab) -> None:
    slow.hedges.seconds.close()
    gate = slow.hold(WEST)
    with soon(lambda: slow.hedges.stats()["no_room"], gate.set):
        assert slow.table.get_item(**KEY) == {"region": WEST}
    assert slow[EAST].calls == []
    assert slow.hedges.stats()["asked"] == 0


def test_after_a_close_reads_are_made_in_the_callers_thread(slow: Lab) -> None:
    slow.hedges.close()
    assert slow.table.get_item(**KEY) == {"region": WEST}
    assert slow.region(WEST).breakers.of(Need.READ).state == "closed"


def test_a_caller_that_is_interrupted_leaves_an_attempt_that_still_counts(slow: Lab) -> None:
    """Ctrl-C, or a timeout of a web server's, while the call waits."""
    gate, other = slow.hold(WEST), slow.hold(EAST)
    slow[WEST].always = refused()

    class Interrupt(BaseException):
        pass

    def interrupt() -> bool:
        raise Interrupt

    slow.hedges.spend = interrupt  # type: ignore[method-assign]  # where the call waits
    with pytest.raises(Interrupt):
        slow.table.get_item(**KEY)
    gate.set()
    other.set()
    wait_until(lambda: slow.region(WEST).failures == 1, PATIENCE, "the attempt to count")
