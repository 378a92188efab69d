"""No test takes its result from how fast the machine is. What must, stands here with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clocks import BOUND, POLL, SLEEP, STAMP, findings

TESTS = Path(__file__).parents[1]

TIMED = ("bench/", "fuzz/engines.py")
"""Where time is what is asked for: speed is measured, or random inputs are tried for so long."""

ALLOWED = {
    "client/faults/test_deadline.py::test_a_call_ends_at_its_deadline_while_no_region_answers": (
        "seconds are what is promised: a second is left to a busy machine, and no region ever ends"
    ),
    "support/load.py::lose": "the time that detection takes in the world is what is simulated",
}
"""`file::function` below tests/, and why it has to be so. Better: await an event, count, or let a
clock be given. `tests/bench` is where speed is measured."""


def test_no_test_depends_on_how_fast_the_machine_is() -> None:
    """A sleep or an upper bound in seconds fails on a busy machine, and proves nothing on a fast
    one."""
    found, used = [], set()
    for path in sorted(TESTS.rglob("*.py")):
        name = path.relative_to(TESTS).as_posix()
        for one in () if name.startswith(TIMED) else findings(path.read_text()):
            key = f"{name}::{one.function}"
            if key in ALLOWED:
                used.add(key)
            else:
                found.append(f"tests/{name}:{one.line}: {one.what}, in {one.function or 'module'}")
    assert found == [], "await an event, count, or let a clock be given"
    assert used == set(ALLOWED), "what is allowed and not there any more"


@pytest.mark.parametrize(
    ("source", "whats"),
    [
        ("time.sleep(1)", [SLEEP]),
        ("await asyncio.sleep(1)", [SLEEP]),
        ("threading.Event().wait(1)", [SLEEP]),
        ("released.wait(1)", []),
        ("assert time.monotonic() - began < 1", [BOUND]),
        ("assert 1 > perf_counter() - began", [BOUND]),
        ("took = time.monotonic() - t\nassert 0.5 < took < 3", [BOUND]),
        ("took = datetime.now(UTC) - t\nassert took <= hour", [BOUND]),
        ("assert time.monotonic() - began >= 0.5", []),
        ("while time.monotonic() < until: pass", [POLL]),
        ("while until > time.monotonic(): pass", [POLL]),
        ("assert before <= entry.started <= time.monotonic()", []),
        ("assert fake.monotonic() - began < 1", []),
        ("def f():\n    time.sleep(1)", [SLEEP]),
    ],
)  # fmt: skip
def test_what_depends_on_the_machine_is_found(source: str, whats: list[str]) -> None:
    inside = "async def test():\n" + "\n".join(f"    {line}" for line in source.split("\n"))
    assert [one.what for one in findings(inside)] == whats


@pytest.mark.parametrize(
    ("source", "whats"),
    [
        ("NOW = datetime.now(UTC)", [STAMP]),
        ('BODY = {"at": datetime.now(UTC).isoformat()}', [STAMP]),
        ("def f(at=time.time()):\n    pass", [STAMP]),
        ("@at(time.time())\ndef f():\n    pass", [STAMP]),
        ("class A:\n    at = time.time()", [STAMP]),
        ("def f():\n    return time.time()", []),
        ("now = lambda: time.time()", []),
    ],
)
def test_a_time_that_is_read_at_import_is_found(source: str, whats: list[str]) -> None:
    assert [one.what for one in findings(source)] == whats
