"""What holds for all tests: how many examples a law is tried with, and on what machine they are."""

from __future__ import annotations

import os

from tests.support.examples import register_profiles

os.environ["NO_GCE_CHECK"] = "true"
"""No test asks for Google's metadata server. google-auth reads this once, when it is imported."""

register_profiles()
