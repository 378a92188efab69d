"""`make fuzz`: every reader against inputs that nobody would write, for a given time.

    make fuzz ARGS='--seconds 60'                       all readers by all engines
    make fuzz ARGS='--seconds 600 --jobs 2 --target alert --engine dice'

Prints a row for each reader and engine. Ends with 1 on a finding, whose input is kept under
tests/fuzz/cases/ and replayed by every `make test` from then on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
from collections.abc import Iterable, Sequence

from tests.fuzz.engines import ENGINES, Run, has_atheris, run
from tests.fuzz.targets import BY_NAME

SHARES = {"dice": 0.6, "hypothesis": 0.15, "atheris": 0.25}
"""Of the time. Hypothesis makes few inputs a second, and Atheris needs a second to begin."""


def jobs(
    targets: Iterable[str], engines: Sequence[str], seconds: float, number: int
) -> list[tuple[str, str, float, int]]:
    """What is run, in seconds that come to those given."""
    names = list(targets)
    whole = sum(SHARES[engine] for engine in engines)
    return [
        (name, engine, seconds / len(names) * SHARES[engine] / whole, number + index)
        for index, name in enumerate(names)
        for engine in engines
    ]


def row(one: Run) -> str:
    """One row of the table."""
    rate = one.executions / one.seconds if one.seconds else 0
    took, size = one.slowest
    slowest = f"{took:.1f} ms / {size} B" if size else "-"
    return (
        f"{one.target:<14} {one.engine:<11} {one.executions:>11,} {rate:>9,.0f}"
        f" {len(one.findings):>9} {slowest:>20}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them; give the exit status."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for all of it (60)")
    parser.add_argument("--target", action="append", choices=list(BY_NAME), help="only this reader")
    parser.add_argument("--engine", action="append", choices=list(ENGINES), help="only by this one")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time (1)")
    parser.add_argument("--seed", type=int, default=None, help="of the dice; else another each run")
    options = parser.parse_args(arguments)
    engines = options.engine or list(ENGINES)
    if "atheris" in engines and not has_atheris():
        print("Atheris is not installed for this Python: nothing goes by coverage.")
        engines = [one for one in engines if one != "atheris"]
    number = secrets.randbelow(2**32) if options.seed is None else options.seed
    todo = jobs(options.target or BY_NAME, engines, options.seconds * options.jobs, number)
    print(f"seed {number}")
    print("reader         engine       executions  a second  findings              slowest")
    found = 0
    executions = 0
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=8) as pool:
        for one in pool.imap_unordered(run, todo):
            print(row(one), flush=True)
            for finding in one.findings:
                print(f"    FOUND {finding}")
            found += len(one.findings)
            executions += one.executions
    print(f"{executions:,} executions, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
