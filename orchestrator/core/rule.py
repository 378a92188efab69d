"""Rules by name: what each is for, whether its refusal pages, and whether a human may override it.

A rule of a decision is asked by a function of `orchestrator.core.rules` and answers with a
`Reason`. Other conditions page under a name of this list too, so that one word stands for one thing
in the document, the journal, pages, logs and drills. The command line's choices and the documents
come from this table. PURE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The name of a rule, or of another condition that a reason or a page is about."""

    CONFIRM = "confirm"
    MAX_EVENT_AGE = "max_event_age"
    BRAKE = "brake"
    MAX_AUTO_FAILOVERS = "max_auto_failovers"
    MIN_HEALTHY_REGIONS = "min_healthy_regions"
    FREEZE = "freeze"
    TARGET_HEALTHY = "target_healthy"
    COOLDOWN = "cooldown"
    REPLICATION_LAG = "replication_lag"
    ROLE = "role"
    ATTACHED = "attached"
    LAST_REGION = "last_region"
    FAILBACK_AFTER = "failback_after"
    EVACUATED = "evacuated"
    SWITCH = "switch"
    RAMP = "ramp"
    STANDBYS = "standbys"
    COMMAND = "command"
    UNFREEZE = "unfreeze"
    ACK = "ack"
    CONFIGURATION = "configuration"
    ADOPT = "adopt"
    ROUTING = "routing"
    RESTORE = "restore"
    ON_STATE_LOSS = "on_state_loss"
    ENDPOINT = "endpoint"
    CLOCK = "clock"
    # Conditions that only page, and that no decision asks.
    BACKEND = "backend"
    CLASH = "clash"
    CONTRADICTED = "contradicted"
    DRIFT = "drift"
    EPOCH = "epoch"
    FLAT_FILE = "flat-file"
    FLOOD = "flood"
    MARK = "mark"
    MARKS = "marks"
    MIRROR = "mirror"
    MOVED_WITHOUT_STATE = "moved_without_state"
    NO_TRAFFIC = "no_traffic"
    OUTDATED = "outdated"
    POISON = "poison"
    UNCLAIMED = "unclaimed"


class Cause(StrEnum):
    """Why a rule says what it says, where its name alone does not tell what to do.

    unanswered: the second signal is not available. contradicted: it says healthy. unproven: the
    region answers well and its probes are still being counted. no_backend: no lever can give it
    traffic. needs_now: what is to be overridden is asked again by a graceful switch. ended: a
    switch or ramp is over; nothing was refused. doubtful: the alert's labels do not name one region
    for certain. unknown_lag: how far the replica is behind is not known or not reported.
    overridden: it refused, and a human took the refusal back.
    """

    NONE = ""
    UNANSWERED = "unanswered"
    CONTRADICTED = "contradicted"
    UNPROVEN = "unproven"
    NO_BACKEND = "no_backend"
    NEEDS_NOW = "needs_now"
    ENDED = "ended"
    DOUBTFUL = "doubtful"
    UNKNOWN_LAG = "unknown_lag"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True)
class Reason:
    """One gate of a decision: the rule, whether it let the decision pass, and the value it saw.

    value, limit: for people. region: that it was asked of; empty for the service. cause: what is
    behind the value, for those that act or advise by it. command: the id of the command whose
    switch it names.
    """

    rule: Rule
    passed: bool
    value: str
    limit: str = ""
    region: str = ""
    cause: Cause = Cause.NONE
    command: str = ""

    def __str__(self) -> str:
        return rule_line(
            self.rule,
            self.value,
            passed=self.passed,
            limit=self.limit,
            region=self.region,
            cause=self.cause,
        )


class Ruling(StrEnum):
    """What a rule said. done: it did what was asked. ended: a switch or ramp is over."""

    PASSED = "passed"
    DONE = "done"
    ENDED = "ended"
    REFUSED = "refused"


_DONE = frozenset({Rule.FREEZE, Rule.UNFREEZE, Rule.ACK})
"""Rules whose passed reason says what was done."""


def rule_line(
    rule: str, value: str, *, passed: bool, limit: str = "", region: str = "", cause: str = ""
) -> str:
    """A rule in a line: `refused confirm [us-east-1]: value (limit x)`.

    Pages, log lines, `make run` and every verb of the command line have it from here, for a
    `Reason` and for its JSON alike. So the text of a page is found in the explanation. The values
    are those of a `Reason`; rule and cause may be of a version that knows more of them.
    """
    where = f" [{region}]" if region else ""
    limited = f" (limit {limit})" if limit else ""
    return f"{ruling(rule, passed=passed, cause=cause)} {rule}{where}: {value}{limited}"


def recorded_line(reason: Mapping[str, object]) -> str:
    """The line of a reason as history and journal have it, in JSON."""
    limit, region, cause = (str(reason.get(key) or "") for key in ("limit", "region", "cause"))
    return rule_line(
        str(reason.get("rule")),
        str(reason.get("value")),
        passed=bool(reason.get("passed")),
        limit=limit,
        region=region,
        cause=cause,
    )


def recorded_ruling(reason: Mapping[str, object]) -> Ruling:
    """The ruling of a reason as history and journal have it, in JSON."""
    rule, cause = str(reason.get("rule")), str(reason.get("cause") or "")
    return ruling(rule, passed=bool(reason.get("passed")), cause=cause)


def ruling(rule: str, *, passed: bool, cause: str = "") -> Ruling:
    """What a rule said, as its line begins."""
    if passed:
        return Ruling.DONE if rule in _DONE else Ruling.PASSED
    return Ruling.ENDED if cause == Cause.ENDED else Ruling.REFUSED


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a rule beside its name.

    meaning: what it is for, in half a sentence. pages: causes with which its refusal needs a human
    now; None for every cause. overridable: a human may take its refusal of a command back. target:
    it is about one region as a place to go to.
    """

    meaning: str
    pages: tuple[Cause, ...] | None = ()
    overridable: bool = False
    target: bool = False


ALWAYS = None
"""Every cause pages."""

RULES: Mapping[Rule, About] = {
    Rule.CONFIRM: About(
        "a second signal (our own probe or Monitoring) must not contradict the alert",
        pages=(Cause.UNANSWERED,),
    ),
    Rule.MAX_EVENT_AGE: About("an old alert updates health, and moves nothing by itself"),
    Rule.BRAKE: About(
        "when so much fails at once, the observer is the likelier fault", pages=ALWAYS
    ),
    Rule.MAX_AUTO_FAILOVERS: About("after so many automatic moves a human must look", pages=ALWAYS),
    Rule.MIN_HEALTHY_REGIONS: About(
        "enough healthy regions must be left to carry the load", overridable=True
    ),
    Rule.FREEZE: About("a human has stopped automation for a while", pages=ALWAYS),
    Rule.TARGET_HEALTHY: About(
        "the region to go to must be up and answer its probe now", overridable=True, target=True
    ),
    Rule.COOLDOWN: About(
        "a region that automation has left is no target again for a while", target=True
    ),
    Rule.REPLICATION_LAG: About(
        "the replica there must not be too far behind, or writes are lost",
        overridable=True,
        target=True,
    ),
    Rule.ROLE: About(
        "a region must say itself, by the newest document, whether it is the primary",
        pages=ALWAYS,
        overridable=True,
        target=True,
    ),
    Rule.ATTACHED: About(
        "a region can take over by the document alone only if it has capacity", target=True
    ),
    Rule.LAST_REGION: About(
        "traffic is never taken from the last region that could serve it", pages=ALWAYS
    ),
    Rule.FAILBACK_AFTER: About(
        "a region must have been well for a while before it gets its traffic back"
    ),
    Rule.EVACUATED: About("where a human took the traffic away, only a human brings it back"),
    Rule.SWITCH: About("a graceful switch waits until no write can be lost, or is given up"),
    Rule.RAMP: About(
        "a region gets its traffic back step by step, and loses it again at a new incident"
    ),
    Rule.STANDBYS: About("regions that stand by are kept out by the load balancer's health check"),
    Rule.COMMAND: About("a command is carried out once, and soon after it was given"),
    Rule.UNFREEZE: About("a human lets automation act again"),
    Rule.ACK: About("a human has seen the automatic moves and the pages so far"),
    Rule.CONFIGURATION: About("the configuration has a higher serial"),
    Rule.ADOPT: About(
        "the load balancer carried a newer decision than the document, which is followed"
    ),
    Rule.ROUTING: About(
        "the load balancer must name a region that the configuration knows", pages=ALWAYS
    ),
    Rule.RESTORE: About("an older version of the document was brought back"),
    Rule.ON_STATE_LOSS: About("without the state only what can be seen may be acted on"),
    Rule.ENDPOINT: About("where applications find the table is what the configuration says"),
    Rule.CLOCK: About("what a wrong clock wrote ahead of now is given up"),
}
"""Every rule that can stand in a decision, in the order in which they are explained."""

OVERRIDABLE = tuple(rule for rule, about in RULES.items() if about.overridable)
"""The rules whose refusal of a command a human can take back, one at a time."""

OF_A_TARGET = frozenset(rule for rule, about in RULES.items() if about.target)
"""The rules that are about one region as a place to go to."""


def needs_human(reason: Reason) -> bool:
    """Whether this refusal needs a human now."""
    about = RULES.get(reason.rule)
    if reason.passed or about is None:
        return False
    return about.pages is ALWAYS or reason.cause in about.pages


def all_pass(gates: Iterable[Reason]) -> bool:
    """Whether every one of these lets the decision pass."""
    return all(gate.passed for gate in gates)


def refusals(gates: Iterable[Reason]) -> tuple[Reason, ...]:
    """Those that refuse."""
    return tuple(gate for gate in gates if not gate.passed)
