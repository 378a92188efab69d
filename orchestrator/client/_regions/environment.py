"""What the environment and AWS's configuration files ask of endpoints, compared with the document.

The document names the endpoint of each region. boto3 knows settings that name one too, or a kind:
`AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`, `AWS_USE_FIPS_ENDPOINT`,
`AWS_USE_DUALSTACK_ENDPOINT`, and the same in a profile. They cannot be obeyed: one URL for all
regions would leave no region to go to. They must not be ignored either: who demands FIPS must not
be served by something else. So the region is used if its endpoint is what they ask for, and
otherwise nothing is sent there and the error names the setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.core.outside.endpoints import aws_region_of, default_endpoint, origin_of

if TYPE_CHECKING:
    from boto3 import Session

    from orchestrator.client.document import RegionEntry


class Unusable(ValueError):
    """The region's endpoint is not what this process's environment asks for. Nothing was sent."""


def hold_against(entry: RegionEntry, session: Session) -> None:
    """Raises Unusable where the settings ask for another endpoint than the document's."""
    own = getattr(session, "_session", None)  # botocore's, which knows the settings
    if own is None:
        return
    name = entry.endpoint.removeprefix("https://").removesuffix(":443")
    region = aws_region_of(entry.endpoint)
    official = region is not None
    if own.get_config_variable("use_fips_endpoint") and not (official and "-fips." in name):
        raise _unusable(entry, "AWS_USE_FIPS_ENDPOINT", "a FIPS endpoint, as in dynamodb-fips.")
    dual = region is not None and not name.endswith(default_endpoint(region).partition(region)[2])
    if own.get_config_variable("use_dualstack_endpoint") and not dual:
        raise _unusable(entry, "AWS_USE_DUALSTACK_ENDPOINT", "a dual-stack endpoint, as in api.aws")
    setting, url = _configured(own)
    if url and origin_of(url.rstrip("/").lower()) != origin_of(entry.endpoint_url):
        raise _unusable(entry, setting, url)


def _unusable(entry: RegionEntry, setting: str, wanted: str) -> Unusable:
    return Unusable(
        f"{setting} asks for {wanted}, and the document names {entry.endpoint}. Nothing is sent"
        f" there. Write the endpoint that you want into failover.yaml, or remove {setting} from"
        " this application's environment (or its AWS profile)"
    )


def _configured(session: Any) -> tuple[str, str]:
    """The URL that boto3 would take for DynamoDB, and the setting that it is from; both may be
    empty."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return "", ""
    for setting in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"):
        if url := os.environ.get(setting):
            return setting, url
    profile: Mapping[str, Any] = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(profile.get("services", ""), {})
    of_service = services.get("dynamodb", {})
    if isinstance(of_service, Mapping) and (url := of_service.get("endpoint_url")):
        return "endpoint_url of the services section", str(url)
    return "endpoint_url of the AWS profile", str(profile.get("endpoint_url") or "")
