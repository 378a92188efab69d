"""How long each reader takes for the worst 1 MiB that is known: `make bench-readers`.

Prints milliseconds of the processor, the best of five, and whether the reader took the input or
refused it. A reader that is above the limit ends it with 1: a message or document that takes long
to read delays the failover behind it.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from orchestrator.adapters.health_answer import BODY_BYTES, probe_of, read_json
from orchestrator.client.document import read_document
from orchestrator.config import load
from orchestrator.config.kinds import _group, _health_url
from orchestrator.core.document.codec import decode
from orchestrator.core.document.flat import decode_flat
from orchestrator.core.document.restoration import highest_epoch
from orchestrator.core.exceptions import FailoverError
from orchestrator.core.outside.endpoints import origin_of
from orchestrator.core.outside.limits import INCIDENTS_READ
from orchestrator.core.outside.reading import Corrupt
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.core.traffic.fence import read_mark
from orchestrator.intake.condition import checks_of
from orchestrator.intake.evidence import same_url
from orchestrator.intake.parse import Message, parse_alert, parse_control, unwrap
from tests.fuzz import seeds
from tests.fuzz.targets import SERVICES, Answer
from tests.support.fakes import START

MIB = 1024 * 1024
LIMIT = 50.0
"""Milliseconds for 1 MiB."""

Reader = Callable[[bytes], object]


def _text(read: Callable[[str], object]) -> Reader:
    return lambda data: read(data.decode("utf-8", "replace"))


def _alert(data: bytes) -> object:
    return parse_alert(Message(data, "m", START), SERVICES)


def _control(data: bytes) -> object:
    return parse_control(Message(data, "m", START), SERVICES)


def _enveloped(data: bytes) -> bytes:
    return json.dumps({"message": {"data": base64.b64encode(data).decode()}}).encode()


def _push(data: bytes) -> object:
    return _alert(unwrap(data, START).data)


READERS: Mapping[str, Reader] = {
    "envelope": _push,
    "alert": _alert,
    "control": _control,
    "condition": _text(lambda text: checks_of([text])),
    "configuration": _text(lambda text: load(text, "bench")),
    "document": lambda data: decode(data, "checkout", [START.timestamp()]),
    "client": read_document,
    "flat": decode_flat,
    "highest epoch": highest_epoch,
    "health": lambda data: probe_of(200, read_json(Answer(data))),  # type: ignore[arg-type]  # what is read of it
    "mark": _text(lambda text: read_mark(text, "checkout")),
    "health URL": _text(_health_url),
    "group": _text(_group),
    "redis URL": _text(read_redis_url),
    "endpoint": _text(origin_of),
    "URL": _text(same_url),
}


def _filled(before: str, unit: str, after: str = "") -> bytes:
    room = MIB - len(before.encode()) - len(after.encode())
    return (before + unit * (room // len(unit.encode())) + after).encode()


def _many_incidents() -> bytes:
    document = json.loads(seeds.documents()[1])
    one = {"region": "us-east-1", "state": "open", "started_at": "2026-11-23T05:00:00Z"}
    document["incidents"] = {f"0.{n}": one for n in range(INCIDENTS_READ)}
    return json.dumps(document).encode()


def _many_moves() -> bytes:
    document = json.loads(seeds.documents()[1])
    one = {"at": "2026-11-23T05:00:00Z", "epoch": 1, "left": ["a"], "to": ["b"]}
    document["moves"] = [one] * 5000
    return json.dumps(document).encode()


def inputs(seed: bytes) -> Mapping[str, bytes]:
    """The worst that is known, around what the reader usually reads."""
    head = seed.decode("utf-8", "replace").rstrip().removesuffix("}")
    return {
        "one long text": _filled(f'{head}, "x": "', "x", '"}'),
        "escapes": _filled(f'{head}, "x": "', "\\u0041", '"}'),
        "surrogates": _filled(f'{head}, "x": "', "\\ud800", '"}'),
        "hidden characters": _filled(f'{head}, "x": "', "\u202e", '"}'),
        "nesting": _filled("", "["),
        "nested objects": _filled("", '{"a":'),
        "many lists": _filled(f'{head}, "x": [', "[],", "[]]}"),
        "many numbers": _filled(f'{head}, "x": [', "1,", "1]}"),
        "many keys": ("{" + ",".join(f'"{n}":{n}' for n in range(75_000)) + "}").encode()[:MIB],
        "long integers": _filled(f'{head}, "x": [', "9" * 4299 + ",", "1]}"),
        "an integer too long": _filled("", "9"),
        "long fractions": _filled(f'{head}, "x": 0.', "1", "}"),
        "large exponents": _filled(f'{head}, "x": [', "1e308,", "1]}"),
        "commas in a text": _filled(f'{head}, "x": "', ",", '"}'),
        "blanks": _filled("", " "),
        "digits": _filled("serial: ", "1", "x"),
        "slashes": _filled("https://", "://"),
        "at signs": _filled("redis://", "@"),
        "colons": _filled("http://[", ":"),
        "half marks": _filled("", "failover epoch=1 service=checkout rev="),
        "marks": _filled("", "failover epoch=1 service=checkout rev=1 "),
        "check ids": _filled("", "check_id=x AND "),
        "quotes": _filled("check_id=", '"\\'),
        "parentheses": _filled("check_id=x ", "("),
        "epochs": _filled("", '"epoch"  '),
        "stars": _filled("projects/p/zones/", "*"),
        "dashes": _filled("projects/p/zones/z/instanceGroups/", "a-"),
        "unusual lines": _filled("", "- yes\n"),
        "zero bytes": bytes(MIB),
        "high bytes": b"\xff" * MIB,
        "many moves": _many_moves(),
        "many incidents": _many_incidents(),
    }


SEEDS: Mapping[str, bytes] = {
    "envelope": seeds.alerts()[0],
    "alert": seeds.alerts()[0],
    "control": seeds.commands()[1],
    "document": seeds.documents()[1],
    "client": seeds.documents()[1],
    "flat": seeds.flats()[0],
    "health": seeds.healths()[0],
}


def measured(read: Reader, data: bytes) -> tuple[float, str]:
    """Milliseconds at best of five, and what came of it."""
    took, came = float("inf"), ""
    for _ in range(5):
        began = time.process_time()
        try:
            read(data)
            came = "read"
        except (FailoverError, Corrupt, ValueError):
            came = "refused"
        took = min(took, 1000 * (time.process_time() - began))
    return took, came


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; give the exit status."""
    parser = argparse.ArgumentParser(prog="make bench-readers", description=__doc__.split("\n")[0])
    parser.add_argument("--reader", action="append", choices=list(READERS))
    parser.add_argument("--all", action="store_true", help="every input, not only the worst")
    options = parser.parse_args(arguments)
    print("| reader | worst input | bytes | ms | comes to |\n| --- | --- | --- | --- | --- |")
    worst = 0.0
    for name in options.reader or READERS:
        rows = []
        for what, data in inputs(SEEDS.get(name, b"{}")).items():
            given = _enveloped(data) if name == "envelope" else data
            rows.append((*measured(READERS[name], given), what, len(given)))
        rows.sort(reverse=True)
        worst = max(worst, rows[0][0])
        for took, came, what, size in rows if options.all else rows[:1]:
            print(f"| {name} | {what} | {size:,} | {took:.1f} | {came} |", flush=True)
    print(
        f"\nworst: {worst:.1f} ms of at most {LIMIT:g}; health bodies end at {BODY_BYTES:,} bytes"
    )
    return 1 if worst > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
