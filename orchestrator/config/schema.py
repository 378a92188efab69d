"""The schema of `failover.yaml`: every field with its meaning and bounds.

The descriptions are the reference for the file's users (`docs/configuration.md` is made of them).
A policy's defaults and the names of its fields are those of `orchestrator.core.policy`, so the
loader copies each field by its name.
What the file may name but this version cannot do yet is a value that these models refuse. Nothing
here reads the file or compares fields with each other: `orchestrator.config` does that.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.config.kinds import (
    AwsRegion,
    Duration,
    Groups,
    HealthUrl,
    Hosts,
    Name,
    NotYet,
    Parameter,
    Project,
    RampShares,
    RedisKey,
    RedisServers,
    RegionName,
    RoleArn,
    StateUrl,
    StoreRegions,
    TopicName,
    ValueKind,
)
from orchestrator.core.policy import AutoFailovers, Brake, Graceful, Policy


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _defaults(values: AutoFailovers | Brake | Graceful | Policy) -> dict[str, Any]:
    """What a decision uses if the file says nothing, as the file would say it."""
    return {one.name: _plain(getattr(values, one.name)) for one in fields(values)}


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value


_AUTO_FAILOVERS = _defaults(AutoFailovers())
_BRAKE = _defaults(Brake())
_GRACEFUL = _defaults(Graceful())
_POLICY = _defaults(Policy())


class AutoFailoversModel(_Model):
    """How many automatic moves are allowed before automation stops and pages."""

    count: int = Field(
        _AUTO_FAILOVERS["count"],
        ge=0,
        description="How many times automation may move the service's traffic within that time."
        " The next move is refused and pages. 0: automation never moves and only records health.",
    )
    within: Duration = Field(
        _AUTO_FAILOVERS["within"],
        description="How far back moves are counted. Older moves do not count. With a longer time"
        " automation stops sooner in a long incident.",
    )


class BrakeModel(_Model):
    """When so much fails at once that the observer is the likelier fault."""

    share: float = Field(
        _BRAKE["share"],
        gt=0,
        le=1,
        description="If more than this share of the service's regions went down within that time,"
        " nothing moves and it pages. 0.7 lets two of three regions fail (0.67) and stops at three."
        " With two regions it stops when both fail. 1: this part of the rule never stops a move."
        " With any share, nothing moves while all our probes fail in the same way, because then the"
        " orchestrator itself may be cut off.",
    )
    within: Duration = Field(
        _BRAKE["within"],
        description="How far back a region counts as newly down. It should cover the time in which"
        " one cause reaches all regions' alerts. Regions that are down for longer do not count.",
    )


class GracefulModel(_Model):
    """How long a graceful switch waits so that no write is lost or doubled."""

    max_staleness: Duration = Field(
        _GRACEFUL["max_staleness"],
        description="How old a document an application may use: the client's own setting of that"
        " name. After this time since the fence was written, every client knows the fence.",
    )
    request_timeout: Duration = Field(
        _GRACEFUL["request_timeout"],
        description="How long an application's longest request may take. A write that began just"
        " before its client knew the fence has ended by then.",
    )
    deadline: Duration = Field(
        _GRACEFUL["deadline"],
        description="After this the switch is given up, the old primary takes writes again, and"
        " nothing has moved. It must be longer than the two above together. Ticks take the steps,"
        " one a minute.",
    )


class PolicyModel(_Model):
    """What an operator has decided in advance for one service."""

    confirm: Literal["none", "probe", "monitoring"] = Field(
        _POLICY["confirm"],
        description="The second, independent signal that an alert needs before traffic moves."
        " `probe`: our own request to the region's `health_url`. An answer of 2xx contradicts the"
        " alert, and nothing moves. `monitoring`: the results of the region's uptime check in the"
        " last five minutes (found by `check_id`, else by the host of `health_url`, with a period"
        " of 60 s). It confirms if two checker locations fail, and contradicts if two pass and at"
        " most one fails. It tests the region as users reach it, from several places. But it is not"
        " more independent than the alert: the data that raised an alert on the same check also"
        " confirm it, unless the alert is late or forged. A region that it finds failing is failing"
        " for ticks, too. In any case the region that takes over must answer our own probe. `none`:"
        " the alert alone moves traffic, so a wrong alert does too.",
    )
    on_unconfirmed: Literal["proceed", "hold"] = Field(
        _POLICY["on_unconfirmed"],
        description="What to do when the second signal is unavailable: the region has no"
        " `health_url`, its answer says nothing about health (a redirect, 4xx), or all probes fail"
        " in the same way. With `confirm: monitoring`: Monitoring does not answer within 2.5 s, has"
        " no data, or finds several checks of one host."
        " `hold`: move nothing and page. A region without a `health_url` is then no target either,"
        " and with `confirm: probe` the file is refused. `proceed`: believe the alert. Then one"
        " forged or wrong alert moves traffic whenever the health URL does not answer with 2xx or"
        " 5xx.",
    )
    trust_close: bool = Field(
        _POLICY["trust_close"],
        description="Whether a closed incident alone makes a region healthy again. Monitoring"
        " closes incidents on missing data too, so by default health is proven by our own probes"
        " (`recovery_probes`). The close of a region without a `health_url` is always trusted.",
    )
    min_incidents: int = Field(
        _POLICY["min_incidents"],
        ge=1,
        description="How many open incidents make a region down. Raise it if several alert policies"
        " watch a region and one of them alone must not move traffic. An incident that our own"
        " failing probes opened is enough by itself.",
    )
    recovery_probes: int = Field(
        _POLICY["recovery_probes"],
        ge=1,
        description="How many healthy probes in a row prove that a region has recovered. Ticks"
        " count them, each at least 45 s after the one before, so 3 take about three minutes with"
        " a tick a minute. As many failing probes in a row open an incident without any alert.",
    )
    cooldown: Duration = Field(
        _POLICY["cooldown"],
        description="How long automation does not return to a region that it has left, even if that"
        " region looks healthy. The rule never keeps traffic in a failed region while another"
        " region can take over. If no other region is left, a region that has proven healthy since"
        " it was left is a target within its cooldown. Longer: fewer moves back and forth. Shorter:"
        " more candidates when a second region fails.",
    )
    max_auto_failovers: AutoFailoversModel = Field(
        AutoFailoversModel(),
        description="The limit of automatic moves, so that a fault that follows the traffic is not"
        " carried from region to region. At the limit automation holds and pages.",
    )
    max_event_age: Duration = Field(
        _POLICY["max_event_age"],
        description="An alert whose incident began longer ago updates health and moves nothing,"
        " because its fault may be over. The time must be longer than alerts take: 4 to 9"
        " minutes from the fault to Pub/Sub were measured on Google Cloud. A tick that sees the"
        " region fail itself may still move.",
    )
    brake: BrakeModel = Field(
        BrakeModel(),
        description="When so many regions fail at once that the observer is the likelier fault,"
        " nothing moves and it pages.",
    )
    min_healthy_regions: int = Field(
        _POLICY["min_healthy_regions"],
        ge=1,
        description="How many healthy regions must be left after a move. 1: the one that takes over"
        " is enough. Raise it if one region alone cannot carry the load. A move that would leave"
        " fewer healthy regions is refused.",
    )
    failback: Literal["manual", "auto"] = Field(
        _POLICY["failback"],
        description="Who brings traffic back to a region that is healthy again. `manual`: only an"
        " operator (`failoverctl failback`). Until then the region that took over keeps the"
        " traffic. `auto`: ticks do, after `failback_after`: in active-passive mode one graceful"
        " switch to the first region, in active-active mode step by step along `ramp`.",
    )
    failback_after: Duration = Field(
        _POLICY["failback_after"],
        description="How long a region must have been up before `failback: auto` gives it traffic"
        " again. In any case nothing is given back within `cooldown` of an automatic move.",
    )
    ramp: RampShares = Field(
        _POLICY["ramp"],
        description="What a region gets back, step by step, in active-active mode: ceilings of"
        " its capacity (`capacityScaler`), not shares of the traffic. Any new incident in that"
        " region takes all of it away again. Serverless groups have no scaler and get all in one"
        " step.",
    )
    ramp_step: Duration = Field(
        _POLICY["ramp_step"],
        description="How long each step of `ramp` lasts at least. A tick takes the next step.",
    )
    max_replication_lag: Duration = Field(
        _POLICY["max_replication_lag"],
        description="How far a region's replica may be behind the region that is left. It is read"
        " from the health endpoint's JSON (`replication_lag_seconds`: seconds by region). A move"
        " loses at most the writes of that time. A graceful switch waits for the replica."
        " A reported lag that cannot be read, or whose heartbeat is missing or stalled, is unknown,"
        " and `on_lag` decides. A region that does not report a lag passes, unless you write this"
        " setting: then its lag is unknown too.",
    )
    on_lag: Literal["hold", "proceed"] = Field(
        _POLICY["on_lag"],
        description="What to do when a candidate is further behind than `max_replication_lag`, or"
        " its lag is unknown. `hold`: it is no target. `proceed`: move, and lose what was not"
        " replicated.",
    )
    on_state_loss: Literal["hold", "act"] = Field(
        _POLICY["on_state_loss"],
        description="What to do while the state document cannot be read. `hold`: decide nothing and"
        " answer 5xx, so that Pub/Sub delivers the message again. `act`: if an alert says that"
        " the region that carries the traffic fails, our own probe agrees, and another region"
        " is healthy, move once, based on the load balancer's own mark. The state"
        " follows when it can be read again. A freeze is honoured, because the mark has its"
        " end: with `act`, `freeze` and `unfreeze` write the mark, and nothing but the mark."
        " `act` cannot know a freeze that was committed and could not be written to the load"
        " balancer, the cooldown, `max_auto_failovers`, and a region that an operator evacuated.",
    )
    graceful: GracefulModel = Field(
        GracefulModel(),
        description="How long a graceful switch waits: `failover` and `failback` while the old"
        " region lives. That region takes no writes meanwhile.",
    )


class RegionModel(_Model):
    """One region of a service."""

    endpoint: str = Field(
        "",
        description="The DynamoDB endpoint that applications use while this region is the primary."
        " It is published in the state document. It is one of AWS's names of DynamoDB in this"
        " region, by https: `dynamodb[-fips].REGION.amazonaws.com`, `ACCOUNT.ddb.REGION"
        ".amazonaws.com`, the same under `api.aws`, or a VPC endpoint's"
        " `vpce-ID.dynamodb.REGION.vpce.amazonaws.com` (other partitions have other domains). Any"
        " other host must stand in `allow_endpoints`. Loopback addresses and `http://` are accepted"
        " only with `file://` state or an emulator. Default:"
        " `dynamodb.REGION.amazonaws.com`, or that of the region's partition.",
        examples=["dynamodb.us-east-1.amazonaws.com"],
    )
    aws_region: AwsRegion | None = Field(
        None,
        description="The AWS region of the replica, if the region's key is another name, such as"
        " Google's `us-east4`. The endpoint must be in it, requests are signed for it, and the"
        " state document has it. Default: the region's key or, if that is no AWS region, the"
        " one in AWS's name of the endpoint.",
        examples=["us-east-1"],
    )
    health_url: HealthUrl | None = Field(
        None,
        description="The URL that our own probe requests. 2xx means healthy, 5xx or no answer means"
        " failing, and anything else says nothing. Alerts are matched to the region by its host"
        " too. It must report the region's own health, with or without traffic, and must not pass"
        " through the load balancer. No two regions may have the same one. User names, loopback and"
        " metadata hosts are refused. Without it `confirm: probe` cannot confirm anything, so"
        " the file is refused unless it has `on_unconfirmed: proceed` or `confirm: none`. The"
        " region is then chosen after all others.",
        examples=["https://use4.checkout.example.com/healthz"],
    )
    check_id: str | None = Field(
        None,
        description="The uptime check's id. It identifies the region of an alert without a `region`"
        " label on its policy and without a known host, and `confirm: monitoring` reads this check."
        " No two regions may have the same one.",
        examples=["checkout-use4-x1"],
    )
    backend: Groups = Field(
        description="The instance group or network endpoint group that serves this region, or a"
        " list of them (one for each zone), which are moved together in one request. Host and API"
        " version of the URL do not matter. A group belongs to one region only. `*` matches a"
        " whole zone, region or name, or its end. GKE gives a network endpoint group one name"
        " in every zone and creates more of them automatically:"
        " `.../zones/us-east4-*/networkEndpointGroups/NAME` claims them all. Patterns that can"
        " match the same group are refused, and so is `*` with `lever: membership`.",
        examples=[
            "https://www.googleapis.com/compute/v1/projects/my-project/regions/us-east4/networkEndpointGroups/checkout-use4"
        ],
    )

    @property
    def groups(self) -> tuple[str, ...]:
        """The region's groups, one or several."""
        return (self.backend,) if isinstance(self.backend, str) else tuple(self.backend)


class TrafficModel(_Model):
    """What carries the traffic and how it is moved."""

    kind: Annotated[
        Literal["backend-service"],
        NotYet(
            ("url-map", "cloud-dns"),
            "traffic of kind {given} does not exist yet. Use backend-service",
        ),
    ] = Field(description="What is patched to move traffic: a global backend service.")
    backend_service: Name = Field(
        description="The name of the global backend service in `project`. The orchestrator writes"
        " its `backends` and the beginning of its `description`, and nothing else. Two services"
        " may not name the same one.",
        examples=["checkout"],
    )
    lever: Literal["capacity", "membership"] | None = Field(
        None,
        description="How a region's groups get and lose traffic. `capacity`: by"
        " `capacityScaler`, for instance groups and zonal or hybrid network endpoint groups."
        " `membership`: by attaching and detaching, for serverless groups, which have no scaler."
        " Default: what fits the attached groups. Write it if regional network endpoint groups are"
        " not serverless.",
    )
    standby: Literal["drained", "attached"] = Field(
        "drained",
        description="How standby regions stand in the backend service, in active-passive mode."
        " `drained`: with no capacity, or detached, so that no request reaches them before a move."
        " `attached`: all regions have capacity, and the load balancer's health check (Cloud Run:"
        " the readiness probe) keeps the standbys out. It must ask for `/primary` below the path of"
        " `health_url`, as in `/healthz/primary`, which answers 200 only where the region is the"
        " primary by the newest document, with the document's `epoch` in its JSON. The document"
        " alone then moves the users, even while the Compute API is down. A failed primary is"
        " drained afterwards. Every region needs a `health_url`.",
    )


class ServiceModel(_Model):
    """One service: its regions, what carries its traffic, and its policy."""

    mode: Literal["active-passive", "active-active"] = Field(
        description="How many regions carry traffic. `active-passive`: one, the primary."
        " `active-active`: every healthy region. One of them is the primary for writers."
    )
    regions: Annotated[
        dict[RegionName, RegionModel],
        Field(min_length=1),
        ValueKind("mapping of region names to regions", "at least one region by its name"),
    ] = Field(
        description="The regions in order of preference: the first is the preferred primary, and a"
        " failover takes the first one that can take over. The names are those of the DynamoDB"
        " regions (or any names, with `aws_region`), and alerts name them in the label `region`."
    )
    allow_endpoints: Hosts = Field(
        [],
        description="Hosts that an `endpoint` may name although they are not AWS names of DynamoDB:"
        " a proxy, your own domain, LocalStack. Exact names, with the port unless it is 443."
        " Requests to them carry items and signatures. They are sent by https, and by `http://`"
        " only with `file://` state or an emulator. The client does not trust the document about"
        " such a host, so pass it `allow_endpoint=` too.",
        examples=[["dynamodb.internal.example.com"]],
    )
    traffic: TrafficModel = Field(description="What carries the traffic and how it is moved.")
    policy: PolicyModel = Field(
        PolicyModel(),
        description="The rules' limits for this service. Everything in it has a default.",
    )


class TopicsModel(_Model):
    """The Pub/Sub topics, by name, in `project`."""

    alerts: TopicName = Field(
        "dynamodb-failover-alerts",
        description="The topic that Cloud Monitoring's notification channel publishes alerts to.",
    )
    control: TopicName | None = Field(
        None,
        description="The topic of ticks, one a minute. Without ticks nothing finishes what a crash"
        " left, repairs drift, proves recovery or finds lost notifications.",
        examples=["failover-control"],
    )
    events: TopicName | None = Field(
        None,
        description="The topic to which decisions and pages are published. Without it none are.",
        examples=["failover-events"],
    )


class ProbeModel(_Model):
    """How health URLs are asked, for every service."""

    timeout: Annotated[
        Duration, Field(ge=timedelta(milliseconds=100), le=timedelta(seconds=60))
    ] = Field(
        timedelta(seconds=2),
        description="How long the whole round of probes may take, all regions and all attempts"
        " together. Every decision waits for it. A longer time waits for slow regions, a shorter"
        " one treats them as failed sooner.",
    )
    attempts: int = Field(
        2,
        ge=1,
        le=5,
        description="How many tries each region has, started evenly over the timeout: the second of"
        " two starts at half of it. The first HTTP answer of any kind ends a region's tries.",
    )
    auth: Literal["none", "oidc"] = Field(
        "none",
        description="What the request carries. `oidc`: an identity token of the function's service"
        " account, for Cloud Run behind IAM. `none`: nothing.",
    )


class SsmMirrorModel(_Model):
    """The mirror in AWS SSM Parameter Store."""

    parameter: Parameter = Field(
        "/failover/{service}",
        description="The parameter's name. `{service}` in it is the service's name. If it does not"
        " exist, it is created as a standard parameter of type String.",
    )
    regions: StoreRegions = Field(
        description="The AWS regions whose Parameter Store is written, each separately, so that"
        " applications can read the one of their own region.",
        examples=["[us-east-1, us-west-2]"],
    )
    role_arn: RoleArn | None = Field(
        None,
        description="The IAM role that the function assumes with its Google identity, so that no"
        " AWS key is stored. It needs `ssm:GetParameter`, `ssm:GetParameterHistory` and"
        " `ssm:PutParameter` on the parameter. Without it boto3 searches for credentials.",
        examples=["arn:aws:iam::123456789012:role/failover-mirror"],
    )
    audience: str = Field(
        "aws-dynamodb",
        min_length=1,
        description="The audience of Google's identity token, as the role's trust policy names it"
        " (`accounts.google.com:oaud`).",
    )


class RedisMirrorModel(_Model):
    """The mirror in Redis."""

    urls: RedisServers = Field(
        description="The servers, each written separately. The password is never in this file: it"
        " is read from the environment variable `FAILOVER_REDIS_PASSWORD`, or from the one that a"
        " URL names by `?password_env=NAME`.",
        examples=["[rediss://failover@redis.us-east-1.example.com:6379/0]"],
    )
    key: RedisKey = Field(
        "failover:{service}",
        description="The hash's key. `{service}` in it is the service's name. The hash has the"
        " fields `revision` and `document`.",
    )


class MirrorsModel(_Model):
    """Copies of the document, for applications that cannot read its bucket."""

    ssm: SsmMirrorModel | None = Field(
        None, description="AWS SSM Parameter Store, in one region or several."
    )
    redis: RedisMirrorModel | None = Field(
        None, description="Redis, on one server or on several of them."
    )


class FileModel(_Model):
    """The whole file."""

    version: Literal[1] = Field(description="The version of this file's format.")
    serial: int = Field(
        0,
        ge=0,
        description="Raise this number with every change of the file. While two"
        " configurations run at once, as during a deployment, only the higher one decides."
        " A change under the same serial is reported as an error, and drift is not repaired then.",
    )
    project: Project = Field(
        description="The id of the Google Cloud project that the backend services are in.",
        examples=["my-project"],
    )
    state: StateUrl = Field(
        description="Where the state documents and the journal are kept: a Cloud Storage bucket,"
        " with or without a folder in it, or a local folder, for use without the cloud. If you"
        " change it, the old documents are not found.",
        examples=["gs://my-project-failover"],
    )
    topics: TopicsModel = Field(
        TopicsModel(), description="The Pub/Sub topics by name, all of them in `project`."
    )
    services: Annotated[
        dict[Name, ServiceModel],
        Field(min_length=1),
        ValueKind("mapping of service names to services", "at least one service by its name"),
    ] = Field(
        description="The services by name. Each has its own state document and its own decisions."
        " Alerts name it in the label `service`."
    )
    probe: ProbeModel = Field(
        ProbeModel(), description="How health URLs are asked, for every service."
    )
    mirrors: MirrorsModel = Field(
        MirrorsModel(),
        description="Copies of the part of each document that applications need, for applications"
        " that cannot read the state's bucket, or want a second source. They are written after"
        " every change and on every tick, and never delay a failover. A mirror that fails is logged"
        " and has no other effect. The function is packaged with the libraries for it.",
    )
    gauges: bool = Field(
        False,
        description="Whether every successful tick writes the status of each service to Cloud"
        " Monitoring, as `custom.googleapis.com/region_failover/` and `region_health`, `primary`,"
        " `epoch`, `frozen` or `last_tick`. An alert on their absence reports that no orchestrator"
        " is working. Only the deployed function writes them. The label `instance` distinguishes"
        " deployments, by the variable `FAILOVER_INSTANCE`, else by the function's name. It needs"
        " `roles/monitoring.metricWriter`, and Google charges for custom metrics.",
    )
