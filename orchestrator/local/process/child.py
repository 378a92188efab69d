"""Child processes that die with their parent and leave nothing behind.

A child asks the kernel (Linux, PR_SET_PDEATHSIG) to be killed when its parent dies, so that even a
SIGKILL to a drill takes its whole world along. Three facts shape this module:

- The signal is bound to the THREAD that spawned the child, not to the process. So one thread, which
  lives until the interpreter ends, spawns all children, and `start` may be called from any thread.
- The parent may die before the child has asked. The child therefore looks at its parent's id after
  asking, and leaves if that is not the one that spawned it.
- Python code between fork and exec (`preexec_fn`) can deadlock in a process with threads, and newer
  versions warn about it. So the asking is done by a tiny program that then becomes the child's own
  program by `exec`, which keeps both the process id and the request.

Each child leads its own process group: signals reach its workers too. Workers that a child forks do
not inherit the request; they are killed with the group by `kill` and `stop`.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.local.process.wait import wait_until

ROOT = Path(__file__).resolve().parents[3]
"""The folder that holds the package `orchestrator`: where children that are its modules run."""

_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
for name in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would pass that on
    signal.signal(name, signal.SIG_DFL)
os.execvp(sys.argv[2], sys.argv[2:])
"""
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_TAIL = 4000


class NotReady(RuntimeError):
    """A child ended, or was not ready in time; the message ends with the tail of its log."""


class Child:
    """One child process: it can be started again after it has ended. Usable as a context manager.

    `name` is for messages; `command` its arguments, the first being the program; `log` the file
    that takes its stdout and stderr; `env` its whole environment (default: ours); `cwd` its folder.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self.env = env
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process. Raises RuntimeError if it runs already."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._reap()
        self._process = _SPAWNER.submit(self._spawn).result()

    def start_ready(self, ready: Callable[[], bool], within: float = 15.0) -> None:
        """Start it and wait until it is ready; if it is not in time, stop it and raise NotReady."""
        self.start()
        try:
            self.wait_ready(ready, within)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process id, which is also its group's id. Raises RuntimeError before `start`."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the process has not ended (a stopped one has not)."""
        return self._process is not None and not _ended(self._process)

    def wait_ready(self, ready: Callable[[], bool], within: float = 15.0) -> None:
        """Wait until `ready` says so; raises NotReady if the child ends first or time runs out."""
        try:
            wait_until(lambda: ready() or not self.running, within, f"{self.name} to be ready")
        except TimeoutError as error:
            raise NotReady(f"{error}; its log ends with:\n{self.log_tail()}") from error
        if not self.running:
            raise NotReady(f"{self.name} ended; its log ends with:\n{self.log_tail()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; nothing happens if the child has ended."""
        if self.running:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL the whole group and wait until its processes are gone."""
        if self._process is not None and self._process.returncode is None:
            _kill_group(self.pid)
            self._reap()
            wait_until(lambda: not _group_alive(self.pid), 5.0, f"{self.name}'s group to end")

    def stop(self, grace: float = 3.0) -> None:
        """SIGTERM, and after `grace` seconds SIGKILL; also wakes a stopped child. Idempotent."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        with suppress(TimeoutError):  # the kill below is the answer
            wait_until(lambda: not self.running, grace, f"{self.name} to end")
        self.kill()

    def log_tail(self) -> str:
        """The last 4,000 characters of the log, empty if there is none."""
        return self.log.read_text(errors="replace")[-_TAIL:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self) -> subprocess.Popen[bytes]:
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *self.command]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                launch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                process_group=0,
            )

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended, without reaping it: its id stays taken until its group is killed."""
    if process.returncode is not None:
        return True
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        return os.waitid(os.P_PID, process.pid, options) is not None
    except ChildProcessError:  # another thread has just reaped it
        return True


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):  # all of it has ended
        os.killpg(group, signal.SIGKILL)


def _group_alive(group: int) -> bool:
    """Whether a process of the group is more than a zombie (which holds no port and no file)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, member_of = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # ended while we looked
        if int(member_of) == group and state not in "ZX":
            return True
    return False
