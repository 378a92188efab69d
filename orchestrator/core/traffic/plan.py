"""What to change so that the routing is as desired. Verify is this question asked again.

`plan` compares the desired routing of the state's epoch with a backend service as read. An empty
plan is the proof that nothing is left to do: the traffic *and* the mark are as desired. `body`
turns a plan into the one write that carries it out. Nothing here talks to the API.

Two levers. *Capacity*: `capacityScaler` of the region's groups, exactly 0 or what it was before.
*Membership*: the region's groups attached or not, for serverless network endpoint groups, on which
scalers do not exist. Fields that this version does not know are carried along at every depth, and
backends that no region claims are left as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.core.claims import matches, short_name
from orchestrator.core.exceptions import UnsafePlan
from orchestrator.core.model import NOTHING, Backend, Json, Mark, Routing, State
from orchestrator.core.policy import Lever, OnStateLoss, Service, Standby
from orchestrator.core.rule import Rule
from orchestrator.core.traffic.fence import (
    FROZEN_DIGITS,
    bare,
    is_cut,
    read_frozen,
    read_mark,
    write_mark,
)

DESCRIPTION = "description"
"""Key under `restore` that keeps a description which was too long to be kept beside the mark."""


LEAST_SCALER = 0.1
"""The lowest capacityScaler above 0 that the API takes (reference of backendServices)."""

RETIRED = "(retired)"
"""The region of groups whose own is no longer configured."""


class Verb(StrEnum):
    """What is done to one backend."""

    SCALE = "scale"
    ATTACH = "attach"
    DETACH = "detach"


@dataclass(frozen=True, slots=True)
class Change:
    """One backend's change. `backend` is as it must be. For a detach, as it was."""

    verb: Verb
    region: str
    backend: Backend

    def __str__(self) -> str:
        to = f" to {self.backend.scaler:g}" if self.verb is Verb.SCALE else ""
        return f"{self.verb} {self.region} {short_name(self.backend.group)}{to}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes, and the mark that they are to be written with.

    mark_before: that the resource carries. frozen, frozen_before: until when automation is frozen,
    as the mark is to tell and as it tells, in seconds since 1970; 0 for not.
    """

    resource: str
    lever: Lever
    changes: tuple[Change, ...]
    mark_before: Mark
    mark: Mark
    frozen: int = 0
    frozen_before: int = 0

    @property
    def empty(self) -> bool:
        """Nothing is left to do."""
        return not self.changes and self.mark_before == self.mark and not self.remarks

    @property
    def remarks(self) -> bool:
        """The mark tells of another freeze than the document, or of none."""
        return self.frozen != self.frozen_before

    @property
    def only_remarks(self) -> bool:
        """Nothing else is left to do than to have the mark tell of a freeze, or of its end."""
        return self.remarks and not self.changes and self.mark_before == self.mark

    @property
    def superseded(self) -> bool:
        """The resource carries a higher mark: somebody newer was here, and this plan is void."""
        return self.mark_before > self.mark

    @property
    def drift(self) -> bool:
        """Traffic differs although the mark is ours: half-done work, or somebody else's hand."""
        return bool(self.changes) and self.mark_before == self.mark

    def __str__(self) -> str:
        if self.empty:
            return f"{self.resource}: as desired"
        changes = ", ".join(map(str, self.changes)) or "the mark only"
        return f"{self.resource} by {self.lever}: {changes} (epoch {self.mark.epoch})"


def group_path(url: str) -> str:
    """A group's URL from `projects/` on: hosts, versions and partial paths compare equal."""
    at = url.find("projects/")
    return url[at:] if at >= 0 else url.lstrip("/")


def lever_of(service: Service, remembered: Lever | None) -> Lever:
    """How this service is moved: as stated, else as learnt from the API, else by its groups' URLs.

    A regional group of a global load balancer has no balancing mode whatever its type, so its URL
    is enough until the API has been asked.
    """
    if service.stated_lever:
        return service.stated_lever
    if not regional_groups(service):
        return Lever.CAPACITY
    return remembered or Lever.MEMBERSHIP


def regional_groups(service: Service) -> tuple[str, ...]:
    """The service's regional network endpoint groups: those whose type only the API knows."""
    groups = [group for region in service.regions for group in region.backends]
    return tuple(group for group in groups if is_regional(group))


def is_regional(group: str) -> bool:
    """Whether this is a regional network endpoint group."""
    return "/regions/" in group and "/networkEndpointGroups/" in group


def lever_from_kinds(kinds: Iterable[str]) -> Lever | None:
    """The lever that these network endpoint group types allow, None when none was learnt."""
    learnt = set(kinds)
    if not learnt:
        return None
    scaled = {"GCE_VM_IP_PORT", "NON_GCP_PRIVATE_IP_PORT"}
    return Lever.CAPACITY if learnt <= scaled else Lever.MEMBERSHIP


def mark_of(routing: Routing, service: Service) -> Mark:
    """The mark that the resource carries for this service; (0, 0) for none."""
    return read_mark(routing.description, service.name)


def named(routing: Routing, service: Service) -> tuple[str, ...]:
    """The configured regions that the resource names at all, in order of preference."""
    owners = {service.owner(backend.group) for backend in routing.backends}
    return tuple(name for name in service.names if name in owners)


def carrying(routing: Routing, service: Service) -> tuple[str, ...]:
    """The configured regions that get traffic as the resource stands, in order of preference."""
    getting = {service.owner(b.group) for b in routing.backends if b.scaler > 0}
    return tuple(name for name in service.names if name in getting)


def movable(routing: Routing, service: Service, lever: Lever, region: str) -> bool:
    """Whether traffic can be given to the region with this lever as the resource stands."""
    if lever is Lever.MEMBERSHIP:
        return bool(service.region(region).backends)
    return any(service.owner(backend.group) == region for backend in routing.backends)


def desired(state: State, service: Service) -> frozenset[str]:
    """The regions that this epoch gives capacity: who carries traffic, and attached standbys."""
    if service.standby is Standby.DRAINED:
        return frozenset(state.routing)
    standbys = (name for name in service.names if name in state.regions)
    return frozenset((*state.routing, *(n for n in standbys if state.regions[n].attach)))


def plan(state: State, routing: Routing, service: Service) -> Plan:
    """What to change so that the resource is as the state's epoch desires.

    At epoch 0 nothing has been decided and the plan is empty. Raises UnsafePlan when the result
    would leave the service without traffic.
    """
    lever = lever_of(service, state.lever)
    mark_before = mark_of(routing, service)
    _refuse_ambiguous(routing, service, lever)
    if state.mark.epoch == 0:
        return Plan(routing.name, lever, (), mark_before, mark_before)
    given = desired(state, service)
    if lever is Lever.CAPACITY:
        changes = tuple(_scales(state, routing, service, given))
    else:
        changes = tuple(_memberships(state, routing, service, given))
    frozen_before = read_frozen(routing.description, service.name)
    frozen = _frozen(state, service)
    whole = Plan(routing.name, lever, changes, mark_before, state.mark, frozen, frozen_before)
    refuse_unsafe(whole, routing, service)
    return whole


def _frozen(state: State, service: Service) -> int:
    """What the mark tells of a freeze: only where `on_state_loss: act` reads it."""
    if state.freeze is None or service.policy.on_state_loss is not OnStateLoss.ACT:
        return 0
    latest: int = 10**FROZEN_DIGITS - 1
    return min(int(state.freeze.until.timestamp()), latest)


def _scales(
    state: State, routing: Routing, service: Service, given: Collection[str]
) -> Iterable[Change]:
    for backend in routing.backends:
        region = _region(state, service, backend.group)
        if region is None:
            continue
        to = _given_scaler(state, backend, region) if region in given else 0.0
        if to != backend.scaler:
            yield Change(Verb.SCALE, region, _scaled(backend, to))


def _given_scaler(state: State, backend: Backend, region: str) -> float:
    """What a carrying region's backend must have: what it has, or was, or its ramp's share.

    A region that is not on a ramp keeps what a human has set above 0.
    """
    ceiling = state.ceilings.get(region)
    if ceiling is None:
        return backend.scaler or _full(state, backend.group)
    return min(1.0, max(LEAST_SCALER, round(_full(state, backend.group) * ceiling, 3)))


def _memberships(
    state: State, routing: Routing, service: Service, given: Collection[str]
) -> Iterable[Change]:
    attached = {backend.group: backend for backend in routing.backends}
    for backend in attached.values():
        yield from _membership(state, service, backend, given)
    claims = ((n, group) for n in service.names for group in service.region(n).backends)
    for name, group in claims:
        if name in given and group not in attached:
            yield Change(Verb.ATTACH, name, _attachable(state, group))


def _membership(
    state: State, service: Service, backend: Backend, given: Collection[str]
) -> Iterable[Change]:
    """The change of an attached backend: none where no region claims it."""
    region = _region(state, service, backend.group)
    if region is not None and region not in given:
        yield Change(Verb.DETACH, region, backend)
    elif region is not None and backend.scaler == 0:
        yield Change(Verb.SCALE, region, _scaled(backend, _full(state, backend.group)))


def _attachable(state: State, group: str) -> Backend:
    """The group as it was, as far as the document's word is taken for it.

    What is attached is the configured group, whatever path the document keeps, and its scaler is
    one that the API takes: who can write the document chooses no other group and no refusal.
    """
    before = state.restore.get(group, NOTHING)
    scaler = {"capacityScaler": _full(state, group)} if "capacityScaler" in before else NOTHING
    return Backend(group, {**before, "group": _full_url(group), **scaler})


def _region(state: State, service: Service, group: str) -> str | None:
    """Whose group this is: a region's, a retired one's, or nobody's that we know."""
    return service.owner(group) or (RETIRED if is_retired(state, group) else None)


def is_retired(state: State, group: str) -> bool:
    """Whether the group belonged to a region that is no longer configured."""
    return any(matches(claim, group) for claim in state.retired)


def _full(state: State, group: str) -> float:
    """The scaler that the group had before it was drained; 1.0 if none is known that can be."""
    before = state.restore.get(group, NOTHING).get("capacityScaler")
    if isinstance(before, int | float) and LEAST_SCALER <= before <= 1:
        return float(before)
    return 1.0


def _scaled(backend: Backend, to: float) -> Backend:
    return replace(backend, settings={**backend.settings, "capacityScaler": to})


def _full_url(group: str) -> str:
    return f"https://www.googleapis.com/compute/v1/{group}"


def _refuse_ambiguous(routing: Routing, service: Service, lever: Lever) -> None:
    """Never a group that two claims match, and never one to attach whose name is not known."""
    counts = Counter(backend.group for backend in routing.backends)
    for group, count in counts.items():
        owners = service.owners(group)
        if len(owners) > 1 or (owners and count > 1):
            claimed = f"matched by the `backend` of {' and of '.join(owners)}"
            how = claimed if len(owners) > 1 else "attached twice"
            raise UnsafePlan(
                Rule.BACKEND,
                f"{routing.name}: {group} is {how}, so it is unknown which region's"
                f" traffic it takes. Nothing is sent for {service.name}. Correct"
                " `backend` in the file, or the backend service",
            )
    if lever is Lever.MEMBERSHIP and service.patterns:
        raise UnsafePlan(
            Rule.BACKEND,
            f"{routing.name}: {service.patterns[0]} cannot be attached, because it does not name"
            f" one group. Nothing is sent for {service.name}. Write `lever: capacity`, or name the"
            " group without `*`",
        )


def refuse_unsafe(plan: Plan, routing: Routing, service: Service) -> None:
    """Never an empty `backends`, never every scaler 0, never a group that no region claims."""
    after = backends_after(plan, routing)
    for change in plan.changes:
        _refuse_foreign(change, plan, service)
    if any(service.owner(backend.group) for backend in after if backend.scaler > 0):
        return
    raise UnsafePlan(
        Rule.LAST_REGION,
        f"{routing.name}: after this change no region of {service.name} would get traffic. Nothing"
        " is sent. Attach a backend of the primary region again, or choose another primary",
    )


def _refuse_foreign(change: Change, plan: Plan, service: Service) -> None:
    """What is attached is the group of the region that it is attached for, and no other."""
    if change.verb is not Verb.ATTACH:
        return
    sent = group_path(str(change.backend.settings.get("group")))
    if sent == change.backend.group and service.owner(sent) == change.region:
        return
    raise UnsafePlan(
        Rule.BACKEND,
        f"{plan.resource}: {sent} is not a group that {change.region} of {service.name} claims."
        " Nothing is sent. Look at `restore` in the document, and restore a version without it:"
        f" `failoverctl state restore {service.name} --apply`",
    )


def backends_after(plan: Plan, routing: Routing) -> tuple[Backend, ...]:
    """The backends as they will stand, in their order, new ones last."""
    changed = {change.backend.group: change for change in plan.changes}
    after = []
    for backend in routing.backends:
        change = changed.pop(backend.group, None)
        if change is None:
            after.append(backend)
        elif change.verb is Verb.SCALE:
            after.append(change.backend)
    after += [change.backend for change in changed.values() if change.verb is Verb.ATTACH]
    return tuple(after)


def is_in_effect(plan: Plan, routing: Routing, service: Service) -> bool:
    """Whether the resource carries the plan's mark and every one of its changes.

    So a patch whose answer was lost is recognised, by whom ever it was made.
    """
    scalers = {backend.group: backend.scaler for backend in routing.backends}
    return (
        mark_of(routing, service) == plan.mark
        and read_frozen(routing.description, service.name) == plan.frozen
        and all(_is_changed(change, scalers) for change in plan.changes)
    )


def _is_changed(change: Change, scalers: Mapping[str, float]) -> bool:
    """Whether a resource with these scalers, by group, has this change."""
    if change.verb is Verb.DETACH:
        return change.backend.group not in scalers
    return scalers.get(change.backend.group) == change.backend.scaler


def body(plan: Plan, routing: Routing, service: Service) -> Json:
    """The one write that carries out the plan: traffic, mark and fingerprint together."""
    return {
        "backends": [dict(backend.settings) for backend in backends_after(plan, routing)],
        "description": write_mark(routing.description, service.name, plan.mark, plan.frozen),
        "fingerprint": routing.fingerprint,
    }


def remember(
    state: State,
    routing: Routing,
    service: Service,
    given: Collection[str],
    before: State | None = None,
) -> Mapping[str, Json]:
    """The state's `restore`, with what this epoch will drain or detach added as it is now.

    given: the regions that get capacity, which are left out.
    before: the document of the epoch that ends; it tells which backends are not as they were.
    """
    kept = dict(state.restore)
    for backend in routing.backends:
        region = _region(state, service, backend.group)
        if region is None or region in given:
            continue
        drained = bool(kept.get(backend.group))
        if before and not _is_own(before, service, region, drained=drained):
            continue
        kept |= _as_it_is(state, service, backend)
    if is_cut(routing.description, service.name, state.mark):
        kept[DESCRIPTION] = {"text": bare(routing.description, service.name)}
    return kept


def _is_own(before: State, service: Service, region: str, *, drained: bool) -> bool:
    """Whether a backend's settings are its own, not a ramp's step or a foreign change.

    drained: it was drained before, so what it was is kept already.
    """
    if before.ceilings.get(region, 1.0) < 1:
        return False
    return region in desired(before, service) or not drained


def _as_it_is(state: State, service: Service, backend: Backend) -> Mapping[str, Json]:
    """What a backend is before it is drained or detached, by its group.

    One with a scaler of 0 was drained by somebody already. What is kept of it stands, and says what
    it was.
    """
    scaler = {"capacityScaler": backend.scaler or _full(state, backend.group)}
    if lever_of(service, state.lever) is Lever.MEMBERSHIP:
        full = scaler if "capacityScaler" in backend.settings else NOTHING
        return {backend.group: {**backend.settings, **full}}
    if backend.scaler == 0:
        return {}
    return {backend.group: {**state.restore.get(backend.group, NOTHING), **scaler}}
