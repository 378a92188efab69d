"""Google's own Pub/Sub emulator in the place of ours, where it is installed."""

import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.local.process.child import ROOT
from orchestrator.local.process.wait import wait_until
from orchestrator.local.pubsub.google_emulator import EmulatorMissing, emulator_program
from orchestrator.local.pubsub.push import Form
from orchestrator.local.world import LaptopWorld
from tests.support.worlds import alert, fail, settled

COMPONENT = Path("platform/pubsub-emulator/bin/cloud-pubsub-emulator")

HOLDER = """
import sys, time
from pathlib import Path
from orchestrator.local.pubsub.google_emulator import GoogleEmulator
from orchestrator.local.process.loopback import free_port
emulator = GoogleEmulator(free_port(), Path(sys.argv[1]))
emulator.start()
print(emulator.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def installed() -> Path:
    """The emulator's program; the test is skipped where there is none."""
    try:
        return emulator_program()
    except EmulatorMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def put(program: Path, says: str = "") -> None:
    """A program that says this."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.usefixtures("tools")
def test_without_the_google_cloud_cli_an_error_says_so() -> None:
    with pytest.raises(EmulatorMissing, match=r"needs the Google Cloud CLI \(https"):
        emulator_program()


def test_without_the_component_an_error_says_how_to_install_it(tools: Path) -> None:
    put(tools / "gcloud", f"echo {tools.parent}")
    with pytest.raises(EmulatorMissing, match="gcloud components install pubsub-emulator"):
        emulator_program()


def test_without_java_an_error_says_so(tools: Path) -> None:
    put(tools / "gcloud", f"echo {tools.parent}")
    put(tools.parent / COMPONENT)
    with pytest.raises(EmulatorMissing, match="needs Java"):
        emulator_program()
    put(tools / "java")
    assert emulator_program() == tools.parent / COMPONENT


def test_a_cli_that_fails_is_as_good_as_none(tools: Path) -> None:
    put(tools / "gcloud", "exit 1")
    with pytest.raises(EmulatorMissing, match="info fails"):
        emulator_program()


@pytest.mark.usefixtures("tools")
def test_a_world_that_wants_it_in_vain_says_so_and_leaves_nothing() -> None:
    """Before a process is started."""
    world = LaptopWorld(pubsub_emulator=True)
    with pytest.raises(EmulatorMissing):
        world.__enter__()
    assert not world.folder.exists()


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="form"):
        LaptopWorld(pubsub_emulator=True, form=Form.CLOUD_EVENT)
    with pytest.raises(ValueError, match="dead letters"):
        LaptopWorld(pubsub_emulator=True, dead_letter_after=5)


@pytest.mark.world
@pytest.mark.long
@pytest.mark.timeout(120)  # a Java program on a busy machine
@pytest.mark.usefixtures("installed")
def test_a_failover_through_googles_emulator() -> None:
    """It pushes the alert to the function and takes what this announces; it ends with the world."""
    with LaptopWorld(pubsub_emulator=True, traffic_rate=0) as world:
        assert world.messaging.emulator is not None
        pid = world.messaging.emulator.pid
        before = datetime.now(UTC)
        fail(world, "us-east-1")
        assert world.publish(alert(world, "us-east-1")) == ()
        wait_until(world.events, 30, "the decision to be announced")
        settled(world, "us-west-2", 1)
        (event,) = world.events()
        assert event.json()["type"] == event.attributes["ce-type"] == "failover.decision.moved"
        assert before <= event.published <= datetime.now(UTC)
        assert world.push(alert(world, "us-east-1", "0.again")).acknowledged
        with pytest.raises(ValueError, match="id"):
            world.publish({}, message_id="7")
    assert not alive(pid)


@pytest.mark.world
@pytest.mark.long
@pytest.mark.timeout(120)  # as above
@pytest.mark.usefixtures("installed")
def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert alive(pid)
        holder.kill()
    wait_until(lambda: not alive(pid), 30, "the emulator to end")
