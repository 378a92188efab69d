"""The document in AWS SSM Parameter Store, by boto3, where the orchestrator mirrors it.

GetParameter knows no condition: the parameter, at most 4 KB, comes with every look. boto3 itself
honours `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.client.document import Fetched
from orchestrator.client.errors import Silence, SourceUnavailable
from orchestrator.client.sources._fetching import WHOLE, Looking, PerProcess, told

if TYPE_CHECKING:
    from boto3.session import Session
    from types_boto3_ssm.client import SSMClient

_REFUSED = frozenset(
    {
        *("AccessDeniedException", "AccessDenied", "UnrecognizedClientException"),
        *("InvalidSignatureException", "ExpiredTokenException", "InvalidClientTokenId"),
    }
)


class SsmSource:
    """Implements `orchestrator.client.document.Source`.

    parameter: its whole name, as `/failover/checkout`. region: of the Parameter Store. session:
    makes the boto3 session, once in each process; default: one with boto3's own credentials, which
    need `ssm:GetParameter`. seconds: for a whole look.
    """

    def __init__(
        self,
        parameter: str,
        region: str,
        *,
        session: Callable[[], Session] | None = None,
        seconds: float = WHOLE,
    ) -> None:
        self._parameter = parameter
        self._region = region
        self._session = session
        self._client = PerProcess(self._made, lambda client: client.close())
        self._looking = Looking[Fetched | None](seconds)

    @property
    def name(self) -> str:
        """For messages: region and parameter as a URL."""
        return f"ssm://{self._region}/{self._parameter.removeprefix('/')}"

    def fetch(self, known: str | None) -> Fetched | None:
        """The parameter, or None while it is the version `known`."""
        import boto3  # noqa: F401  # half a second, not on the look's time

        return self._looking.look(lambda: self._get(known), self._client.drop)

    def _get(self, known: str | None) -> Fetched | None:
        from botocore.exceptions import BotoCoreError, ClientError  # imported with the client above

        try:
            found = self._client().get_parameter(Name=self._parameter, WithDecryption=True)
        except ClientError as error:
            raise _refusal(error.response["Error"]["Code"], error) from error
        except (BotoCoreError, OSError) as error:
            raise SourceUnavailable(told(error)) from error
        parameter = found["Parameter"]
        # A parameter that was deleted and made again begins at version 1.
        at = parameter["LastModifiedDate"].timestamp()
        mark = f"{parameter['Version']} {at}"
        return None if mark == known else Fetched(parameter["Value"].encode(), mark, at)

    def _made(self) -> SSMClient:
        from boto3.session import Session  # imported with the client above
        from botocore.config import Config  # as above

        from orchestrator.client._regions.regions import share_time  # as above

        session = self._session() if self._session else Session()
        config = Config(
            connect_timeout=self._looking.connect,
            read_timeout=self._looking.read,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=2,
        )
        client = session.client("ssm", region_name=self._region, config=config)
        share_time(client)
        return client


def _refusal(code: str, error: BaseException) -> SourceUnavailable:
    """What an error of the Parameter Store means and what to do."""
    if code == "ParameterNotFound":
        text = "there is no such parameter: no orchestrator mirrors to it yet, or the name is wrong"
        return SourceUnavailable(text, Silence.MISSING)
    if code in _REFUSED:
        text = f"not permitted ({told(error)}): give this identity ssm:GetParameter on it"
        return SourceUnavailable(text, Silence.DENIED)
    return SourceUnavailable(told(error))
