"""For the tests of applications: regions that fail on command, and a document in memory.

    with mock_aws(), FakeRegions("us-east-1", "us-west-2") as regions:
        db = regions.client(home="us-east-1")
        regions.fail("us-east-1", Unreachable())
        regions.fail_over("us-west-2")

Law of this package: it needs no network, no credentials and no bucket, it waits for no time to
pass, and it imports nothing that a test brings (moto, pytest). What it hands out is the client that
production runs; only the wire beneath it, the document and the clock are its own.
"""

from orchestrator.client.testing._faults import (
    Answers,
    Fault,
    LostAnswers,
    Silent,
    Slow,
    Throttled,
    Unreachable,
)
from orchestrator.client.testing._memory import MemorySource
from orchestrator.client.testing._regions import FakeRegions

__all__ = [
    "Answers",
    "FakeRegions",
    "Fault",
    "LostAnswers",
    "MemorySource",
    "Silent",
    "Slow",
    "Throttled",
    "Unreachable",
]
