#!/usr/bin/env python3
"""Asks for advisories about every version that is pinned here (`make audit`).

    python tests/tools/audit.py [--pip-audit PROGRAM] FILE... [-- ARGUMENTS OF pip-audit]

Exit 1 if there is one. If the database cannot be reached it says that nothing is known, and exits
0, because no connection is no fault of the pins. Exit 2 if pip-audit fails for another reason. A
version that the database could not judge is named: that is not the same as having no advisory.
Standard library only.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_CUT_OFF = re.compile(r"ConnectionError|Timeout|ProxyError|SSLError|HTTPError|Could not connect")
_REASON = 200
"""Characters of the program's last line that are shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was told of one file. unknown: why nothing was, if so. cut_off: nobody was reached."""

    found: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    unknown: str = ""
    cut_off: bool = False


def pins(file: Path) -> frozenset[tuple[str, str]]:
    """Names and versions in a file of requirements."""
    return frozenset(_PIN.findall(file.read_text(encoding="utf-8")))


def needed(files: Sequence[Path]) -> Iterator[Path]:
    """The files, but for those whose pins all stand in another one that is asked about."""
    known: list[frozenset[tuple[str, str]]] = []
    for file in sorted(files, key=lambda file: (-len(pins(file)), str(file))):
        if not any(pins(file) <= other for other in known):
            known.append(pins(file))
            yield file


def ask(program: str, file: Path, more: Sequence[str]) -> Answer:
    """What the database knows about the pins of one file."""
    how = ("--progress-spinner=off", "--require-hashes", "--disable-pip", "--format=json")
    done = subprocess.run(
        [program, *how, *more, "--requirement", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return judged(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError):
        said = done.stderr.strip().splitlines() or ["no reason given"]
        return Answer(unknown=said[-1][:_REASON], cut_off=bool(_CUT_OFF.search(done.stderr)))


def judged(told: Any) -> Answer:
    """The program's answer. Raises KeyError, TypeError or AttributeError for what is none."""
    found, unjudged = [], []
    for one in told["dependencies"]:
        if "skip_reason" in one:
            unjudged.append(f"{one['name']}: {one['skip_reason']}")
        for advisory in one.get("vulns", ()):
            fixed = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
            pin = f"{one['name']}=={one['version']}"
            found.append(f"{pin}: {advisory['id']}, corrected in {fixed}")
    return Answer(tuple(found), tuple(unjudged))


def lines(file: Path, answer: Answer) -> Iterator[str]:
    """What people read about one file."""
    if answer.unknown:
        yield f"{file}: no advisories could be read, so nothing is known: {answer.unknown}"
        return
    yield f"{file}: {len(pins(file))} versions, advisories: {len(answer.found)}"
    yield from (f"  {one}" for one in answer.found)
    yield from (f"  not judged, so nothing is known: {one}" for one in answer.unjudged)


def main(arguments: list[str]) -> int:
    """Ask about every file; give the exit status."""
    parser = argparse.ArgumentParser(description="Asks for advisories about pinned versions")
    parser.add_argument("--pip-audit", default=str(Path(sys.executable).with_name("pip-audit")))
    parser.add_argument("words", nargs="+", metavar="FILE")
    given, _, more = (list(part) for part in _split(arguments))
    wished = parser.parse_args(given)
    answers = []
    for file in needed([Path(word) for word in wished.words]):
        answers.append(ask(wished.pip_audit, file, more))
        sys.stdout.writelines(f"{line}\n" for line in lines(file, answers[-1]))
    if all(answer.cut_off for answer in answers):
        sys.stdout.write("No advisories were read here: this says nothing about the pins.\n")
    return status(answers)


def status(answers: Sequence[Answer]) -> int:
    """The exit status."""
    if any(answer.found for answer in answers):
        return 1
    return 2 if any(answer.unknown and not answer.cut_off for answer in answers) else 0


def _split(words: list[str]) -> tuple[list[str], list[str], list[str]]:
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at : at + 1], words[at + 1 :]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
