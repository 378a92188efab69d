"""Inputs from seeds, by dice: JSON changed by its structure, other text and any bytes as bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

HOSTILE: tuple[Any, ...] = (  # any JSON, and what Python alone takes for it
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 10**18, 10**19, 10**400, -(10**30), 1e308,
    0.1, -0.0, 5e-324, "", " ", "0", "1e999", "NaN", "\x00", "\x1b]0;x\x07", "\x9b", "\u202e",
    "\u2028", "\ud800", "\udfff\ud800", "\ufeff", "\U000e0041", "../../x", "/", ".", "..",
    "a" * 70,     "é" * 300,
    "us-east-1", "us-west-2", "eu-west-1", "checkout", "open", "closed", "up", "down", "verified",
    "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59",
    "2026-11-23/05:00:00+00:00", "2026-11-23T05:00:00Z", "2026-11-23",
    "2026-11-23T04:59:30.000001Z",
    "20261123T050000Z", 1763874000, 1763874000000, 253402300799, -62135596800, [], {}, [[]], [{}],
    {"a": None}, [None], {"": {}}, {"\ud800": 1}, {"us-east-1": {}}, ["us-east-1"], [1e308, "x"],
    {"rule": 1, "passed": "x"}, {"id": "../../x", "at": "2026-11-23T05:00:00Z", "epoch": 0},
)  # fmt: skip
"""Values that somebody would try."""

RAW = (b"1e999", b"Infinity", b"NaN", b"9" * 5000, b"[" * 200 + b"]" * 200, b'"\\ud800"', b"-", b"")
"""What stands in for a value in the text itself."""


MARKER = "@@here@@"


def parsed(seed: bytes) -> Any:  # any JSON
    """The JSON of a seed, None for one that is none."""
    try:
        return json.loads(seed)
    except ValueError:
        return None


def places(value: Any) -> Iterator[tuple[bytes, bytes, bytes]]:  # any JSON
    """Every value and key in it: the text before, its own text, and the text behind."""
    whole = {"": value}
    todo: list[tuple[Any, Any]] = [(whole, "")]
    while todo:
        parent, key = todo.pop()
        here = parent[key]
        parent[key] = MARKER
        before, after = json.dumps(whole[""]).split(f'"{MARKER}"')
        parent[key] = here
        yield before.encode(), json.dumps(here).encode(), after.encode()
        if isinstance(here, dict):
            todo += [(here, one) for one in here]
        elif isinstance(here, list):
            todo += [(here, one) for one in range(len(here))]


class Dice:
    """Mutations of one seed's kind, the same ones for the same number."""

    def __init__(self, seeds: tuple[bytes, ...], number: int, *, is_json: bool) -> None:
        self._random = random.Random(number)
        self._seeds = list(seeds)
        self._parsed = list(filter(None, map(parsed, seeds))) if is_json else []
        self._places = [place for one in self._parsed for place in places(one)]
        self._values = [json.dumps(one).encode() for one in HOSTILE] + [one for one in RAW if one]
        self._words = sorted({word for seed in seeds for word in seed.split()})

    def throw(self) -> bytes:
        """One input."""
        if self._parsed and self._random.random() < 0.75:
            return self._structured()
        return self._bytes(self._random.choice(self._seeds))

    def _structured(self) -> bytes:
        """A seed with one value of it replaced: by far the most of them, because it is fast."""
        if self._random.random() < 0.15:
            return self._rebuilt()
        before, was, after = self._random.choice(self._places)
        given = self._random.random()
        if given < 0.7:
            return before + self._random.choice(self._values) + after
        if given < 0.9:
            return before + self._random.choice(self._places)[1] + after
        return before + self._bytes(was) + after

    def _rebuilt(self) -> bytes:
        """A seed with several places changed, whatever they become."""
        value = json.loads(json.dumps(self._random.choice(self._parsed)))
        for _ in range(self._random.choice((1, 2, 3, 6))):
            value = self._changed(value)
        ascii_only = self._random.random() < 0.7
        try:
            return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return b"0"

    def _changed(self, value: Any) -> Any:  # any JSON
        """The value with one place of it changed."""
        path: list[tuple[Any, Any]] = []
        here = value
        while isinstance(here, dict | list) and here and self._random.random() < 0.85:
            key = self._random.choice(list(here) if isinstance(here, dict) else range(len(here)))
            path.append((here, key))
            here = here[key]
        if not path:
            return self._hostile(value)
        parent, key = path[-1]
        self._change(parent, key)
        return value

    def _change(self, parent: Any, key: Any) -> None:  # a mapping or list of JSON
        match self._random.randrange(8):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                name = self._random.choice([one for one in HOSTILE if isinstance(one, str)])
                parent[name] = parent.pop(key)
            case 2 if isinstance(parent, dict):
                other = self._random.choice(list(parent))
                parent[key], parent[other] = parent[other], parent[key]
            case 3 if isinstance(parent, list):
                parent.extend([parent[key]] * self._random.choice((1, 2, 50)))
            case _:
                parent[key] = self._hostile(parent[key])

    def _hostile(self, value: Any) -> Any:  # any JSON
        match self._random.randrange(6):
            case 0 if isinstance(value, str):
                at = self._random.randrange(len(value) + 1)
                word = self._random.choice([one for one in HOSTILE if isinstance(one, str)])
                return value[:at] + word + value[at:]
            case 1 if isinstance(value, int | float) and not isinstance(value, bool):
                return value + self._random.choice((-1, 1, 10**6, -(10**9)))
            case 2:
                return [value]
            case 3:
                return {"x": value}
            case _:
                return copy.deepcopy(self._random.choice(HOSTILE))

    def _bytes(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.choice((1, 1, 2, 4, 16))):
            self._change_bytes(changed)
        return bytes(changed)

    def _change_bytes(self, data: bytearray) -> None:
        at = self._random.randrange(len(data) + 1)
        end = min(len(data), at + self._random.choice((1, 1, 2, 8, 64)))
        changes: tuple[Callable[[], bytes], ...] = (
            lambda: b"",
            lambda: self._random.randbytes(max(1, end - at)),
            lambda: self._random.choice(self._words) if self._words else b"",
            lambda: bytes(data[at:end]) * 2,
            lambda: self._random.choice(RAW),
            lambda: str(self._random.choice(HOSTILE)).encode("utf-8", "surrogatepass")[:400],
        )
        data[at:end] = self._random.choice(changes)()
