"""YAML that two readers of one file may read differently, and what ours makes of each text.

REFUSED: texts of which at least one program makes something else than people mean. TAKEN: texts
that every program reads alike, and what they mean.
"""

from __future__ import annotations

from typing import Any

REFUSED_SCALARS = (
    *("010", "09", "0777", "-010", "00", "0o10", "08.5"),
    *("1e3", "1E3", "1.e3", "1.0e3", "1.5e-3", "1.0e+3", "1e400"),
    *("1:30", "1:30.5", "12:34:56", "190:20:30"),
    *("2026_11_24", "1_000", "1__0", "1_", "1_0.5"),
    *("2026-11-24", "2026-1-2", "2026-11-24T10:00:00Z", "2026-11-24 10:00:00"),
    *("yes", "No", "on", "OFF", "y", "N"),
    *(".inf", "-.inf", ".NaN"),
    *("0x1F", "-0x1F", "0b1", "+1", "+.5", "-.5", ".5", "5."),
    *("=", "<<"),
    *("!!str 010", "!!int '3'", "!!float 1", "!!binary aGk=", "!!timestamp 2026-11-24", "!own a"),
    *("${PROJECT}", '"${PROJECT}"', "gs://${PROJECT}-failover"),
    '"e\u0301"',
)
REFUSED_TEXTS = {
    "a merge": "a: &a {b: 1}\nc:\n  <<: *a\n",
    "a merge of a list": "a: &a {b: 1}\nc: &c {b: 2}\nd:\n  <<: [*a, *c]\n",
    "a merge in quotes": "a:\n  '<<': {b: 1}\n",
    "an alias": "a: &a [1]\nb: *a\n",
    "a key that stands twice": "a: 1\na: 2\n",
    "a key that stands twice, once in quotes": "a: 1\n'a': 2\n",
    "an octal key": "010: x\n",
    "a key that is a truth": "yes: x\n",
    "a key that may be a truth": "y: x\n",
    "a date as a key": "2026-11-24: x\n",
    "a set": "!!set {a, b}\n",
    "a list of pairs": "!!omap [a: 1]\n",
    "two documents": "a: 1\n---\na: 2\n",
    "a tab as indentation": "a:\n\tb: 1\n",
    "a version of YAML": "%YAML 1.2\n---\na: 1\n",
    "a tag's prefix": "%TAG ! tag:x,2000:\n---\na: 1\n",
    "a mapping as a key": "? {a: 1}\n: b\n",
    "a list as a key": "? [a]\n: b\n",
    "no key": ": x\n",
}
TAKEN_SCALARS: dict[str, Any] = {
    "7": 7,
    "-7": -7,
    "0": 0,
    "0.5": 0.5,
    "-12.25": -12.25,
    "99999999999999999999": 99999999999999999999,
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "": None,
    "10m": "10m",
    "500ms": "500ms",
    "1.5h": "1.5h",
    "203.0.113.1": "203.0.113.1",
    "2a00::1": "2a00::1",
    "us-east-1": "us-east-1",
    "yess": "yess",
    "'010'": "010",
    '"yes"': "yes",
    "'2026-11-24'": "2026-11-24",
    '"\\u00e9"': "é",
    "https://x.example.com:8443/healthz#z": "https://x.example.com:8443/healthz#z",
    "|\n  010\n": "010\n",
    "{b: 1, c: [x, 2]}": {"b": 1, "c": ["x", 2]},
    "&b c": "c",
}
TAKEN_TEXTS: dict[str, tuple[str, Any]] = {
    "a byte order mark": ("\ufeffa: 1\n", {"a": 1}),
    "a beginning and an end": ("---\na: 1\n...\n", {"a": 1}),
    "Windows' line ends": ("a: 1\r\nb: x\r\n", {"a": 1, "b": "x"}),
    "JSON": ('{"a": [1, 2.5, null, true, "010"]}', {"a": [1, 2.5, None, True, "010"]}),
    "a tab after a colon": ("a:\tb\n", {"a": "b"}),
}


def refused() -> dict[str, str]:
    """Every text that is refused, by what it shows."""
    return {**{one: f"a: {one}\n" for one in REFUSED_SCALARS}, **REFUSED_TEXTS}


def taken() -> dict[str, tuple[str, Any]]:
    """Every text that is read, with what it means, by what it shows."""
    scalars = {one: (f"a: {one}\n", {"a": meant}) for one, meant in TAKEN_SCALARS.items()}
    return {**scalars, **TAKEN_TEXTS}
