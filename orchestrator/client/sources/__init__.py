"""Where the document is read from: a bucket, a file, an HTTP server, SSM, Redis.

Law of this package: each module is one `Source` and imports its library when it is first asked;
foreign errors become SourceUnavailable; a source remembers nothing of the document.
"""

from __future__ import annotations

import os
import re
from urllib.parse import SplitResult, unquote

from orchestrator.client.document import Source
from orchestrator.client.sources._fetching import WHOLE
from orchestrator.client.sources.file import FileSource
from orchestrator.client.sources.gcs import GcsSource
from orchestrator.client.sources.http import HttpSource
from orchestrator.client.sources.redis import RedisSource
from orchestrator.client.sources.ssm import SsmSource
from orchestrator.core.outside.redis_url import read_redis_url
from orchestrator.core.outside.secrets import split

__all__ = ["FileSource", "GcsSource", "HttpSource", "RedisSource", "SsmSource", "source"]

PASSWORD = "FAILOVER_REDIS_PASSWORD"  # noqa: S105  # the name of a variable
"""The environment variable with the password of Redis, where the URL holds none."""

FORMS = (
    "gs://BUCKET/checkout.json, file:///some/folder/checkout.json, https://HOST/checkout.json,"
    " ssm://us-east-1/failover/checkout (the parameter /failover/checkout) or"
    " rediss://HOST:6379/0?key=failover:checkout"
)


def source(url: str, *, seconds: float = WHOLE) -> Source:
    """The source that a URL names, one of `FORMS`; nothing is asked yet. seconds: for a whole look.

    Redis's password is the URL's own, else that of the environment variable which `password_env`
    in the URL names, else of `FAILOVER_REDIS_PASSWORD`. Raises ValueError for anything else.
    """
    parts = split(url)
    match parts.scheme:
        case "gs":
            return _gcs(parts, seconds)
        case "file":
            return _file(parts, seconds)
        case "http" | "https":
            return HttpSource(url, seconds=seconds)
        case "ssm":
            return _ssm(parts, seconds)
        case "redis" | "rediss":
            return _redis(url, seconds)
        case _:
            raise ValueError(f"no source of the document begins as this URL does: use {FORMS}")


def _gcs(parts: SplitResult, seconds: float) -> GcsSource:
    name = parts.path.removeprefix("/") + (f"?{parts.query}" if parts.query else "")
    is_bucket = re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", parts.netloc)
    if not is_bucket or not name or name.endswith("/"):
        raise ValueError("write gs://BUCKET/SERVICE.json")
    return GcsSource(parts.netloc, name, seconds=seconds)


def _file(parts: SplitResult, seconds: float) -> FileSource:
    if parts.netloc not in {"", "localhost"} or not parts.path.strip("/"):
        raise ValueError("write file:///some/folder/SERVICE.json, with three slashes")
    return FileSource(unquote(parts.path), seconds=seconds)


def _ssm(parts: SplitResult, seconds: float) -> SsmSource:
    if not parts.netloc.replace("-", "").isalnum() or not parts.path.strip("/"):
        raise ValueError(
            "write ssm://REGION/NAME, as ssm://us-east-1/failover/checkout for the parameter"
            " /failover/checkout, without any credentials"
        )
    return SsmSource(unquote(parts.path), parts.netloc, seconds=seconds)


def _redis(url: str, seconds: float) -> RedisSource:
    found = read_redis_url(url)
    options = dict(found.options)
    key = options.pop("key", "")
    variable = options.pop("password_env", None)
    if options or not key:
        more = ": it has an option that is not known" if options else ""
        raise ValueError(
            "write redis://HOST:6379/0?key=failover:SERVICE, and if need be &password_env=VARIABLE"
            f"{more}. The URL is not repeated, because it may hold a password"
        )
    if variable is not None and variable not in os.environ:
        raise ValueError(
            f"{found.shown}: the environment variable that password_env names is not set. Its name"
            " is not repeated, because a password may have been written in its place"
        )
    password = found.password or os.environ.get(variable or PASSWORD) or None
    return RedisSource(found, key, password=password, seconds=seconds)
