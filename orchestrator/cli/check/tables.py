"""`check`'s part about endpoints: do applications find the tables where the file says they are?"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.check.finding import Finding, Level
from orchestrator.core.document.ground import Standing, standing
from orchestrator.core.document.misplaced import differing
from orchestrator.core.model import State
from orchestrator.core.policy import Service

WHAT = "endpoints"


def endpoints(service: Service, state: State | None) -> Iterator[Finding]:
    """Each region that the document has at another endpoint than the file.

    A file with a higher serial may say so on purpose: its epoch writes the new one.
    """
    if state is None:
        return
    others = differing(service, state)
    stands = standing(state.stamp, service.stamp)
    for one in others:
        yield Finding(service.name, WHAT, _level(stands), str(one), _advice(stands, service))
    if not others:
        yield Finding(service.name, WHAT, Level.OK, "the document has those of the file")


def _level(stands: Standing) -> Level:
    return Level.WARN if stands is Standing.NEWER else Level.FAIL


def _advice(stands: Standing, service: Service) -> str:
    match stands:
        case Standing.SAME:
            return (
                "Something other than the orchestrator wrote the document. The next tick puts it"
                " back. Find the writer in the audit log of the state's bucket, and compare:"
                f" `failoverctl state show {service.name} --versions`"
            )
        case Standing.NEWER:
            return "The next signal takes this file up, and writes its endpoint with a new epoch"
        case Standing.OLDER | Standing.CLASH:
            return "This file does not correct it. Use the file that the document was made with"
