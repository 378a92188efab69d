"""Observe: one parallel round over everything that a decision looks at.

The state document, the routing and the second signal are asked for at the same time. The state that
cannot be read stops the invocation; routing that cannot be read is reported as absent, so that
health can still be recorded before the message is redelivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from orchestrator.core.document import codec, flat
from orchestrator.core.document.ground import create
from orchestrator.core.exceptions import Cloud, Kind, NoStore, Outdated, StateLost, Unavailable
from orchestrator.core.model import NO_MARK, Mark, Observed, Probe, Role, Routing, Stored
from orchestrator.core.outside import reading
from orchestrator.core.policy import Confirm, Service, Standby
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.plan import mark_of, regional_groups
from orchestrator.flow.context import Context

FLAT_FILE = "dynamodb_regions.json"
"""The older format, beside the documents."""


def document_name(service: str) -> str:
    """The name of the service's state document below the state folder or bucket."""
    return f"{service}.json"


def observe(service: Service, context: Context, *, kinds: bool = False) -> Observed:
    """One observation; `lost` says why the routing could not be read if it could not.

    kinds: ask for the types of regional groups that are not known yet; it takes a second. Raises
    Unavailable when the state cannot be read or is corrupt.
    """
    submit = context.executor.submit
    wants_flat = context.only_service and service.name not in context.memory.documents
    stored = submit(read_state, service.name, context)
    routing = submit(read_routing, service, context)
    older = submit(context.objects.get, FLAT_FILE) if wants_flat else None
    types = submit(_kinds, service, context, asking=kinds)
    checks = submit(_checks, service, context)
    roles = submit(heard, service, context)
    probes = context.prober.probe(service.regions)
    seen, lost = _routing(routing)
    found = stored.result()
    if seen is not None and mark_of(seen, service) > _mark(found):
        found = read_state(service.name, context)
    if found.state is None and seen is not None and context.only_service:
        found = _upgraded(service, older, seen, context)
    return Observed(found, seen, probes, types.result(), checks.result(), roles.result(), lost)


def read_state(service: str, context: Context) -> Stored:
    """The state document with its generation. Raises Unavailable, also for a corrupt one."""
    try:
        got = context.objects.get(document_name(service))
    except NoStore:
        raise  # an answer, and no loss: nothing may act without a state because of this
    except Unavailable as error:
        raise StateLost(
            str(error), page=error.page, kind=error.kind, cloud=error.cloud, rule=error.rule
        ) from error
    if got is None:
        context.memory.documents.discard(service)
        return Stored(None, 0)
    data, generation = got
    context.memory.documents.add(service)
    try:
        times = context.now().timestamp(), generation / 1_000_000  # a generation is Google's time
        return Stored(codec.decode(data, service, times), generation)
    except reading.NewerSchema as error:
        slip = (
            ". If no newer version was ever deployed, somebody edited it: `failoverctl state show"
            f" {service} --versions` lists what can be restored with --generation"
        )
        raise Outdated(
            f"{document_name(service)}: {error}. A newer instance must act"
            + (slip if isinstance(error, reading.UnknownWord) else "")
        ) from error
    except reading.Corrupt as error:
        raise Unavailable(
            f"{document_name(service)} is corrupt ({error}) and was not changed. No failover of"
            f" {service} happens until it is fixed. `failoverctl state restore {service}` shows the"
            " last good version, and with --apply brings it back",
            page=True,
            kind=Kind.CORRUPT,
            service=service,
        ) from error


def read_routing(service: Service, context: Context) -> Routing:
    """The routing as the load balancer has it. Raises Unavailable, which says what is."""
    try:
        return context.traffic.read(service.backend_service)
    except Unavailable as error:
        error.cloud = Cloud.COMPUTE if error.cloud is Cloud.NONE else error.cloud
        raise


def heard(service: Service, context: Context) -> Mapping[str, Role]:
    """What each region says that it is, where standbys are attached."""
    if service.standby is not Standby.ATTACHED:
        return {}
    return context.prober.roles(service.regions)


def _checks(service: Service, context: Context) -> Mapping[str, Probe]:
    """What Monitoring's uptime checks say, where the policy asks for it."""
    if context.checks is None or service.policy.confirm is not Confirm.MONITORING:
        return {}
    return context.checks.verdicts(service.regions, context.now())


def _mark(stored: Stored) -> Mark:
    return stored.state.mark if stored.state else NO_MARK


def _routing(future: Future[Routing]) -> tuple[Routing | None, Unavailable | None]:
    try:
        return future.result(), None
    except Unavailable as error:
        return None, error


def _upgraded(
    service: Service,
    older: Future[tuple[bytes, int] | None] | None,
    routing: Routing,
    context: Context,
) -> Stored:
    """A new document from the older flat file, or none when there is no such file either.

    Nor is one made where the routing carries a mark: then there was a newer document than any file.
    """
    if mark_of(routing, service) != NO_MARK:
        return Stored(None, 0)
    got = older.result() if older else context.objects.get(FLAT_FILE)
    context.memory.flat_file = got is not None
    if got is None:
        return Stored(None, 0)
    now = context.now()
    try:
        flat_health = flat.decode_flat(got[0])
        return Stored(flat.upgrade(create(service, routing, now), flat_health, now), 0)
    except reading.Corrupt as error:
        raise Unavailable(
            f"{FLAT_FILE} is corrupt ({error}) and was not changed. {service.name} has no document"
            " yet and cannot be upgraded from it. Fix or remove it",
            page=True,
            kind=Kind.CORRUPT,
            rule=Rule.FLAT_FILE,
        ) from error


def _kinds(service: Service, context: Context, *, asking: bool) -> Mapping[str, str]:
    """Types of the regional groups, asked once in a process's life."""
    regional = regional_groups(service)
    asked = context.memory.kinds
    unknown = [group for group in regional if group not in asked]
    if unknown and asking and service.stated_lever is None:
        try:
            asked.update(context.traffic.kinds(unknown))
        except Unavailable as error:
            context.log("WARNING", f"the types of network endpoint groups are unknown: {error}")
    return {group: asked[group] for group in regional if group in asked}
