"""The kinds of values in `failover.yaml`: for each its rule, and the words for it.

The words are for readers of the reference and for people who fix a fault, so they are the file's
own: no type of the programming language appears in them. `orchestrator.config.schema` says which
field has which kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from orchestrator.core.outside.endpoints import origin_of
from orchestrator.core.outside.hosts import Place, place_of
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.core.traffic.plan import group_path, is_regional


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What a value is, in the words of the file.

    name: as the reference says it. write: what would be right, as it follows "write ".
    """

    name: str
    write: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """Values that later versions will accept and this version refuses.

    values: as the file would write them. If there are none, any value except the allowed ones.
    instead: the sentence for the reader. `{given}` in it is the refused value.
    """

    values: tuple[str, ...]
    instead: str


LONGEST = timedelta(days=3650)
"""The longest duration of a rule, far below what a calendar can hold."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_KIND = ValueKind("duration", "a duration such as 500ms, 2s, 10m, 2h or 1d")


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"write {_DURATION_KIND.write}")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"write a duration of at most {LONGEST.days}d")
    return timedelta(seconds=seconds)


def _climbing(value: list[float]) -> list[float]:
    if not value or value != sorted(set(value)) or value[-1] != 1:
        raise ValueError("write shares that rise and end with 1.0, such as [0.1, 0.5, 1.0]")
    return value


_PLACE, _NAME = r"([^/*]+\*?|\*)", r"([a-z0-9-]+\*?|\*)"
_GROUP = (
    rf"projects/[^/*]+/((zones/{_PLACE}/instanceGroups|regions/{_PLACE}/instanceGroups"
    rf"|zones/{_PLACE}/networkEndpointGroups)/{_NAME}"
    r"|(regions/[^/*]+/networkEndpointGroups|global/networkEndpointGroups)/[a-z0-9-]+)"
)
_A_GROUP = (
    "the URL of an instance group or network endpoint group, such as"
    " https://www.googleapis.com/compute/v1/projects/P/zones/Z/instanceGroups/NAME"
)
_A_PATTERN = (
    "`*` for a whole zone, region or name, or at its end, such as"
    " projects/P/zones/us-east4-*/networkEndpointGroups/NAME"
)


def _group(value: str) -> str:
    path = group_path(value)
    if "*" in path and is_regional(path):
        raise ValueError(
            "name a regional network endpoint group without `*`: a serverless group is attached and"
            " detached by its name"
        )
    if not re.fullmatch(_GROUP, path):
        raise ValueError(f"write {_A_PATTERN if '*' in path else _A_GROUP}")
    if "/global/" in path:
        raise ValueError(
            "an internet network endpoint group is the only one of its backend service, so it"
            " cannot be moved inside one. That needs traffic of kind url-map or cloud-dns, which do"
            " not exist yet"
        )
    return path


_HEALTH_URL_KIND = ValueKind(
    "http or https URL", "a URL such as https://use4.checkout.example.com/healthz"
)


_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_REACHED = re.compile(rf"https?://{_HOST}(:(?P<port>[0-9]+))?([/?#][!-~]*)?", re.IGNORECASE)
_HIGHEST_PORT = 65535
_NOT_METADATA = r"(?!169\.254\.|\[fe80:|metadata\.goog(le\.internal)?([:/?#]|$))"
"""For editors, the plainest spellings of the hosts that `place_of` refuses."""


def _health_url(value: str) -> str:
    _reached(value)
    try:
        parts = urlsplit(value)
    except ValueError as error:  # in brackets stands no address
        raise ValueError(f"write {_HEALTH_URL_KIND.write}") from error
    if parts.path == "/healthz/primary":
        raise ValueError(
            "/healthz/primary reports the role, not the health. Use /healthz or /health"
        )
    if (parts.hostname or "").endswith(".run.app") and parts.path.endswith("z"):
        raise ValueError(
            f"on *.run.app Google's front end answers {parts.path} itself, with 404: use /health"
        )
    return value


def _reached(value: str) -> None:
    """Raises ValueError for a URL that no request can be sent to, or that is no region's."""
    where = value.partition("://")[2]
    if "@" in re.split("[/?#]", where, maxsplit=1)[0]:
        raise ValueError("write it without user name and password: a health URL needs none")
    found = _REACHED.fullmatch(value)
    port = re.fullmatch(rf"(?i:https?)://{_HOST}:([^/?#]*).*", value, re.DOTALL)
    if port and not (port[2].isdecimal() and 0 < int(port[2][:6]) <= _HIGHEST_PORT):
        raise ValueError(f"write a port from 1 to {_HIGHEST_PORT}, or none")
    if not found:
        raise ValueError(f"write {_HEALTH_URL_KIND.write}")
    if place_of(found[1]) is Place.LINK_LOCAL:
        raise ValueError("write the region's own host: this one is not the region's")


_PROJECT = r"([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?"

_BUCKET = r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*/?"
"""A bucket and folders in it. Their names stand in conditions of grants, so they hold no quotes."""

_TOPIC = r"(?!goog)[A-Za-z][A-Za-z0-9._~+-]{2,254}"
"""Google's rule for ids, except `%`: the name is part of URLs, where that sign has a meaning."""

_TOPIC_KIND = ValueKind(
    "topic name",
    "a topic's name, such as failover-control: 3 to 255 letters, digits and . _ ~ + -, beginning"
    " with a letter and not with goog",
)
_STATE_KIND = ValueKind("gs:// or file:/// URL", "gs://BUCKET or file:///some/folder")


def _state(value: str) -> str:
    if re.fullmatch(_BUCKET, value):
        return value
    if value.startswith("file:///") and len(value) > len("file:///"):
        return value
    if value.startswith("gs://"):
        raise ValueError(
            "write gs://BUCKET or gs://BUCKET/FOLDER: of letters, digits and . _ = -, the bucket's"
            " letters small"
        )
    raise ValueError(f"write {_STATE_KIND.write}")


def _topic(value: str) -> str:
    if not re.fullmatch(_TOPIC, value):
        raise ValueError(f"write {_TOPIC_KIND.write}")
    return value


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_NOT_THE_ROLE = r"(?![^/?#]+/healthz/primary([?#]|$))"
_NOT_GOOGLES_OWN = r"(?![^/?#]+\.run\.app(:[0-9]+)?/[^?#]*z([?#]|$))"

Duration = Annotated[
    timedelta, BeforeValidator(_duration), _text(rf"^\s*{_DURATION.pattern}\s*$"), _DURATION_KIND
]
OneGroup = Annotated[
    str,
    AfterValidator(_group),
    _text("^.*" + _GROUP.replace("|global/networkEndpointGroups", "") + "$"),
    ValueKind("group URL", _A_GROUP),
]
Groups = Annotated[
    OneGroup
    | Annotated[list[OneGroup], Field(json_schema_extra={"minItems": 1, "uniqueItems": True})],
    ValueKind("group URL, or a list of them", f"{_A_GROUP}, or a list of such URLs"),
]
HealthUrl = Annotated[
    str,
    AfterValidator(_health_url),
    _text(
        rf"^https?://{_NOT_THE_ROLE}{_NOT_GOOGLES_OWN}{_NOT_METADATA}{_HOST}(:[0-9]{{1,5}})?([/?#][!-~]*)?$"
    ),
    _HEALTH_URL_KIND,
]
StateUrl = Annotated[str, AfterValidator(_state), _text(rf"^({_BUCKET}|file:///.+)$"), _STATE_KIND]
Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9-]{0,62}$"),
    ValueKind(
        "name",
        "a name of lower-case letters, digits and hyphens that begins with a letter, at most 63"
        " characters",
    ),
]
RegionName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$"),
    ValueKind(
        "region name",
        "a region's name of lower-case letters, digits and hyphens, such as us-east-1, at most 63"
        " characters",
    ),
]
AwsRegion = Annotated[
    str,
    Field(pattern=r"^[a-z]{2,4}(-[a-z]{2,12})+-[0-9]{1,2}$"),
    ValueKind("AWS region", "an AWS region, such as us-east-1"),
]
_A_HOST = "a host or host:port in lower case, such as dynamodb.internal.example.com"


def _host(value: str) -> str:
    origin = origin_of(value)
    if origin is None or "://" in value:
        raise ValueError(f"write {_A_HOST}, without scheme, user name and path")
    return value


Host = Annotated[
    str,
    AfterValidator(_host),
    _text(r"^([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$"),
    ValueKind("host", _A_HOST),
]
Hosts = Annotated[
    list[Host],
    Field(json_schema_extra={"uniqueItems": True}),
    ValueKind("list of hosts", f"a list of hosts, each {_A_HOST}"),
]
Project = Annotated[
    str,
    Field(pattern=f"^{_PROJECT}$"),
    ValueKind("project id", "the project's id, such as my-project, not its number"),
]
TopicName = Annotated[str, AfterValidator(_topic), _text(f"^{_TOPIC}$"), _TOPIC_KIND]
MIRRORED = "{service}"
"""What stands for the service's name in a mirror's parameter or key."""

_PARAMETER_KIND = ValueKind(
    "parameter name",
    "a parameter's whole name, such as /failover/{service}: letters, digits and . _ - / after the"
    " first slash, at most 900 characters, not beginning with /aws or /ssm",
)
_PARAMETER = r"(?!/(?i:aws|ssm))(/([A-Za-z0-9_.-]|\{service\})+){1,15}"
_LONGEST_PARAMETER = 900


def _parameter(value: str) -> str:
    if not re.fullmatch(_PARAMETER, value) or len(value) > _LONGEST_PARAMETER:
        raise ValueError(f"write {_PARAMETER_KIND.write}")
    return value


_REDIS_KIND = ValueKind(
    "redis:// or rediss:// URL",
    "rediss://USER@HOST:6379/0, without a password: it is read from the environment variable"
    " FAILOVER_REDIS_PASSWORD, or from the one that ?password_env=NAME names",
)


def _redis(value: str) -> str:
    try:
        url = read_redis_url(value)
    except ValueError:
        raise ValueError(f"write {_REDIS_KIND.write}") from None
    if url.password is not None or url.options.keys() - {"password_env"}:
        raise ValueError(f"write {_REDIS_KIND.write}")
    return value


_ROLE_KIND = ValueKind(
    "ARN of an IAM role", "a role's ARN, such as arn:aws:iam::123456789012:role/NAME"
)
_ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}"


def _distinct(value: list[str]) -> list[str]:
    if not value or len(set(value)) < len(value):
        raise ValueError("write at least one, each once")
    return value


Parameter = Annotated[
    str,
    AfterValidator(_parameter),
    _text(f"^{_PARAMETER.replace('(?i:aws|ssm)', 'aws|ssm')}$"),
    _PARAMETER_KIND,
]
RedisServer = Annotated[
    str,
    AfterValidator(_redis),
    _text(r"^rediss?://([^:@/?#]+@)?([^:@/?#]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?([/?]|$)"),
    _REDIS_KIND,
]
_SOME = {"minItems": 1, "uniqueItems": True}
RedisServers = Annotated[
    list[RedisServer],
    Field(json_schema_extra=_SOME),
    AfterValidator(_distinct),
    ValueKind("list of redis:// or rediss:// URLs", f"a list of URLs, each {_REDIS_KIND.write}"),
]
StoreRegions = Annotated[
    list[RegionName],
    Field(json_schema_extra=_SOME),
    AfterValidator(_distinct),
    ValueKind("list of AWS regions", "a list of AWS regions, such as [us-east-1, us-west-2]"),
]
RedisKey = Annotated[
    str,
    Field(pattern=r"^([^{}\s]|\{service\})+$"),
    ValueKind(
        "key",
        "a key without spaces, and without braces except {service}, such as failover:{service}",
    ),
]
RoleArn = Annotated[str, Field(pattern=f"^{_ROLE}$"), _ROLE_KIND]
Share = Annotated[float, Field(gt=0, le=1)]
RampShares = Annotated[
    list[Share],
    AfterValidator(_climbing),
    ValueKind("list of shares", "a list of numbers above 0 and at most 1, rising, the last 1.0"),
]
