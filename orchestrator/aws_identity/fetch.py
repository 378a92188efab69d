"""From Google's identity token to the credentials of an AWS role, at the first STS that answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleWithWebIdentityCredentialFetcher
from botocore.exceptions import CredentialRetrievalError

CONNECT, READ = 1.0, 2.0
"""Seconds to reach the metadata server or STS, and to wait for an answer."""

METHOD = "google-web-identity"
"""How botocore names the way that credentials came by."""

_METADATA = "metadata.google.internal"
_IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"
_OK = 200

Fetch = Callable[[], Mapping[str, str]]
"""Fetches credentials: `access_key`, `secret_key`, `token`, `expiry_time` (ISO 8601)."""


def google_web_identity(
    role_arn: str,
    audience: str,
    sts_regions: Sequence[str],
    token: Callable[[], str] | None = None,
    endpoints: Mapping[str, str] | None = None,
) -> Fetch:
    """What fetches the role's credentials; takes about 3 s for each region that does not answer.

    audience: of the identity token, as the role's trust policy names it. sts_regions: asked in this
    order. token: makes the identity token; default: `google_identity_token`. endpoints: URLs of STS
    by region, where they are not AWS's own. What it gives raises CredentialRetrievalError.
    """
    if not sts_regions:
        raise ValueError("sts_regions: name at least one AWS region whose STS is asked")
    given = token or (lambda: google_identity_token(audience))
    return _Fetch(role_arn, tuple(sts_regions), given, dict(endpoints or {}))


def google_identity_token(audience: str) -> str:
    """The identity token of the account that runs this, for this audience.

    By google-auth where `GOOGLE_APPLICATION_CREDENTIALS` names a file, else from the metadata
    server (`GCE_METADATA_HOST` names another). Raises CredentialRetrievalError.
    """
    try:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return _token_of_file(audience)
        return _token_of_metadata(audience)
    except CredentialRetrievalError:
        raise
    except Exception as error:
        raise _failure(
            f"no identity token ({type(error).__name__}: {str(error)[:200]}). It comes from"
            " Google's metadata server, which exists on Google Cloud only. Elsewhere set"
            " GOOGLE_APPLICATION_CREDENTIALS to a file"
        ) from error


class _Fetch:
    """A token of Google's, exchanged at the first STS that answers."""

    def __init__(
        self,
        role_arn: str,
        regions: tuple[str, ...],
        token: Callable[[], str],
        endpoints: dict[str, str],
    ) -> None:
        self._role_arn = role_arn
        self._regions = regions
        self._token = token
        self._endpoints = endpoints

    def __call__(self) -> Mapping[str, str]:
        """The role's credentials. Raises CredentialRetrievalError with what every region said."""
        token, said = self._token(), []
        for region in self._regions:
            try:
                return self._exchanged(region, token)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next region is asked
                said.append(f"{region}: {type(error).__name__}: {str(error)[:200]}")
        raise _failure(
            f"no STS gave credentials of {self._role_arn} ({'; '.join(said)}). Check the role's"
            " trust policy (accounts.google.com, the service account's id, the audience) and the"
            " network path to these endpoints"
        )

    def _exchanged(self, region: str, token: str) -> Mapping[str, str]:
        with ExitStack() as stack:

            def client(name: str, config: Config) -> Any:  # botocore's client of STS
                made = self._client(name, region, config)
                stack.callback(made.close)
                return made

            fetcher = AssumeRoleWithWebIdentityCredentialFetcher(
                client_creator=client,
                web_identity_token_loader=lambda: token,
                role_arn=self._role_arn,
                extra_args={"RoleSessionName": "region-failover"},
            )
            found: Mapping[str, str] = fetcher.fetch_credentials()
            return found

    def _client(self, name: str, region: str, config: Config) -> Any:  # botocore's client of STS
        ours = Config(
            connect_timeout=CONNECT,
            read_timeout=READ,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        return botocore.session.Session().create_client(
            name,
            region_name=region,
            endpoint_url=self._endpoints.get(region),
            config=config.merge(ours),
        )


def _token_of_metadata(audience: str) -> str:
    import urllib3  # boto3 brings it

    host = os.environ.get("GCE_METADATA_HOST") or _METADATA
    timeout = urllib3.Timeout(connect=CONNECT, read=READ)
    with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
        answer = pool.request(
            "GET",
            f"http://{host}{_IDENTITY}",
            fields={"audience": audience},
            headers={"Metadata-Flavor": "Google"},
        )
    if answer.status != _OK:
        raise _failure(
            f"the metadata server at {host} gave no identity token (HTTP {answer.status}): is a"
            " service account attached to what runs here?"
        )
    return answer.data.decode("ascii").strip()


def _token_of_file(audience: str) -> str:
    from google.auth.transport.requests import Request  # only where a file is named
    from google.oauth2 import id_token  # as above

    fetch: Callable[[Request, str], str] = id_token.fetch_id_token
    return fetch(Request(), audience).strip()


def _failure(text: str) -> CredentialRetrievalError:
    return CredentialRetrievalError(provider=METHOD, error_msg=text)
