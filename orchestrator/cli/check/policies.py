"""The access part of `check`: who may publish, who may call the functions, who may write the state.

Anybody who publishes moves traffic, and the functions cannot tell one publisher from another. So
what the policies say is shown, and everybody among them fails. A policy that cannot be read is
unknown, with the permission that is missing. The project's policy is inherited by all of them. That
of a folder or an organization is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.cli.session import side_by_side
from orchestrator.core.exceptions import FailoverError, Kind
from orchestrator.ports import Access, Grant, Grants, Pushing
from orchestrator.wiring import Deployment

ALL = "(all)"
PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
BROAD = ("projectEditor:", "projectViewer:", "domain:")
"""Beginnings of members that many people are."""

MOST = 6
"""Members that are named. The others are counted."""

NO_IAM = "not checked: an emulator has no IAM and accepts everybody"


@dataclass(frozen=True, slots=True)
class AccessGate:
    """One thing that some may do. verb: what, as in "who may publish".

    harmless: roles that do not give it. inherited: roles of the project that do.
    """

    verb: str
    harmless: frozenset[str]
    inherited: frozenset[str]


BASIC = frozenset({"roles/editor", "roles/owner"})
PUBLISH = AccessGate(
    "publish to",
    frozenset({"roles/viewer", "roles/pubsub.viewer", "roles/pubsub.subscriber"}),
    BASIC | {"roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin"},
)
INVOKE = AccessGate(
    "call",
    frozenset({"roles/viewer", "roles/run.viewer", "roles/run.sourceViewer"}),
    BASIC
    | {
        "roles/run.invoker",
        "roles/run.servicesInvoker",
        "roles/run.admin",
        "roles/cloudfunctions.invoker",
        "roles/cloudfunctions.admin",
    },
)
WRITE = AccessGate(
    "write",
    frozenset(
        {
            "roles/viewer",
            "roles/storage.objectViewer",
            "roles/storage.bucketViewer",
            "roles/storage.legacyBucketReader",
            "roles/storage.legacyObjectReader",
        }
    ),
    BASIC
    | {
        "roles/storage.admin",
        "roles/storage.objectAdmin",
        "roles/storage.objectCreator",
        "roles/storage.objectUser",
    },
)


@dataclass(slots=True)
class _Sorted:
    """The grants of a policy as they matter for one gate. named: by member."""

    public: list[str] = field(default_factory=list)
    broad: list[str] = field(default_factory=list)
    named: dict[str, list[str]] = field(default_factory=dict)
    readers: list[str] = field(default_factory=list)


def access(world: Deployment) -> list[Finding]:
    """What the policies say. Findings, whatever cannot be read."""
    found = world.access
    if found is None:
        detail = "not checked: a folder has no IAM"
        return [Finding(ALL, "access", Level.OK, detail)]
    topics = world.config.topics
    asked: dict[str, Callable[[], list[Finding]]] = {
        name: partial(_topic, role, name, found)
        for role, name in {"alerts": topics.alerts, "control": topics.control}.items()
        if name
    }
    asked["the state"] = partial(_bucket, world.config.state, found)
    asked["the project"] = partial(_project, found)
    asked["the identities"] = partial(_apart, topics.alerts, topics.control, found)
    answers = side_by_side(asked).items()
    return [one for name, answer in answers for one in _found(name, answer)]


def _found(name: str, answer: list[Finding] | FailoverError) -> list[Finding]:
    return [_unknown(name, answer)] if isinstance(answer, FailoverError) else answer


def _topic(role: str, name: str, found: Access) -> list[Finding]:
    """Who may publish to a topic, and who may call what it pushes to."""
    what = f"who may publish {role} (topic {name})"
    return [
        _policy(what, PUBLISH, partial(found.on_topic, name)),
        *_doors(role, name, found),
    ]


def _bucket(state: str, found: Access) -> list[Finding]:
    return [_policy(f"who may write the state ({state})", WRITE, found.on_bucket)]


def _policy(
    what: str, gate: AccessGate, read: Callable[[], Grants | None], expected: Collection[str] = ()
) -> Finding:
    """A finding on one policy. expected: the only members that should be in it, where known."""
    try:
        grants = read()
    except FailoverError as error:
        return _unknown(what, error)
    if grants is None:
        return Finding(ALL, what, Level.OK, NO_IAM)
    return _judged(what, gate, [one for one in grants if one.members], expected)


def _judged(
    what: str, gate: AccessGate, grants: Collection[Grant], expected: Collection[str]
) -> Finding:
    able = _sorted(gate, grants)
    if able.public:
        detail = f"everybody may {gate.verb} it: {_list(able.public)}"
        do = (
            f"Remove {' and '.join(sorted(PUBLIC))} from its IAM policy: strangers can move traffic"
        )
        return Finding(ALL, what, Level.FAIL, detail, do)
    texts = [text for shown in able.named.values() for text in shown]
    everyone = _list([*able.broad, *texts]) or "nobody by this policy"
    if able.broad:
        do = f"{_list(able.broad)}: grant a role to named accounts in its place"
        return Finding(ALL, what, Level.WARN, everyone, do)
    if able.readers:
        detail = f"{everyone}. Everybody may read: {_list(able.readers)}"
        return Finding(ALL, what, Level.WARN, detail, "Remove them from its IAM policy")
    return _compared(what, everyone, able.named, expected)


def _compared(
    what: str, everyone: str, named: Mapping[str, Collection[str]], expected: Collection[str]
) -> Finding:
    """The members that are able, beside those that should be. expected: empty if unknown."""
    others = [text for member, shown in named.items() if member not in expected for text in shown]
    if expected and others:
        do = f"Only {', '.join(expected)} needs this: remove {_list(others)}"
        return Finding(ALL, what, Level.WARN, everyone, do)
    missing = [one for one in expected if one not in named]
    if missing:
        detail = f"{everyone}. {_list(missing)}, which pushes, is not among them"
        do = "Grant it roles/run.invoker, unless it inherits that: without it no push arrives"
        return Finding(ALL, what, Level.WARN, detail, do)
    return Finding(ALL, what, Level.OK, everyone)


def _sorted(gate: AccessGate, grants: Collection[Grant]) -> _Sorted:
    """Members that a role makes able to do it, by what they are. An unknown role counts as able."""
    found = _Sorted()
    for grant in grants:
        able = grant.role not in gate.harmless
        for member in grant.members:
            text = _shown(member, grant)
            if member in PUBLIC:
                (found.public if able else found.readers).append(text)
            elif able and member.startswith(BROAD):
                found.broad.append(text)
            elif able and not member.startswith("deleted:"):
                found.named.setdefault(member, []).append(text)
    return found


def _shown(member: str, grant: Grant) -> str:
    under = ", under a condition" if grant.condition else ""
    return f"{member} ({grant.role}{under})"


def _list(members: Collection[str]) -> str:
    first = list(dict.fromkeys(members))
    more = f" and {len(first) - MOST} more" if len(first) > MOST else ""
    return f"{', '.join(first[:MOST])}{more}"


def _unknown(what: str, error: FailoverError) -> Finding:
    do = "Grant the missing permission to the account that runs this, or look by hand"
    other = None if error.kind is Kind.PERMISSION else error
    return Finding(ALL, what, Level.WARN, f"unknown: {error}", do, other)


# --- what the topics push to ---------------------------------------------------------------------


def _doors(role: str, topic: str, found: Access) -> Iterator[Finding]:
    what = f"who may call what takes {role}"
    try:
        pushing = found.pushing(topic)
    except FailoverError as error:
        yield _unknown(what, error)
        return
    if pushing is None:
        yield Finding(ALL, what, Level.OK, NO_IAM)
        return
    if not pushing:
        do = "Without one no message of this topic reaches the orchestrator"
        yield Finding(ALL, what, Level.WARN, "no push subscription is there", do)
    for one in pushing:
        yield _door(f"{what} ({one.name.rpartition('/')[2]})", one, found)


def _door(what: str, pushing: Pushing, found: Access) -> Finding:
    if not pushing.identity:
        do = (
            f"`gcloud pubsub subscriptions modify-push-config {pushing.name}"
            f" --push-endpoint={pushing.url} --push-auth-service-account=EMAIL`"
        )
        return Finding(ALL, what, Level.FAIL, "it pushes without a token", do)
    try:
        service = found.behind(pushing.url)
    except FailoverError as error:
        return _unknown(what, error)
    if not service:
        detail = f"unknown: no Cloud Run service of this project answers at {pushing.url}"
        return Finding(ALL, what, Level.WARN, detail, "See who may call it by hand")
    if one := _opened(what, service, found):
        return one
    expected = (f"serviceAccount:{pushing.identity}",)
    return _policy(what, INVOKE, partial(found.on_function, service), expected)


def _apart(alerts: str, control: str | None, found: Access) -> list[Finding]:
    """Whether one account's token opens both functions."""
    what = "one identity for each topic"
    try:
        of_alerts = {one.identity for one in found.pushing(alerts) or ()}
        of_control = {one.identity for one in found.pushing(control) or ()} if control else set()
    except FailoverError as error:
        return [_unknown(what, error)]
    both = sorted((of_alerts & of_control) - {""})
    if not both:
        return []
    do = "Give each its own, so that what pushes alerts cannot give commands"
    detail = f"{', '.join(both)} pushes alerts and commands"
    return [Finding(ALL, what, Level.WARN, detail, do)]


def _opened(what: str, service: str, found: Access) -> Finding | None:
    """A finding where Cloud Run asks nobody who calls, or where that is not known."""
    try:
        if not found.is_open(service):
            return None
    except FailoverError as error:
        return _unknown(what, error)
    _, project, _, region, _, name = service.split("/")
    do = (
        f"`gcloud run services update {name} --project={project} --region={region}"
        " --invoker-iam-check`"
    )
    detail = "everybody: Cloud Run does not check callers (invokerIamDisabled)"
    return Finding(ALL, what, Level.FAIL, detail, do)


# --- what all of them inherit --------------------------------------------------------------------


def _project(found: Access) -> list[Finding]:
    """Who may do each of these by the project's policy, whatever the others say."""
    what = "who may do it by the project's policy"
    try:
        grants = found.on_project()
    except FailoverError as error:
        unknown = _unknown(what, error)
        return [
            Finding(ALL, what, unknown.level, f"inherited grants: {unknown.detail}", unknown.do)
        ]
    if grants is None:
        return [Finding(ALL, what, Level.OK, NO_IAM)]
    custom = len({one.role for one in grants if not one.role.startswith("roles/")})
    gates = {"publish": PUBLISH, "call the functions": INVOKE, "write the state": WRITE}
    return [_inherited(verb, gate, grants, custom) for verb, gate in gates.items()]


def _gives(grant: Grant, gate: AccessGate) -> bool:
    """Whether a role of the project gives it. For everybody, any role that nobody knows counts."""
    unknown = not grant.role.startswith("roles/")
    return grant.role in gate.inherited or (unknown and not PUBLIC.isdisjoint(grant.members))


def _inherited(verb: str, gate: AccessGate, grants: Grants, custom: int) -> Finding:
    giving = [one for one in grants if _gives(one, gate) and one.members]
    judged = _judged(f"who may {verb} by the project's policy", gate, giving, ())
    unread = f". {custom} custom roles are not read" if custom else ""
    detail = f"{judged.detail}{unread}. Grants of a folder or an organization are not read"
    editors = [one for one in giving if one.role == "roles/editor"]
    if judged.level is not Level.OK or not editors:
        return Finding(ALL, judged.what, judged.level, detail, judged.do)
    do = "roles/editor gives it to each of its members: grant narrower roles"
    return Finding(ALL, judged.what, Level.WARN, detail, do)
