"""The whole world, composed: it comes up, can be broken and moved by hand, and leaves nothing."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.local.blueprint import LeverName, ModeName
from orchestrator.local.monitoring.notification import opened
from orchestrator.local.process.ask import ask
from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.push_topic import Mishap
from orchestrator.local.rpc.proxy import OwnAnswer
from orchestrator.local.users.traffic_record import Sample, outages, segments, served
from orchestrator.local.world import LaptopWorld

pytestmark = [pytest.mark.long, pytest.mark.world]

SOURCE = """
import json, os, urllib.request
import functions_framework

SERVICE = "/compute/v1/projects/laptop/global/backendServices/checkout"

@functions_framework.cloud_event
def on_alert(event):
    with urllib.request.urlopen(os.environ["COMPUTE_EMULATOR_HOST"] + SERVICE) as answer:
        service = json.load(answer)
    names = ("FAILOVER_CONFIG", "STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")
    names += ("PUBSUB_EMULATOR_HOST",)
    print(json.dumps({"service": service["name"], **{n: os.environ.get(n) for n in names}}))
"""


HOLDER = """
import sys, time
from pathlib import Path
from orchestrator.local.world import LaptopWorld
with LaptopWorld(source=Path(sys.argv[1])) as world:
    print(world.folder, flush=True)
    time.sleep(600)
"""


def writers(folder: Path) -> list[str]:
    """The command lines of the processes whose output goes to a file in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if (process / "fd/1").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A function that asks the Compute API for the backend service and logs its environment."""
    found = tmp_path / "main.py"
    found.write_text(SOURCE)
    return found


def move(world: LaptopWorld, backends: list[dict[str, Any]]) -> None:
    """Change the backends of the service as an operator would."""
    service = world.backend_service()
    url = (
        f"{world.load_balancer.api_url}/compute/v1/projects/laptop/global/backendServices/checkout"
    )
    body = json.dumps({"fingerprint": service["fingerprint"], "backends": backends})
    answer = ask(url, "PATCH", body.encode(), {"Content-Type": "application/json"})
    assert answer.ok, answer.body


def recovered_by(region: str) -> Any:
    """A condition: the last twenty requests were served by `region`."""

    def condition(samples: tuple[Sample, ...]) -> bool:
        return all(s.ok and s.region == region for s in samples[-20:])

    return condition


def test_a_region_dies_and_traffic_is_moved(source: Path) -> None:
    """Users see an outage when the primary dies, and are served again when capacity is moved."""
    with LaptopWorld(source=source, traffic_rate=100, operation_seconds=0.05) as world:
        assert world.routed_regions == ("us-east-1",)
        world.traffic.wait_for(lambda samples: len(samples) >= 20, 30, "users")
        world.regions["us-east-1"].kill()
        world.traffic.wait_for(lambda samples: not samples[-1].ok, 30, "failures")
        backends = world.backend_service()["backends"]
        for backend in backends:
            backend["capacityScaler"] = float(backend["group"].endswith("us-west-2"))
        move(world, backends)
        world.traffic.wait_for(recovered_by("us-west-2"), 30, "the second region to serve")
        assert world.routed_regions == ("us-west-2",)
        assert [patch["method"] for patch in world.patches()] == ["PATCH"]
    (outage,) = outages(world.traffic.samples)
    assert outage.recovery is not None
    assert outage.seconds > 0
    assert [s.region for s in segments(world.traffic.samples)] == ["us-east-1", "us-west-2"]
    assert not world.folder.exists()


def test_membership_is_moved(source: Path) -> None:
    """With serverless groups, traffic follows the group that is attached."""
    with LaptopWorld(lever="membership", source=source, functions=0, state="file") as world:
        assert world.routed_regions == ("us-east-1",)
        (attached,) = world.backend_service()["backends"]
        other = attached["group"].replace("us-east4", "us-west1").replace("us-east-1", "us-west-2")
        move(world, [{"group": other}])
        world.traffic.wait_for(recovered_by("us-west-2"), 30, "the second region to serve")
        assert world.routed_regions == ("us-west-2",)
        assert outages(world.traffic.samples) == ()


@pytest.mark.parametrize("lever", ["capacity", "membership"])
def test_active_active(source: Path, lever: LeverName) -> None:
    """In active-active mode all regions serve."""
    mode: ModeName = "active-active"
    with LaptopWorld(lever=lever, mode=mode, source=source, functions=0, state="file") as world:
        assert world.routed_regions == ("us-east-1", "us-west-2", "eu-west-1")
        world.traffic.wait_for(lambda samples: len(served(samples)) == 3, 30, "all three to serve")


def test_functions_reach_the_world_through_their_proxies(source: Path) -> None:
    """Each function has proxies of its own, and a hook on one of them disturbs that function."""
    overrides: Any = {"services": {"checkout": {"policy": {"cooldown": "1s"}}}}
    with LaptopWorld(
        source=source, functions=2, proxies=True, traffic_rate=0, overrides=overrides
    ) as world:
        config = yaml.safe_load(world.config.read_text())
        assert config["state"] == "gs://laptop-failover"
        assert config["services"]["checkout"]["policy"] == {"cooldown": "1s"}
        alert = opened(world.check("us-east-1"), "0.abc", datetime.now(UTC))
        assert all(future.result(10).acknowledged for future in world.publish(alert))
        for function, gcs_proxy in zip(world.functions, world.gcs_proxies, strict=True):
            assert function.log_lines()[-1] == {
                "service": "checkout",
                "FAILOVER_CONFIG": str(world.config),
                "STORAGE_EMULATOR_HOST": gcs_proxy.url,
                "GOOGLE_CLOUD_PROJECT": "laptop",
                "PUBSUB_EMULATOR_HOST": world.messaging.host,
            }
        refusals = iter([OwnAnswer(503)])
        world.compute_proxies[1].hook = lambda _: next(refusals, None)
        delivery = world.push(alert, function=1, message_id="7")
        assert [attempt.status for attempt in delivery.attempts] == [500, 200]
        assert [len(proxy.log) for proxy in world.compute_proxies] == [1, 3]


def test_the_state_document_is_read_wherever_it_is(source: Path) -> None:
    """The document is read from Cloud Storage or from the folder, and None where there is none."""
    with LaptopWorld(source=source, functions=0, traffic_rate=0) as world:
        assert world.document() is None
        assert world.gcs is not None
        world.gcs.write("checkout.json", b'{"epoch": 1}')
        assert world.document() == {"epoch": 1}
    with LaptopWorld(source=source, functions=0, traffic_rate=0, state="file") as world:
        assert world.document() is None
        folder = Path(yaml.safe_load(world.config.read_text())["state"].removeprefix("file://"))
        folder.mkdir()
        (folder / "checkout.json").write_text('{"epoch": 2}')
        assert world.document() == {"epoch": 2}


def test_an_alert_that_is_published_by_rest_is_pushed_to_every_function(source: Path) -> None:
    """The world's topics are those of `failover.yaml`, and curl and Google's clients reach them."""
    with LaptopWorld(source=source, functions=2, traffic_rate=0) as world:
        name = yaml.safe_load(world.config.read_text())["topics"]["alerts"]
        url = f"{world.messaging.server.rest_url}/v1/projects/laptop/topics/{name}:publish"
        assert ask(url, "POST", b'{"messages": [{"data": "e30="}]}').ok
        for function in world.functions:
            wait_until(function.log_lines, 30, f"{function.name} to be called")
        (message,) = world.topic.messages
        assert message.json() == {}


def test_what_is_announced_can_be_read(source: Path) -> None:
    """Whatever is published to the events topic is kept; it is pushed to nobody."""
    with LaptopWorld(source=source, functions=0, traffic_rate=0, state="file") as world:
        name = yaml.safe_load(world.config.read_text())["topics"]["events"]
        url = f"{world.messaging.server.rest_url}/v1/projects/laptop/topics/{name}"
        body = b'{"messages": [{"data": "eyJ0eXBlIjogIm1vdmVkIn0=", "attributes": {"a": "b"}}]}'
        assert ask(f"{url}:publish", "POST", body).ok
        (event,) = world.events()
        assert (event.json(), event.attributes) == ({"type": "moved"}, {"a": "b"})
        assert ask(url, "DELETE").ok
        assert ask(f"{url}:publish", "POST", body).status == 404
        assert world.events() == (event,)


def test_what_a_function_refuses_too_often_is_a_dead_letter(source: Path) -> None:
    """It goes to a topic of its own after the attempts that were asked for."""
    source.write_text(SOURCE.replace("print(", "raise ValueError("))
    with LaptopWorld(source=source, traffic_rate=0, state="file", dead_letter_after=5) as world:
        (future,) = world.publish({"n": 1})
        assert [attempt.status for attempt in future.result(30).attempts] == [500] * 5
        (dead,) = world.messaging.dead_letters.messages
        assert dead.json() == {"n": 1}
        assert dead.attributes["CloudPubSubDeadLetterSourceSubscription"] == "function-0"


def test_closing_a_world_gives_up_what_is_on_its_way(source: Path) -> None:
    """A delivery that waits, and one that hangs in a stopped function, do not hold it up."""
    with LaptopWorld(source=source, traffic_rate=0, state="file") as world:
        world.functions[0].stop_signal()
        (hanging,) = world.publish({"n": 1})
        world.topic.befall(Mishap(delay=600))
        (late,) = world.publish({"n": 2})
    assert not hanging.result(0).acknowledged
    assert late.result(0).attempts == ()


def test_a_world_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    """When one part cannot start, the others are stopped, and the error says why."""
    source = tmp_path / "main.py"
    source.write_text("raise RuntimeError('wrong at import')")
    world = LaptopWorld(source=source)
    with pytest.raises(RuntimeError, match="wrong at import"):
        world.__enter__()
    assert not world.folder.exists()
    for region in world.regions.values():
        with pytest.raises(ConnectionRefusedError):
            ask(region.url)


def test_a_killed_world_leaves_no_process(source: Path) -> None:
    """When the process that holds a world is killed, all processes of the world end."""
    command = [sys.executable, "-c", HOLDER, str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().decode().strip())
        assert len(writers(folder)) >= 7  # 3 regions, GCS, the API, Envoy, the function's two
        holder.kill()
    wait_until(lambda: not writers(folder), 30, f"the world's processes to end: {writers(folder)}")
    shutil.rmtree(folder)


def test_two_worlds_at_once(source: Path) -> None:
    """Two worlds run beside each other and do not meet."""
    with (
        LaptopWorld(source=source, functions=0, state="file") as one,
        LaptopWorld(source=source, functions=0, state="file") as two,
    ):
        one.regions["us-east-1"].kill()
        one.traffic.wait_for(lambda samples: not samples[-1].ok, 30, "failures in the first")
        wait_until(lambda: len(two.traffic.samples) >= 50, 30, "users of the second")
        assert outages(two.traffic.samples) == ()
