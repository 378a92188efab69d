"""A name that leads to the machine that asks, or to its metadata server, is no region's.

The file names a host; whoever has its zone decides at every look where that is.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.adapters.probe import HttpProber
from orchestrator.addresses import Address
from orchestrator.config import load
from orchestrator.core.model import Part, Probe, Verdict
from orchestrator.core.policy import Region
from orchestrator.local.process.loopback import HOST
from orchestrator.wiring import Wiring
from tests.support.fakes import configuration
from tests.support.station import Said, Station

NO_REGION = Probe(Verdict.SILENT, "its host name resolves to an address that no region can have")


class Zone:
    """A name server that gives what a test set, and counts."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of whatever name."""
        del host
        return tuple(
            Address(socket.AF_INET6, (one, port, 0, 0))
            if ":" in one
            else Address(socket.AF_INET, (one, port))
            for one in self.hosts
        )


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A server that takes connections; whether it was given one is looked at."""
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(0)
        yield server


def untouched(server: socket.socket) -> bool:
    """Whether nobody has connected."""
    try:
        server.accept()
    except BlockingIOError:
        return True
    return False


def region(port: int) -> Region:
    """A region of a name in somebody's zone."""
    return Region("r", "dynamodb.example.com", f"http://use4.test:{port}/healthz", None, ())


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd20:ce::254", "64:ff9b::a9fe:a9fe"],
)
@pytest.mark.parametrize("here", [True, False])
def test_a_name_that_leads_to_the_metadata_server_is_not_asked(address: str, here: bool) -> None:
    """Neither on a laptop nor in the cloud, whose tokens it gives to whoever asks."""
    tokens: list[str] = []

    def token(url: str) -> str:
        tokens.append(url)
        return "t"

    prober = HttpProber(2.0, 2, token, Zone(address), allows_loopback=here)
    assert prober.probe([region(80)])["r"] == NO_REGION
    assert prober.roles([region(80)])["r"].part is Part.SILENT


@pytest.mark.parametrize("address", [HOST, "::1", "0.0.0.0", "::ffff:127.0.0.1"])  # noqa: S104  # asked, never bound
def test_in_the_cloud_a_name_that_leads_to_the_function_itself_is_not_asked(address: str) -> None:
    with listening() as server:
        port = server.getsockname()[1]
        prober = HttpProber(2.0, 2, resolve=Zone(address), allows_loopback=False)
        assert prober.probe([region(port)])["r"] == NO_REGION
        assert untouched(server)


def test_one_such_address_among_others_keeps_all_from_being_asked() -> None:
    """A zone that mixes them would have the right answer hide the wrong question."""
    with listening() as server:
        port = server.getsockname()[1]
        prober = HttpProber(2.0, 2, resolve=Zone(HOST, "169.254.169.254"))
        assert prober.probe([region(port)])["r"] == NO_REGION
        assert untouched(server)


def test_a_name_that_is_bound_anew_between_two_tries_is_not_asked_either() -> None:
    """The first try finds nothing there; the second is led to the metadata server."""
    zone = Zone("203.0.113.1")

    def bound_anew(host: str, number: int) -> tuple[Address, ...]:
        found = Zone(HOST)(host, number) if zone.hosts else Zone("169.254.169.254")(host, number)
        zone.hosts = ()
        return found

    with listening() as server:
        port = server.getsockname()[1]
        prober = HttpProber(0.4, 2, resolve=bound_anew)
        assert prober.probe([region(port)])["r"] == NO_REGION


def test_on_a_laptop_a_region_may_be_on_this_machine() -> None:
    with closing(Station(lambda _: Said(200))) as station:
        port = int(station.url.rpartition(":")[2])
        prober = HttpProber(10.0, 2, resolve=Zone(HOST), allows_loopback=True)
        assert prober.probe([region(port)])["r"].verdict is Verdict.HEALTHY


def test_the_wiring_allows_it_on_a_laptop_alone(tmp_path: Path) -> None:
    """With the state in a bucket and no emulator, a name that leads here is not asked."""
    for state, verdict in {"gs://laptop": Verdict.SILENT, "file:///tmp/s": Verdict.FAILING}.items():
        content = {**configuration(), "state": state}
        (tmp_path / "failover.yaml").write_text(json.dumps(content))
        wiring = Wiring({"FAILOVER_CONFIG": str(tmp_path / "failover.yaml")}, tmp_path)
        config = load(json.dumps(content), "failover.yaml")
        prober = wiring._prober(config)
        prober._resolve = Zone(HOST)
        with listening() as server:
            port = server.getsockname()[1]
        assert prober.probe([region(port)])["r"].verdict is verdict
