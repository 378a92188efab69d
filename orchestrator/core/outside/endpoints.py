"""Which hosts requests to DynamoDB may go to: one answer for the file, the ticks and the client.

A request carries an item, and a signature that is made with the application's credentials. Where it
goes stands in a document that others can write. So an endpoint is not believed, it is checked: it
must be a name that AWS gives DynamoDB, in the region that it is for. All such names end in a domain
of AWS, and AWS alone makes what stands before it:

    dynamodb.REGION.amazonaws.com                     also dynamodb-fips
    dynamodb.REGION.api.aws                           the same over IPv6 too
    ACCOUNT.ddb.REGION.amazonaws.com                  an account's own, also api.aws
    vpce-ID.dynamodb.REGION.vpce.amazonaws.com        a VPC endpoint's, regional or zonal

The domains of China, the European sovereign cloud and the isolated partitions are others, by the
beginning of the region's name. Compared with botocore's rules by a test (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address

_REGION = r"[a-z]{2,4}(?:-[a-z]{2,12})+-[0-9]{1,2}"
_ID = r"vpce-[0-9a-z]+(?:-[0-9a-z]+)*"
_AWS_NAME = re.compile(
    r"(?:https://)?"
    rf"(?:dynamodb(?:-fips)?|[0-9]{{12}}\.ddb|(?P<vpc>{_ID})\.dynamodb(?:-fips)?)"
    rf"\.(?P<region>{_REGION})\.(?P<domain>[a-z0-9.-]+)(?::443)?"
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_ORIGIN = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LONGEST_HOST, _LONGEST_LABEL, _HIGHEST_PORT = 253, 63, 65535
_LONGEST = len("https://") + _LONGEST_HOST + len(":65535")
PORTS = {"https": 443, "http": 80}
"""By scheme: the port that an endpoint need not say."""

_DOMAINS = (
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("", "amazonaws.com", "api.aws"),
)
"""By the beginning of a region's name: AWS's domain there, and the one that has IPv6 too."""


def is_aws_region(name: str) -> bool:
    """Whether the name has the form of AWS's regions (`us-east-1`). Google's do not: `us-east4`."""
    return re.fullmatch(_REGION, name) is not None


def default_endpoint(region: str) -> str:
    """DynamoDB's own name in this AWS region."""
    return f"dynamodb.{region}.{_domains(region)[0]}"


def aws_region_of(endpoint: str) -> str | None:
    """The AWS region whose DynamoDB has this name; None for what is no such name.

    Taken literally: lower case, `https` or no scheme, port 443 or none, and nothing else.
    """
    found = _AWS_NAME.fullmatch(endpoint) if len(endpoint) <= _LONGEST else None
    if found is None or not _fits(endpoint.removeprefix("https://").removesuffix(":443")):
        return None
    region, domain = found["region"], found["domain"]
    own, dual = _domains(region)
    known = (f"vpce.{own}",) if found["vpc"] else (own, dual)
    return region if domain in known else None


def is_dynamodb(endpoint: str, region: str, aws_region: str = "") -> bool:
    """Whether this is a name that AWS gives DynamoDB in the region.

    region: its key in the file and in the document. aws_region: AWS's name of it, where the key is
    another one.
    """
    return aws_region_of(endpoint) == (aws_region or region)


def is_dual_stack(endpoint: str) -> bool:
    """Whether this is DynamoDB's own name for IPv4 and IPv6, which SDKs take as a switch only."""
    region = aws_region_of(endpoint)
    return region is not None and (
        endpoint.removeprefix("https://") == f"dynamodb.{region}.{_domains(region)[1]}"
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an endpoint is: `http` or `https`, a host, and a port."""

    scheme: str
    host: str
    port: int

    @property
    def on_loopback(self) -> bool:
        """Whether this is the machine that asks itself."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def is_one_of(self, hosts: Collection[str]) -> bool:
        """Whether its host stands there, with the port unless it is the scheme's own."""
        plain = self.port == PORTS[self.scheme]
        return f"{self.host}:{self.port}" in hosts or (plain and self.host in hosts)


def origin_of(endpoint: str) -> Origin | None:
    """Where requests to this endpoint go: `https` unless it says `http`.

    None for what has more than a scheme, a host and a port (user names, paths, queries, fragments,
    blanks, a dot at the end), letters outside of ASCII, capital letters, or no valid port.
    """
    found = _ORIGIN.fullmatch(endpoint) if len(endpoint) <= _LONGEST else None
    if found is None:
        return None
    scheme, host = found["scheme"] or "https", found["host"]
    port = int(found["port"] or PORTS[scheme])
    if port > _HIGHEST_PORT or not (_is_ipv6(host) if host[0] == "[" else _fits(host)):
        return None
    return Origin(scheme, host, port)


def is_allowed(endpoint: str, hosts: Collection[str], *, local: bool) -> bool:
    """Whether the file may name this endpoint although it is no name of AWS's.

    hosts: `allow_endpoints`. local: everything is on this machine or an emulator. Only then clear
    text is taken, for a loopback address or one of the hosts.
    """
    origin = origin_of(endpoint)
    if origin is None:
        return False
    here = local and origin.on_loopback
    return here or (origin.is_one_of(hosts) and (local or origin.scheme == "https"))


def _domains(region: str) -> tuple[str, str]:
    return next((own, dual) for start, own, dual in _DOMAINS if region.startswith(start))


def _fits(host: str) -> bool:
    return len(host) <= _LONGEST_HOST and all(
        len(label) <= _LONGEST_LABEL for label in host.split(".")
    )


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).version == 6  # noqa: PLR2004  # of the protocol
    except ValueError:
        return False
