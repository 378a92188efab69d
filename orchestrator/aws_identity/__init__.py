"""AWS credentials for code that runs on Google Cloud: by its Google identity, without any key.

Google's metadata server signs an identity token for an audience; AWS STS takes it for temporary
credentials of a role that trusts it (AssumeRoleWithWebIdentity). Regional endpoints of STS are
asked, the next one when one fails: the region that is down must not take the credentials along.

`google_web_identity` fetches credentials; `on_demand` and `OffPath` keep them, the one refreshing
when they are used, the other never on the caller's thread; `session` is a boto3 session with them.

Law of this package: it knows botocore and nothing of the orchestrator's; every importer has
boto3 installed.
"""

from __future__ import annotations

from orchestrator.aws_identity.fetch import Fetch, google_identity_token, google_web_identity
from orchestrator.aws_identity.off_path import DUE, PAUSE, OffPath
from orchestrator.aws_identity.sessions import on_demand, session

__all__ = [
    "DUE",
    "PAUSE",
    "Fetch",
    "OffPath",
    "google_identity_token",
    "google_web_identity",
    "on_demand",
    "session",
]
