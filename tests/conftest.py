"""What holds for all tests: how many examples a law is tried with."""

from __future__ import annotations

from tests.examples import register_profiles

register_profiles()
