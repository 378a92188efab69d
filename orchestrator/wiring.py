"""The one place that builds things, and the one clock.

Nothing is read or imported before the first event: a cold instance answers at once and pays only
for what its first alert uses. Configuration is read once in a process's life, and again after an
error, so that an instance that has heard of a newer one looks for it.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from orchestrator import telemetry
from orchestrator.core.exceptions import BadConfig, Kind, NoStore, Problem, Unavailable
from orchestrator.core.policy import Confirm
from orchestrator.flow.context import Context, Memory

if TYPE_CHECKING:
    import requests
    from boto3.session import Session
    from botocore.credentials import Credentials as AwsCredentials
    from google.auth.credentials import Credentials

    from orchestrator.config import Config
    from orchestrator.config.schema import MirrorsModel, SsmMirrorModel
    from orchestrator.intake.admission import Expectation
    from orchestrator.ports import (
        Access,
        Archive,
        Checks,
        Dated,
        Gauges,
        Log,
        Mirror,
        Objects,
        Signatures,
        Store,
        Topic,
        Traffic,
    )

COMPUTE = "https://compute.googleapis.com"
CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
"""Google's certificates for the tokens that it signs, as PEM by their ids."""

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EMULATORS = tuple(
    f"{cloud}_EMULATOR_HOST" for cloud in ("STORAGE", "PUBSUB", "COMPUTE", "DNS", "MONITORING")
)
"""The conventional variables; one of them says that regions may be on this machine too."""

TOKEN_LIFE = 2400.0
"""Seconds that an identity token is kept; Google's live for an hour."""


def now() -> datetime:
    """The time, aware and in UTC. The one clock: the core and the flow are handed it."""
    return datetime.now(UTC)


def by_servers(servers: Iterable[Dated], machine: Callable[[], datetime]) -> datetime:
    """The time by the first server that has told it, else by this machine's own clock."""
    told = (server.server_time() for server in servers)
    return next((at for at in told if at is not None), None) or machine()


@dataclass(frozen=True, slots=True)
class Deployment:
    """The configuration and everything that the flow needs to act on it.

    archive: what the state folder keeps beside the live objects. control: where a tick is asked
    for, if anywhere. machine: this machine's own clock, whatever the servers' is. access: who may
    do what there; None with the state in a folder, where nobody is kept out. All for tools.
    """

    config: Config
    context: Context
    archive: Archive
    control: Topic | None
    machine: Callable[[], datetime] = now
    access: Access | None = None


def _bare(emulator: str | None) -> str | None:
    """`host:port` alone: a gRPC client hangs on a scheme."""
    return emulator.partition("://")[2] if emulator else None


def _aws_sessions(wanted: SsmMirrorModel) -> Callable[[], Session]:
    """Makes boto3 sessions, one for each thread's use, with the same credentials."""

    @cache
    def credentials() -> AwsCredentials | None:
        from orchestrator.aws_identity import google_web_identity, on_demand  # with the first

        if wanted.role_arn is None:
            return None
        return on_demand(google_web_identity(wanted.role_arn, wanted.audience, wanted.regions))

    def session() -> Session:
        from orchestrator import aws_identity  # with the first document that is published

        return aws_identity.session(credentials())

    return session


class Wiring:
    """Builds the world on first use and keeps it.

    environ: the process's environment. dated: the time is the state store's or the Compute API's
    as soon as one of them has answered. A function's own clock is right; a laptop's may not be.
    memory: what the process has paged for, whatever configuration it reads. certificates: where
    Google's are.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        root: Path,
        log: Log = telemetry.log,
        *,
        dated: bool = False,
        certificates: str = CERTIFICATES,
    ) -> None:
        self._dated = dated
        self._certificates = certificates
        self._environ = environ
        self._log = log
        self._root = root
        self._lock = threading.Lock()
        self._world: Deployment | None = None
        self._credentials: Credentials | None = None
        self._local = threading.local()
        self._said_open = False
        self.memory = Memory()

    def expectation(self) -> Expectation | None:
        """Whose pushes are taken; None: everybody's, which is said once. Raises BadConfig."""
        from orchestrator.intake import admission  # not before the first event

        found = admission.expected(self._environ)
        with self._lock:
            says = found is None and not self._said_open
            self._said_open = self._said_open or says
        if says:
            self._log(
                "WARNING",
                f"{admission.IDENTITY} is not set: a message is taken from anybody who reaches this"
                " function. That is right on a laptop only",
            )
        return found

    @cached_property
    def signatures(self) -> Signatures:
        """Google's certificates; nothing is fetched before the first token with a signature."""
        from orchestrator.adapters.gcp.certificates import GoogleCertificates  # only where needed

        return GoogleCertificates(self._certificates)

    def world(self) -> Deployment:
        """The world, built now if it was not. Raises BadConfig or Unavailable."""
        with self._lock:
            if self._world is None:
                self._world = self._build()
            return self._world

    def forget(self) -> None:
        """Have the configuration read afresh by the next event."""
        with self._lock:
            self._world = None

    # --- building

    def _build(self) -> Deployment:
        from orchestrator.config import load  # not before the first event

        source = self._environ.get("FAILOVER_CONFIG") or str(self._root / "failover.yaml")
        emulated = any(map(self._emulator, EMULATORS))
        config = load(self._read(source), source, emulated=emulated)
        objects = self._objects(config.state, config.project)
        traffic = self._traffic(config, objects)
        context = Context(
            objects=objects,
            traffic=traffic,
            prober=self._prober(config),
            log=self._log,
            executor=ThreadPoolExecutor(32, thread_name_prefix="observe"),
            now=partial(by_servers, (objects, traffic), now) if self._dated else now,
            new_id=lambda: uuid.uuid4().hex[:16],
            monotonic=time.monotonic,
            rest=time.sleep,
            jitter=lambda: random.uniform(0.5, 1.5),  # noqa: S311  # spreads retries, guards nothing
            only_service=len(config.services) == 1,
            events=self._topic(config.project, config.topics.events),
            checks=self._checks(config),
            gauges=self._gauges(config),
            mirrors=tuple(self._mirrors(config.mirrors)),
            memory=Memory(pages=self.memory.pages, lock=self.memory.lock),
        )
        control = self._topic(config.project, config.topics.control)
        return Deployment(config, context, objects, control, access=self._access(config))

    def _read(self, source: str) -> str:
        if source.startswith("gs://"):
            bucket, _, name = source.removeprefix("gs://").partition("/")
            if not bucket or not name:
                raise BadConfig(source, [Problem("(file)", "write gs://BUCKET/failover.yaml")])
            try:
                got = self._gcs(bucket, "", None).get(name)
            except NoStore as error:
                raise BadConfig(source, [Problem("(file)", "there is no such bucket")]) from error
            if got is None:
                raise BadConfig(source, [Problem("(file)", "there is no such object")])
            return got[0].decode("utf-8", "replace")
        try:
            return Path(source).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            hint = f"cannot be read ({error.strerror}); FAILOVER_CONFIG names the file"
            raise BadConfig(source, [Problem("(file)", hint)]) from error

    def _objects(self, state: str, project: str) -> Store:
        parts = urlsplit(state)
        if parts.scheme == "gs":
            return self._gcs(parts.netloc, parts.path, project)
        from orchestrator.adapters.folder.objects import FileObjects  # not in the cloud

        return FileObjects(Path(unquote(parts.path)))

    def _gcs(self, bucket: str, prefix: str, project: str | None) -> Store:
        from orchestrator.adapters.gcp.objects import GcsObjects  # not for files

        endpoint = self._emulator("STORAGE_EMULATOR_HOST")
        name = project or self._environ.get("GOOGLE_CLOUD_PROJECT") or "none"
        return GcsObjects(name, bucket, prefix, self._identity(endpoint), endpoint)

    def _traffic(self, config: Config, objects: Objects) -> Traffic:
        endpoint = self._emulator("COMPUTE_EMULATOR_HOST")
        if endpoint is None and config.state.startswith("file:"):
            from orchestrator.adapters.folder.traffic import FileBackendServices

            return FileBackendServices(objects, config.services.values())
        from orchestrator.adapters.gcp.traffic import BackendServices

        return BackendServices(
            config.project,
            endpoint or COMPUTE,
            lambda: self._session(endpoint),
            lambda: self._identity(endpoint),
        )

    def _prober(self, config: Config):  # type: ignore[no-untyped-def]  # imported lazily
        from orchestrator.adapters.probe import HttpProber  # lazily, as all

        token = self._token() if config.probe.auth == "oidc" else None
        here = config.state.startswith("file:") or any(map(self._emulator, EMULATORS))
        timeout = config.probe.timeout.total_seconds()
        return HttpProber(timeout, config.probe.attempts, token, allows_loopback=here)

    def _topic(self, project: str, name: str | None) -> Topic | None:
        """The topic of this name, or None: without a name nothing is published."""
        if name is None:
            return None
        from orchestrator.adapters.gcp.topic import PubSubTopic  # lazily, as all

        emulator = self._emulator("PUBSUB_EMULATOR_HOST")
        return PubSubTopic(project, name, lambda: self._identity(emulator), _bare(emulator))

    def _checks(self, config: Config) -> Checks | None:
        """Monitoring's uptime checks, where some service confirms by them."""
        if all(one.policy.confirm is not Confirm.MONITORING for one in config.services.values()):
            return None
        from orchestrator.adapters.gcp.checks import UptimeChecks  # only where it is asked

        emulator = self._emulator("MONITORING_EMULATOR_HOST")
        return UptimeChecks(config.project, lambda: self._identity(emulator), _bare(emulator))

    def _gauges(self, config: Config) -> Gauges | None:
        """Where gauges are written: in the cloud alone, for a human's tick proves nothing alive.

        Cloud Run tells a function its service's name.
        """
        instance = self._environ.get("FAILOVER_INSTANCE") or self._environ.get("K_SERVICE")
        if not config.gauges or not instance:
            return None
        from orchestrator.adapters.gcp.gauges import CustomMetrics  # only where it is asked for

        emulator = self._emulator("MONITORING_EMULATOR_HOST")
        credentials = partial(self._identity, emulator)
        return CustomMetrics(config.project, instance, credentials, _bare(emulator))

    def _access(self, config: Config) -> Access | None:
        """The policies of what the file names. What is emulated has none."""
        parts = urlsplit(config.state)
        if parts.scheme != "gs":
            return None
        from orchestrator.adapters.gcp.access import Api, IamPolicies  # for tools alone

        emulated = {
            Api.STORAGE: self._emulator("STORAGE_EMULATOR_HOST"),
            Api.PUBSUB: self._emulator("PUBSUB_EMULATOR_HOST"),
        }
        without = {api for api, host in emulated.items() if host}
        if any(map(self._emulator, EMULATORS)):
            without |= {Api.RUN, Api.PROJECTS}
        session = partial(self._new_session, None)  # whatever emulator a thread's own is for
        return IamPolicies(config.project, parts.netloc, session, without)

    # --- mirrors

    def _mirrors(self, wanted: MirrorsModel) -> Iterator[Mirror]:
        """Where the document is put too; their libraries are imported by the first one put."""
        if wanted.redis:
            from orchestrator.adapters.redis.mirror import RedisMirror  # only where configured
            from orchestrator.core.outside.redis_url import read_redis_url  # as above

            for text in wanted.redis.urls:
                url = read_redis_url(text)
                variable = url.options.get("password_env", "FAILOVER_REDIS_PASSWORD")
                password = self._environ.get(variable)
                whence = variable if password is not None else ""  # no name: it may be a password
                yield RedisMirror(url, wanted.redis.key, password, whence)
        if wanted.ssm:
            from orchestrator.adapters.aws.mirror import SsmMirror  # only where configured

            session = _aws_sessions(wanted.ssm)
            for region in wanted.ssm.regions:
                yield SsmMirror(wanted.ssm.parameter, region, session)

    # --- identity

    def _emulator(self, variable: str) -> str | None:
        """An emulator's endpoint, `http://host:port`, when the conventional variable names one."""
        host = self._environ.get(variable, "").rstrip("/")
        return (host if "://" in host else f"http://{host}") if host else None

    def _identity(self, emulator: str | None) -> Credentials:
        """Application default credentials, found once; anonymous ones for an emulator."""
        import google.auth  # lazily, as all
        from google.auth.credentials import AnonymousCredentials  # lazily, as all
        from google.auth.exceptions import GoogleAuthError  # lazily, as all

        if emulator:
            return AnonymousCredentials()
        if self._credentials is None:
            try:
                self._credentials, _ = google.auth.default(scopes=[SCOPE])
            except GoogleAuthError as error:
                raise Unavailable(
                    f"no Google credentials: {error}", page=True, kind=Kind.CREDENTIALS
                ) from error
        return self._credentials

    def _session(self, emulator: str | None) -> requests.Session:
        """One HTTP session a thread: requests' sessions are not made to be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._new_session(emulator)
            self._local.session = session
        return session

    def _new_session(self, emulator: str | None) -> requests.Session:
        import requests  # lazily, as all
        from google.auth.transport.requests import AuthorizedSession  # lazily, as all

        return requests.Session() if emulator else AuthorizedSession(self._identity(None))

    def _token(self) -> Callable[[str], str]:
        """Identity tokens by origin, each kept for a while."""
        from google.auth.transport.requests import Request  # only with auth: oidc
        from google.oauth2 import id_token  # only with auth: oidc

        kept: dict[str, tuple[float, str]] = {}

        def token(url: str) -> str:
            parts = urlsplit(url)
            origin = f"{parts.scheme}://{parts.netloc}"
            at, value = kept.get(origin, (0.0, ""))
            if not value or time.monotonic() - at > TOKEN_LIFE:
                fetch: Callable[[Request, str], str] = id_token.fetch_id_token
                value = fetch(Request(), origin).strip()
                kept[origin] = (time.monotonic(), value)
            return value

        return token
