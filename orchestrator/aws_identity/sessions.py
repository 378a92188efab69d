"""boto3 sessions with given credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)

from orchestrator.aws_identity.fetch import METHOD, Fetch

if TYPE_CHECKING:
    from boto3.session import Session


def on_demand(fetch: Fetch) -> Credentials:
    """Credentials that the calling thread fetches and refreshes. Not for the request path."""
    return DeferredRefreshableCredentials(refresh_using=fetch, method=METHOD)


def session(credentials: Credentials | None = None) -> Session:
    """A new boto3 session with these credentials, None: with what boto3 finds by itself.

    A session is for one thread; the credentials may be shared among several.
    """
    import boto3  # as late as everything of boto3

    below = botocore.session.Session()
    if credentials is not None:
        resolver = CredentialResolver([_Given(credentials)])
        below.register_component("credential_provider", resolver)
    return boto3.Session(botocore_session=below)


class _Given(CredentialProvider):
    """Gives credentials that are there already."""

    METHOD = METHOD

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        """These."""
        return self._credentials
