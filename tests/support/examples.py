"""How many examples a law is tried with: few each time, many where there is time for them.

`make test` tries a quarter, `make test-long` and CI try all (`--hypothesis-profile=thorough`).
"""

from __future__ import annotations

from hypothesis import settings

QUICK, THOROUGH = 25, 100
"""Examples of a law that names no number, in each profile."""


def register_profiles() -> None:
    """Let Hypothesis know both profiles. The quick one holds unless pytest is told otherwise.

    None has a deadline for an example: on a busy machine it would fail what is right.
    """
    settings.register_profile("thorough", max_examples=THOROUGH, deadline=None)
    settings.register_profile("quick", max_examples=QUICK, deadline=None)
    settings.load_profile("quick")


def examples(number: int) -> int:
    """`number` under the thorough profile, else a quarter of it."""
    return number if settings().max_examples >= THOROUGH else max(1, number // 4)
