"""Child processes: they die with their parent, tell why they are not ready, and leave nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.local.process.child import Child, NotReady
from orchestrator.local.process.loopback import HOST, free_port
from orchestrator.local.process.wait import wait_until

ROOT = Path(__file__).resolve().parents[3]
PYTHON = (sys.executable, "-I", "-S", "-u", "-c")
SLEEP = (*PYTHON, "import time; time.sleep(600)")
FORK = "import os, time; pid = os.fork(); print('pid', os.getpid()); time.sleep(600)"
PARENT = """
import sys, time
from pathlib import Path
from orchestrator.local.process.child import Child
child = Child("child", ["sleep", "600"], log=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def pids(log: Path, count: int) -> list[int]:
    """The process ids that programs have written to a log, once there are `count`."""

    def found() -> list[int]:
        ids = [int(pid) for pid in re.findall(r"pid (\d+)\n", log.read_text())]
        return ids if len(ids) == count else []

    return wait_until(found, 30, f"{count} process ids")


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A child dies when its parent is killed with SIGKILL."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_until(lambda: not alive(child), 30, "the child to die")


def test_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """A child goes on when the thread that asked for it has ended."""
    child = Child("sleeper", SLEEP, log=tmp_path / "log")
    thread = threading.Thread(target=child.start)
    thread.start()
    thread.join()
    try:
        with pytest.raises(TimeoutError):
            wait_until(lambda: not child.running, 0.2, "an end that must not come")
    finally:
        child.stop()


def test_a_child_whose_parent_is_gone_already_leaves(tmp_path: Path) -> None:
    """A child that finds another parent than the one that spawned it runs nothing."""
    from orchestrator.local.process.child import _LAUNCHER

    sign = tmp_path / "it-ran"
    done = subprocess.run([*PYTHON, _LAUNCHER, "1", "touch", str(sign)], check=False, timeout=10)
    assert done.returncode == 1
    assert not sign.exists()


def test_kill_takes_the_whole_group(tmp_path: Path) -> None:
    """Killing a child kills the workers it has forked."""
    log = tmp_path / "log"
    with Child("forker", (*PYTHON, FORK), log=log) as child:
        workers = pids(log, 2)
        child.kill()
        assert not any(alive(pid) for pid in workers)


def test_stop_wakes_and_ends_a_stopped_child(tmp_path: Path) -> None:
    """Stopping a child that hangs in SIGSTOP, or ignores SIGTERM, ends it all the same."""
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('pid 1'); time.sleep(600)"
    log = tmp_path / "log"
    child = Child("deaf", (*PYTHON, deaf), log=log)
    child.start()
    pids(log, 1)
    child.signal(signal.SIGSTOP)
    child.stop(grace=0.1)
    assert not child.running
    child.stop()


def test_not_ready_shows_the_log(tmp_path: Path) -> None:
    """A child that ends before it is ready is reported with the tail of its log."""
    child = Child("broken", (*PYTHON, "raise SystemExit('no such thing')"), log=tmp_path / "log")
    with child, pytest.raises(NotReady, match=r"broken ended; .*\n.*no such thing"):
        child.wait_ready(lambda: False)


def test_ready_has_a_deadline(tmp_path: Path) -> None:
    """A child that does not become ready in time is reported, with the time waited."""
    child = Child("slow", SLEEP, log=tmp_path / "log")
    with child, pytest.raises(NotReady, match=r"waited 0\.1 s in vain for slow"):
        child.wait_ready(lambda: False, within=0.1)


def test_a_child_can_be_started_again(tmp_path: Path) -> None:
    """A child that was killed starts again, as another process; a running one does not."""
    with Child("sleeper", SLEEP, log=tmp_path / "log") as child:
        first = child.pid
        with pytest.raises(RuntimeError, match="runs already"):
            child.start()
        child.kill()
        child.start()
        assert child.pid != first
        assert os.getpgid(child.pid) == child.pid


def test_a_child_has_the_usual_signal_actions(tmp_path: Path) -> None:
    """SIGPIPE, which Python ignores, is not ignored in a child that is not Python."""
    log = tmp_path / "log"
    with Child("cat", ["cat", "/proc/self/status"], log=log) as child:
        wait_until(lambda: not child.running, 30, "cat to end")
    ignored = re.search(r"SigIgn:\s*(\w+)", log.read_text())
    assert ignored is not None
    assert not int(ignored[1], 16) & (1 << (signal.SIGPIPE - 1))


def test_free_ports_are_reserved() -> None:
    """A port is handed out once, lies outside of the range of outgoing connections, and is free."""
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < first for port in ports) or first < 17000
    with socket.create_server((HOST, ports[0])):
        pass
