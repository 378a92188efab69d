"""The nouns: signals, incidents, regions, routing, state, observations, decisions.

Frozen values with no behaviour beyond what their own fields answer. Times are aware UTC datetimes,
durations timedeltas. Mappings are treated as immutable everywhere: a change makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.core.exceptions import Unavailable
from orchestrator.core.policy import Lever, Stamp
from orchestrator.core.rule import Reason

Json = Mapping[str, object]
NOTHING: Json = {}


# --- the fence ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The mark: the epoch of the desired routing, and the revision of the commit that made it.

    Compared in that order. The fence (`orchestrator.core.traffic.fence`) writes it where the
    traffic is. A resource that carries none counts as (0, 0).
    """

    epoch: int = 0
    rev: int = 0


NO_MARK = Mark()


# --- what came in ------------------------------------------------------------------------------


class Doubt(StrEnum):
    """Why an alert's word alone is not enough: it counts only while our own probe fails.

    contradicted: its labels, host and check id are of different regions. foreign: it is labelled
    for a service that is not ours, and its host or check id is ours. unnamed: it names no service,
    and several have its region.
    """

    CONTRADICTED = "contradicted"
    FOREIGN = "foreign"
    UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class AlertOpened:
    """Monitoring says that a region has begun to fail. `started_at` is the incident's."""

    incident_id: str
    region: str
    started_at: datetime
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class AlertClosed:
    """Monitoring has closed an incident. No proof of health: it closes on missing data too."""

    incident_id: str
    region: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: finish what a crash left, repair drift, look at health again."""


class Wish(StrEnum):
    """What a human can tell the orchestrator to do."""

    FAILOVER = "failover"
    FAILBACK = "failback"
    EVACUATE = "evacuate"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    ACK = "ack"


class Family(StrEnum):
    """Commands that replace one another: the newest of a family that was obeyed stands."""

    MOVES = "moves"
    FREEZES = "freezes"
    ACKS = "acks"


FAMILIES: Mapping[Wish, Family] = {
    Wish.FAILOVER: Family.MOVES,
    Wish.FAILBACK: Family.MOVES,
    Wish.EVACUATE: Family.MOVES,
    Wish.FREEZE: Family.FREEZES,
    Wish.UNFREEZE: Family.FREEZES,
    Wish.ACK: Family.ACKS,
}
"""The family of each command."""


@dataclass(frozen=True, slots=True, order=True)
class Given:
    """When a command was given, and its id: the place of the command among those of its family.

    Compared in that order, so that two commands of one moment have the same order everywhere.
    """

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Command:
    """A human's wish, with who wants it and why.

    region: to go to (failover), or to leave (evacuate). until: when a freeze ends. now: without the
    waiting of a graceful switch. override: the one rule whose refusal does not count. published:
    when Pub/Sub took it, where it came by Pub/Sub.
    """

    id: str
    wish: Wish
    actor: str
    reason: str
    issued_at: datetime
    region: str = ""
    until: datetime | None = None
    now: bool = False
    override: str = ""
    published: datetime | None = None

    @property
    def family(self) -> Family:
        """The commands among which this one has its place."""
        return FAMILIES[self.wish]

    @property
    def given(self) -> Given:
        """Its place, by the earlier of issue and publication: a fast clock gains nothing."""
        return Given(min(self.issued_at, self.published or self.issued_at), self.id)


Alert = AlertOpened | AlertClosed
Signal = Alert | Tick | Command


# --- what is known -----------------------------------------------------------------------------


class IncidentState(StrEnum):
    """Of an incident. `stale`: still open for Monitoring, but the region proved healthy."""

    OPEN = "open"
    STALE = "stale"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of one region.

    opened: an open message was seen (a close alone changes no region). contradicted: the second
    signal said, when the incident was first seen, that the region was fine. settled: the region has
    since proven healthy, or was chosen by a human in spite of it. set_aside: who chose it then.
    refused: names of the rules that have refused to act on it, each recorded once. doubt: of every
    opening of it; then it counts as contradicted until our own probe fails. failed_at: when a look
    has seen the region of a contradicted incident fail; a second one in a row ends that.
    """

    id: str
    region: str
    state: IncidentState
    started_at: datetime
    ended_at: datetime | None = None
    opened: bool = True
    contradicted: bool = False
    settled: bool = False
    refused: tuple[str, ...] = ()
    set_aside: str = ""
    doubt: Doubt | None = None
    failed_at: datetime | None = None


class Status(StrEnum):
    """Of a region. Only `up` is healthy; `recovering` was down and is not yet proven."""

    UP = "up"
    DOWN = "down"
    RECOVERING = "recovering"


class Leave(StrEnum):
    """Why a region is to be left without capacity although standbys are attached.

    One that failed is attached again when it has recovered; one that a human evacuated is not.
    """

    FAILED = "failed"
    EVACUATED = "evacuated"


@dataclass(frozen=True, slots=True)
class RegionState:
    """What the document says of a region.

    proofs, failures: probes in a row that a tick has counted, at least 45 s apart; counted_at: the
    last that counted. backends: its groups, so that they are still known when it is no longer
    configured. fenced_until: no writes there until then, for a graceful switch leaves it.
    proven_at: when ticks last proved it well again; recoveries: how often they did, each within a
    day of the last. aws_region: where the endpoint is; empty where the region's own name says it.

    With attached standbys only: attach: this epoch gives it capacity. attached: it was seen to have
    it on a load balancer that carried this epoch or, if none since took it away, an earlier one.
    leave: why it is to be drained, as soon as the primary answers.
    """

    endpoint: str
    status: Status
    since: datetime
    proofs: int = 0
    failures: int = 0
    counted_at: datetime | None = None
    backends: tuple[str, ...] = ()
    fenced_until: datetime | None = None
    proven_at: datetime | None = None
    recoveries: int = 0
    aws_region: str = ""
    attach: bool = False
    attached: bool = False
    leave: Leave | None = None

    @property
    def healthy(self) -> bool:
        """What applications read: true only when up."""
        return self.status is Status.UP


@dataclass(frozen=True, slots=True)
class Move:
    """One automatic move, remembered for the cooldown and for `max_auto_failovers`."""

    at: datetime
    epoch: int
    left: tuple[str, ...]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Freeze:
    """Automation stands still until then, by whose hand and why.

    done: the epoch that the load balancer was seen to carry when it was frozen: whatever is on it
    later was done by something else, and is left alone.
    """

    until: datetime
    actor: str
    reason: str
    since: datetime
    done: int = 0


class Step(StrEnum):
    """Of a graceful switch: writes are fenced; then the replicas are waited for."""

    FENCING = "fencing"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Switch:
    """A graceful switch under way. until: it is given up then, and nothing has moved.

    command: the id of the command that asked for it; none when failback is automatic. evacuate: the
    region that is left is drained afterwards, though it stands by.
    """

    to: str
    left: str
    step: Step
    since: datetime
    until: datetime
    command: str = ""
    evacuate: bool = False


@dataclass(frozen=True, slots=True)
class Ramp:
    """A region that is given its traffic back step by step. since: of this step."""

    region: str
    step: int
    since: datetime


class Phase(StrEnum):
    """How far the shift of the current epoch has come, for people: no path decides by it."""

    COMMITTED = "committed"
    APPLIED = "applied"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of the current epoch.

    at: when the epoch was decided. routing: what it was decided to be; None where a version wrote
    the epoch that did not keep it.
    """

    mark: Mark
    phase: Phase
    at: datetime | None = None
    routing: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Paged:
    """What is remembered of one condition that a human was paged for.

    since: when it was first seen. last: when it was last paged for, None before the first page.
    count: pages so far. seen: when it was last seen to hold, to within minutes. quiet: a human has
    acknowledged it, so no reminder is sent. decision: id of the decision in the history that it
    comes from, if any.
    """

    since: datetime
    seen: datetime
    last: datetime | None = None
    count: int = 0
    quiet: bool = False
    decision: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """One time that a routing resource was put back, or could not be, after its epoch was done.

    mark: only the mark was missing; the traffic was right.
    """

    at: datetime
    resource: str
    epoch: int
    mark: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The state document of one service.

    revision: the generation that this commit replaced. routing: share of traffic by region.
    restore: what a drained or detached backend was before, by group. retired: groups of regions
    that are no longer configured, and get no traffic. unclaimed: groups that get traffic and that
    no region claims, each with the epoch of the move that left it so, 0 for none. ceilings: the
    share of its full capacity that a region on a ramp gets, or was left with. given_up_at: when a
    switch or ramp last was. evacuated: regions that a human took the traffic from; automation goes
    there last. commands: when each command of the last day was handled, by id. order: the newest
    command of each family that was obeyed; an older one that comes later is refused. forgotten:
    incidents that were dropped because there were too many. pages: conditions that people were
    paged for, by key. repairs: of drift, newest last. arrivals: when the newest incidents were
    first heard of. raw: the document as read, so that fields unknown to this version survive a
    rewrite.
    """

    service: str
    revision: int
    epoch: int
    stamp: Stamp
    primary: str
    regions: Mapping[str, RegionState]
    routing: Mapping[str, float]
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    shift: Shift | None = None
    restore: Mapping[str, Json] = field(default_factory=dict)
    retired: tuple[str, ...] = ()
    unclaimed: Mapping[str, int] = field(default_factory=dict)
    lever: Lever | None = None
    moves: tuple[Move, ...] = ()
    acknowledged_at: datetime | None = None
    freeze: Freeze | None = None
    switch: Switch | None = None
    ramp: Ramp | None = None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    given_up_at: datetime | None = None
    evacuated: tuple[str, ...] = ()
    commands: Mapping[str, datetime] = field(default_factory=dict)
    order: Mapping[Family, Given] = field(default_factory=dict)
    history: tuple[Json, ...] = ()
    forgotten: int = 0
    pages: Mapping[str, Paged] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    arrivals: tuple[datetime, ...] = ()
    writer: str = ""
    updated_at: datetime | None = None
    raw: Json = field(default_factory=dict, compare=False, repr=False)

    @property
    def mark(self) -> Mark:
        """The fence of the current epoch; (0, 0) while nothing has been decided."""
        return self.shift.mark if self.shift else NO_MARK


@dataclass(frozen=True, slots=True)
class Stored:
    """A state as read, with the generation of the object that holds it (0: there is none yet)."""

    state: State | None
    generation: int


# --- what was seen -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend of a backend service: its group (from `projects/` on) and all its settings."""

    group: str
    settings: Json

    @property
    def scaler(self) -> float:
        """Its capacityScaler; absent means 1.0 to the API."""
        value = self.settings.get("capacityScaler")
        return float(value) if isinstance(value, int | float) else 1.0


@dataclass(frozen=True, slots=True)
class Routing:
    """A backend service as read: its backends, its description, and the fingerprint F.

    `resource` is the whole resource, so that a writer loses nothing that this version does not
    know.
    """

    name: str
    fingerprint: str
    description: str
    backends: tuple[Backend, ...]
    resource: Json = field(default_factory=dict, compare=False, repr=False)


class Verdict(StrEnum):
    """What a probe says of health. `silent`: nothing, one way or the other."""

    HEALTHY = "healthy"
    FAILING = "failing"
    SILENT = "silent"


class NoLag(StrEnum):
    """Why a probe gives no replication lag in seconds.

    `not told`: the health endpoint was read to its end and does not mention it. `unknown`: the
    endpoint mentions it, and what it says cannot be read or is no number.
    """

    NOT_TOLD = "not told"
    UNKNOWN = "unknown"


class NoAnswer(StrEnum):
    """How a region does not answer. unreachable: there is no route to it."""

    TIMEOUT = "timeout"
    REFUSED = "connection refused"
    RESET = "connection reset"
    NAME = "host name not found"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Probe:
    """Our own look at a region's health URL, or what Monitoring says in its place.

    answer: an HTTP status, or how it did not answer, or other words for people that nothing reads.
    lag: seconds that this region's replica is behind each other region, as its endpoint tells. None
    where the endpoint names that region without a usable number. lag_unreadable: the endpoint
    announced JSON and it could not be read, so the lag behind every region is unknown.
    blind: every region fails alike, so the orchestrator itself may be cut off.
    """

    verdict: Verdict
    answer: int | NoAnswer | str
    lag: Mapping[str, float | None] = field(default_factory=dict, compare=False)
    blind: bool = False
    lag_unreadable: bool = field(default=False, compare=False)

    @property
    def detail(self) -> str:
        """The answer as people read it: `200`, `refused`, `404 says nothing about health`."""
        silent = isinstance(self.answer, int) and self.verdict is Verdict.SILENT
        return f"{self.answer} says nothing about health" if silent else str(self.answer)

    def behind(self, region: str) -> float | NoLag:
        """Seconds that this region's replica is behind that one, or why there is no such number."""
        if self.lag_unreadable:
            return NoLag.UNKNOWN
        if region not in self.lag:
            return NoLag.NOT_TOLD
        seconds = self.lag[region]
        return NoLag.UNKNOWN if seconds is None else seconds


class Part(StrEnum):
    """What a region says that it is. `silent`: it does not say.

    `lingers`: no longer the primary, and it answers as one until the new one is known to do so.
    """

    LEADS = "leads"
    LINGERS = "lingers"
    STANDS_BY = "stands by"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Role:
    """A region's own word on its part, as the load balancer's health check hears it too.

    epoch: of the document that the region uses.
    """

    part: Part
    detail: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation of the world.

    routing: None when the Compute API could not be read. kinds: types of the regional groups that
    were asked for (ticks only), by group. checks: what Monitoring's uptime checks say, by region;
    empty where it is not asked. roles: what each region says that it is, where standbys are
    attached. lost: why the routing could not be read.
    """

    stored: Stored
    routing: Routing | None
    probes: Mapping[str, Probe]
    kinds: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Probe] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    lost: Unavailable | None = None

    @property
    def unseen(self) -> Unavailable:
        """The error of routing that was not read."""
        return self.lost or Unavailable("the routing was not read")


# --- what is decided ---------------------------------------------------------------------------


class DecisionOutcome(StrEnum):
    """What a decision came to. standbys: some were attached or drained, and no traffic moved."""

    UNCHANGED = "unchanged"
    HEALTH = "health"
    HELD = "held"
    MOVED = "moved"
    ADOPTED = "adopted"
    CONFIGURED = "configured"
    OBEYED = "obeyed"
    SWITCHING = "switching"
    RAMPED = "ramped"
    ABANDONED = "abandoned"
    STANDBYS = "standbys"


@dataclass(frozen=True, slots=True)
class Page:
    """Why a human is needed now.

    Rule and regions name the condition: pages of one condition are copies of one another. text: for
    people. command: to paste; none: the rule's own (`paging.command`). once: it is not repeated
    while the condition holds. grace: how long the condition must hold before the first page.
    resource: of routing, where the condition is its. shows: the command only shows what it would
    do, until `--apply` is added.
    """

    rule: str
    text: str
    regions: tuple[str, ...] = ()
    command: str = ""
    once: bool = False
    grace: timedelta = timedelta(0)
    resource: str = ""
    shows: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What should be, and why.

    state: the next state document; equal to the observed one when nothing is to be written.
    recorded: it belongs into the history and the journal. pages: why a human is needed now.
    waiting: gates of a move that nobody needs and that is not due yet.
    """

    state: State
    outcome: DecisionOutcome
    reasons: tuple[Reason, ...]
    changed: bool
    recorded: bool
    pages: tuple[Page, ...] = ()
    waiting: tuple[Reason, ...] = ()

    @property
    def page(self) -> str:
        """The text of all pages, empty where no human is needed."""
        return "; ".join(page.text for page in self.pages)
