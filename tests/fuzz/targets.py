"""Every reader of what comes from outside, each with what must hold of whatever it reads.

A target takes bytes. It returns for what its reader accepts and for what it refuses with an error
that it declares. Anything else is a finding: another exception, or an oracle that does not hold.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from orchestrator.adapters.health_answer import BODY_BYTES, probe_of, read_json, role_of
from orchestrator.client.document import Document, read_document
from orchestrator.client.document._entries import HIGHEST
from orchestrator.client.sources import source
from orchestrator.config import load
from orchestrator.config.kinds import _group, _health_url, _redis, _state
from orchestrator.core.document import flat
from orchestrator.core.document.codec import decode, encode
from orchestrator.core.document.public import public_revision, public_view
from orchestrator.core.document.size import fitted
from orchestrator.core.exceptions import BadConfig, BadEvent, FailoverError, UnsafePlan
from orchestrator.core.model import (
    AlertClosed,
    AlertOpened,
    Command,
    Mark,
    State,
    Tick,
    Verdict,
    Wish,
)
from orchestrator.core.outside.endpoints import is_dynamodb, origin_of
from orchestrator.core.outside.ids import is_object_name, plain_id
from orchestrator.core.outside.limits import EPOCHS, HISTORY, ID, MOST_REGIONS, PROBLEMS, TEXT
from orchestrator.core.outside.reading import Corrupt
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.core.outside.shown import HIDDEN
from orchestrator.core.rules import LONGEST_FREEZE
from orchestrator.core.traffic.fence import (
    MAX_DESCRIPTION,
    bare,
    is_cut,
    read_frozen,
    read_mark,
    write_mark,
)
from orchestrator.intake.condition import checks_of
from orchestrator.intake.evidence import hosts, same_url
from orchestrator.intake.parse import (
    MAX_BYTES,
    YEARS,
    Ignored,
    Message,
    parse_alert,
    parse_control,
    unwrap,
)
from tests.fuzz import seeds
from tests.support.fakes import START, Lab, lab

CASES = Path(__file__).parent / "cases"

LONGEST_ERROR = 5000
"""Characters of an error's text: a log line has fewer, and an error may quote what came in."""

SERVICES = seeds.services()
CHECKOUT = SERVICES["checkout"]
OTHERS = ("other", "check", "checkout-2")


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    seeds: what it reads usually. is_json: they are changed by their structure. cases: where inputs
    that were found are kept.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    is_json: bool = True
    cases: Path = CASES


def refused(error: Exception) -> None:
    """What holds of every error: it is short."""
    assert len(str(error)) <= LONGEST_ERROR, f"an error of {len(str(error))} characters"


def clean(text: str, longest: int) -> None:
    """What holds of every text that is kept: it is bounded, and hides nothing."""
    assert len(text) <= longest
    assert not HIDDEN.search(text), ascii(text)


# --- messages ------------------------------------------------------------------------------------


def envelope(data: bytes) -> None:
    """A message's data is bounded, and its time lies where clocks are."""
    try:
        message = unwrap(data, START)
    except BadEvent as error:
        refused(error)
        return
    assert len(message.data) <= MAX_BYTES
    assert YEARS[0] <= message.published.year < YEARS[1]
    clean(message.id, TEXT)


def _safe_id(identity: str) -> None:
    assert plain_id(identity) == identity
    assert len(identity) <= ID
    assert is_object_name(f"journal/checkout/{identity}.json") or identity.startswith(".")


def alert(data: bytes) -> None:
    """The region is configured, the id is safe, and the times are in order."""
    try:
        found = parse_alert(Message(data, "m1", START), SERVICES)
    except BadEvent as error:
        refused(error)
        clean(str(error), LONGEST_ERROR)
        return
    if isinstance(found, Ignored):
        clean(found.reason, LONGEST_ERROR)
        return
    assert found
    for one in found:
        signal = one.signal
        assert isinstance(signal, AlertOpened | AlertClosed)
        assert signal.region in SERVICES[one.service].names
        _safe_id(signal.incident_id)
        assert signal.started_at <= START
        assert not isinstance(signal, AlertClosed) or signal.started_at <= signal.ended_at
        if one.note:
            clean(one.note.text, LONGEST_ERROR)


def control(data: bytes) -> None:
    """A command is whole, bounded and for a region that its service has."""
    try:
        found = parse_control(Message(data, "m1", START), SERVICES)
    except BadEvent as error:
        refused(error)
        clean(str(error), LONGEST_ERROR)
        return
    for one in found:
        assert one.service in SERVICES
        if isinstance(one.signal, Tick):
            continue
        made = one.signal
        assert isinstance(made, Command)
        _safe_id(made.id)
        assert made.actor
        assert made.reason
        for text, longest in ((made.actor, TEXT), (made.reason, TEXT), (made.override, TEXT)):
            clean(text, longest)
        assert not made.region or made.region in SERVICES[one.service].names
        assert made.wish is not Wish.FREEZE or (
            made.until is not None and made.until <= made.issued_at + LONGEST_FREEZE
        )


def condition(data: bytes) -> None:
    """A check that is certain is one that is named, in its plain form."""
    found = checks_of([data.decode("utf-8", "replace")])
    assert not found.sure or found.sure in found.named
    assert re.fullmatch(r"[a-z0-9_-]*", found.sure)


# --- the file ------------------------------------------------------------------------------------


def _told_shortly(error: BadConfig) -> None:
    assert 0 < len(error.problems) <= PROBLEMS + 1
    for one in error.problems:
        for line in str(one).split("\n"):
            clean(line, LONGEST_ERROR)


def configuration(data: bytes) -> None:
    """Problems are bounded and told in lines that hide nothing; what is taken can be used."""
    text = data.decode("utf-8", "replace")
    try:
        found = load(text, "fuzz")
    except BadConfig as error:
        _told_shortly(error)
        return
    assert load(text, "fuzz") == found
    for name, service in found.services.items():
        assert re.fullmatch("[a-z][a-z0-9-]{0,62}", name)
        assert 0 < len(service.regions) <= MOST_REGIONS
        for region in service.regions:
            assert origin_of(region.endpoint) is not None
            assert hosts(region.health_url) or not region.health_url


# --- documents -----------------------------------------------------------------------------------


def _told(found: Document) -> tuple[object, ...]:
    regions = {
        name: (one.endpoint, one.healthy, one.fenced_until) for name, one in found.regions.items()
    }
    return found.revision, found.epoch, found.primary, regions


def _client(data: bytes) -> tuple[object, ...] | None:
    try:
        return _told(read_document(data))
    except Corrupt:
        return None


def _agree(state: State, read: tuple[object, ...]) -> None:
    """The client has read what the orchestrator has read."""
    revision, epoch, primary, regions = read
    assert (revision, epoch, primary) == (state.revision, state.epoch, state.primary)
    for name, told in cast("Mapping[str, object]", regions).items():
        one = state.regions[name]
        assert told == (one.endpoint, one.healthy, one.fenced_until)


def document(data: bytes) -> None:
    """What is read can be written, is read the same again, and is the same to applications."""
    try:
        state = decode(data, "checkout", [START.timestamp()])
    except Corrupt as error:
        refused(error)
        return
    written = encode(state)
    again = decode(written, "checkout")
    assert again == replace(state, history=state.history[:HISTORY])
    assert encode(again) == written
    assert decode(fitted(state).data, "checkout").primary == state.primary
    raw = _client(data)
    if raw is not None and _has_told_health(data):
        _agree(state, raw)
    whole, public = _client(written), _client(public_view(state))
    assert public is None or whole is None or public == whole
    if whole is not None:
        _agree(state, whole)
    assert public_revision(public_view(state)) == state.revision


def _has_told_health(data: bytes) -> bool:
    """Whether `healthy` says what `status` says: applications read the one, we the other."""
    regions = json.loads(data)["regions"].values()
    return all(one.get("healthy") is (one.get("status") == "up") for one in regions)


def tick(data: bytes) -> None:
    """A tick runs over every document that can be read, and raises only what is declared."""
    world = _world()
    world.objects.put("checkout.json", data, 0)
    world.clock.at = START + timedelta(minutes=5)
    try:
        world.tick()
    except FailoverError as error:
        refused(error)
    faults = [line for line in world.lines if "fault" in line]
    assert not faults, faults[0]["message"]
    for name in world.objects.names(""):
        assert is_object_name(name)


def _world() -> Lab:
    made = lab()
    made.executor = seeds.INLINE
    return made


def flat_file(data: bytes) -> None:
    """The older file upgrades a document, and is written so that it can be read."""
    try:
        found = flat.decode_flat(data)
    except Corrupt as error:
        refused(error)
        return
    state = flat.upgrade(seeds.state(), found, START)
    assert set(state.regions) == set(seeds.state().regions)
    assert all(one.region in state.regions for one in state.incidents.values())
    written = flat.encode_flat(state, found)
    assert set(flat.decode_flat(written)) == {*found, *state.regions}
    assert decode(encode(state), "checkout") == state


def client(data: bytes) -> None:
    """An accepted document has its primary among its regions, and only endpoints to be used."""
    try:
        found = read_document(data)
    except Corrupt as error:
        refused(error)
        return
    assert found.primary in found.names
    assert len(found.names) <= MOST_REGIONS
    assert 0 <= found.revision < HIGHEST
    assert 0 <= found.epoch < EPOCHS
    for entry in found.regions.values():
        assert is_dynamodb(entry.endpoint, entry.name, entry.stated)
        assert urlsplit(entry.endpoint_url).hostname
        entry.fenced(START)


# --- what answers --------------------------------------------------------------------------------


class Answer:
    """An answer whose body is this, read as the library gives it."""

    def __init__(self, body: bytes) -> None:
        self._body, self.length = body, 0

    def read(self, size: int) -> bytes:
        """At most so much."""
        return self._body[:size]


def health(data: bytes) -> None:
    """Nothing in a body changes what the status says, and a lag is a number or unknown."""
    told = read_json(cast("seeds.HttpAnswer", Answer(data)))
    assert told is None or len(data) <= BODY_BYTES
    probe = probe_of(200, told)
    assert probe.verdict is Verdict.HEALTHY
    assert probe_of(503, told).verdict is Verdict.FAILING
    for name, seconds in probe.lag.items():
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
        assert probe.behind(name) is not None
    role = role_of(probe, told)
    assert role.epoch >= 0
    clean(role.detail, TEXT)


def mark(data: bytes) -> None:
    """What is written is read, other services' marks stay, and the text fits the API."""
    text = data.decode("utf-8", "replace")
    mark = Mark(int.from_bytes(data[:6], "big"), int.from_bytes(data[6:13], "big"))
    before = read_mark(text, "checkout")
    assert 0 <= before.epoch < EPOCHS
    assert read_frozen(text, "checkout") >= 0
    text = text[:MAX_DESCRIPTION]
    for frozen in (0, 1_800_000_000):
        try:
            written = write_mark(text, "checkout", mark, frozen)
        except UnsafePlan as error:
            refused(error)
            continue
        assert len(written) <= MAX_DESCRIPTION
        assert read_mark(written, "checkout") == mark
        assert read_frozen(written, "checkout") == frozen
        assert all(read_mark(written, one) == read_mark(text, one) for one in OTHERS)
        again = write_mark(written, "checkout", mark, frozen)  # what was cut may leave a rest
        assert write_mark(again, "checkout", mark, frozen) == again
        is_cut(text, "checkout", mark)
    assert read_mark(bare(text, "checkout"), "checkout") == Mark()


def urls(data: bytes) -> None:
    """Each reader of a URL refuses with ValueError, and repeats no password."""
    text = data.decode("utf-8", "replace")
    assert not (is_dynamodb(text, "us-east-1") and origin_of(text) is None)
    same_url(text)
    for reads in (_health_url, _group, _redis, _state):
        try:
            reads(text)
        except ValueError as error:
            refused(error)
        else:
            assert reads is not _health_url or hosts(text)
    _redis_url(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source(text)
        except ValueError:
            return


def _repeats_nothing(text: str, error: ValueError) -> None:
    secret = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
    assert len(secret) < 6 or secret not in str(error)


def _redis_url(text: str) -> None:
    try:
        found = read_redis_url(text)
    except ValueError as error:
        _repeats_nothing(text, error)
        return
    secret = found.password or ""
    assert len(secret) < 6 or secret in found.host or secret not in found.shown
    assert 0 < found.port <= 65535
    assert unquote(found.host) is not None


def _examples(folder: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(Path(folder).glob("*.json")))


ALERTS = _examples("examples/alerts")

TARGETS: tuple[Target, ...] = (
    Target("envelope", envelope, seeds.envelopes(ALERTS)),
    Target("alert", alert, (*ALERTS, *seeds.alerts())),
    Target("control", control, seeds.commands()),
    Target("condition", condition, seeds.conditions(), is_json=False),
    Target("configuration", configuration, seeds.files(), is_json=False),
    Target("document", document, seeds.documents()),
    Target("tick", tick, seeds.documents()),
    Target("flat", flat_file, seeds.flats()),
    Target("health", health, seeds.healths()),
    Target("mark", mark, seeds.marks(), is_json=False),
    Target("urls", urls, seeds.urls(), is_json=False),
    Target("client", client, seeds.documents()),
)

BY_NAME: Mapping[str, Target] = {one.name: one for one in TARGETS}
