"""The laws of attached standbys, held against histories that nobody would write down.

The histories are those of the other mode, and besides: applications that go by an old document, a
Compute API that is gone, and the standbys' own switch in the configuration. Users are where a
region has capacity and says that it leads.

What is promised besides: no write of ours takes the users from the last region that has them; the
newest document's primary loses no capacity by a write of ours; a region becomes the primary only
after it was seen to have capacity; and when all is well again every region has capacity that no
human took it from, and the primary alone leads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run

from orchestrator.core.model import DecisionOutcome, Leave, Part, State
from orchestrator.core.policy import Standby
from orchestrator.core.traffic.fence import read_mark
from tests.core.test_laws import BRIEF, POLICIES, Histories, Made, region
from tests.support.examples import examples
from tests.support.fakes import REGIONS, service


class AttachedHistories(Histories):
    """Anything that may happen to one service whose standbys are attached."""

    meddled = False

    @initialize(
        lever=st.sampled_from([None, "membership"]),
        policy=st.sampled_from(POLICIES),
        standby=st.sampled_from(["attached", "attached", "attached", "drained"]),
    )
    def begin(self, lever: str | None, policy: dict[str, Any], standby: str) -> None:
        """A service with attached standbys, or one that is going to have them."""
        self.start(lever, mode="active-passive", policy=policy, standby=standby)

    # --- what happens besides --------------------------------------------------------------------

    @rule(where=region)
    def reads_no_document(self, where: str) -> None:
        """The application of a region goes by what it knows."""
        if self.world.state_exists:
            self.world.prober.known[where] = self.world.state

    @rule(where=region)
    def reads_again(self, where: str) -> None:
        """It goes by the newest document."""
        self.world.prober.known.pop(where, None)

    @rule(where=region)
    def wakes(self, where: str) -> None:
        """A region that was down wakes with what it knew before."""
        self.world.prober.answers.pop(where, None)
        self.rest(4)

    @rule(minutes=st.integers(1, 3))
    def fails_without_the_api(self, minutes: int) -> None:
        """The primary fails while the Compute API is gone."""
        self.world.traffic.is_gone = True
        self.fail_what_carries()
        self.rest(minutes)
        self.world.traffic.is_gone = False

    @rule(
        gone=st.sampled_from([None, None, *REGIONS]),
        standby=st.sampled_from(["attached", "attached", "drained"]),
        policy=st.sampled_from(POLICIES),
    )
    def configure(self, gone: str | None, standby: str, policy: dict[str, Any]) -> None:
        """A newer configuration: a region more or less, the other kind of standby."""
        self.serial += 1
        names = tuple(name for name in REGIONS if name != gone)
        self.options |= {
            "policy": policy,
            "regions": names,
            "serial": self.serial,
            "standby": standby,
        }
        self.older = self.world.service
        self.world.service = service(**self.options)

    @rule(where=region, scaler=st.sampled_from([0.0, 0.4, 1.0]), wipes=st.booleans())
    def another_hand(self, where: str, scaler: float, wipes: bool) -> None:
        """Somebody edits the load balancer, and may wipe our mark."""
        self.meddled = True
        edit: Callable[..., None] = super().another_hand
        edit(where, scaler, wipes)

    @rule(number=st.integers(0, 50))
    def old_document(self, number: int) -> None:
        """Somebody puts an older document back by hand."""
        if len(self.objects.documents) > 1:
            self.meddled = True
            put: Callable[..., None] = super().old_document
            put(number)

    # --- the laws --------------------------------------------------------------------------------

    def wanted(self, state: State) -> frozenset[str]:
        """Whom this document gives capacity."""
        return frozenset((*state.routing, *(n for n, e in state.regions.items() if e.attach)))

    def committed(self, old: State | None, new: State) -> None:
        """Whoever becomes the primary was seen to have capacity."""
        super().committed(old, new)
        attached = self.world.service.standby is Standby.ATTACHED
        if not attached or old is None or old.primary == new.primary or new.epoch == old.epoch:
            return
        rules = {r["rule"] for r in Made(self.acting.policy, old, new, {}).reasons}
        if not rules & {"adopt", "configuration"}:
            assert new.regions[new.primary].attached
            assert self.meddled or new.primary in self.getting()

    def once(self, made: Made) -> None:
        """A command that had its region attached first is not carried out yet."""
        number = made.trigger.id
        if made.outcome is DecisionOutcome.STANDBYS and number and number not in made.new.commands:
            return
        super().once(made)

    def serving(self, getting: set[str]) -> set[str]:
        """Of the regions with capacity those that say that they lead."""
        roles = self.world.prober.roles(self.world.service.regions)
        return {n for n in getting if n in roles and roles[n].part is Part.LEADS}

    def written(self, body: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
        """No write takes the users from everybody, or capacity from the newest primary."""
        before, state = self.getting(), self.world.state
        served = self.serving(before)
        mark = read_mark(body["description"], "checkout")
        super().written(body, change)
        if self.meddled or self.world.service.standby is not Standby.ATTACHED:
            return
        after = self.getting()
        assert not served or self.serving(after)
        assert state.primary in after or state.primary not in before or mark > state.mark

    # --- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Then every region is well, with an application that reads the newest document."""
        if not hasattr(self, "world"):
            return
        self.world.prober.known.clear()
        super().teardown()
        if self.world.service.standby is Standby.DRAINED or self.is_stuck():
            return
        self.world.prober.answers.clear()
        self.until(self.stands_by)
        self.until(self.at_rest)

    def found(self, well: str) -> bool:
        """Whether the region that is well is the primary, and has capacity: alone, if drained.

        At epoch 0 the load balancer is left as it was deployed.
        """
        state = self.world.state
        alone = self.world.service.standby is Standby.DRAINED and state.epoch > 0
        getting = self.ours()
        return state.primary == well and (getting == {well} if alone else well in getting)

    def stands_by(self) -> bool:
        """Whether every region has capacity that no human took it from, and one of them leads."""
        state, names = self.world.state, self.world.service.names
        taken = {n for n, e in state.regions.items() if e.leave is Leave.EVACUATED}
        wanted = {name for name in names if name not in taken and self.can_carry(name)}
        at_first = state.epoch == 0  # it is left as it was deployed
        leads = self.serving(self.getting()) == {state.primary} or at_first
        return leads and (at_first or self.getting() >= wanted)


@pytest.mark.timeout(120)  # a busy machine
def test_no_history_breaks_a_law_of_attached_standbys() -> None:
    run(AttachedHistories, settings=settings(BRIEF, max_examples=examples(40)))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_long_history_breaks_a_law_of_attached_standbys() -> None:
    run(AttachedHistories, settings=settings(BRIEF, max_examples=150, stateful_step_count=50))
