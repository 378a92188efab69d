"""How long a cold instance takes: from exec to the first HTTP answer, and through its first alert.

Our function and a function that imports nothing are served by the same functions-framework, one
after the other, in pairs that take turns in who goes first, so that a machine that warms up or
slows down does so for both. One more pair goes before and is not counted: it warms the byte code
and the page cache. Any HTTP answer counts (an event function turns a GET away with 405).

Run it in an environment that holds requirements.txt and nothing else: `make bench-cold` does.
It must not import anything of ours: it measures from the outside.
"""

import argparse
import base64
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 10.0  # seconds
NOTHING = 'def on_alert(request):\n    return "ok"\n'


@dataclass(frozen=True, slots=True)
class Instance:
    """One cold instance that has answered once: its port, and the seconds that took."""

    port: int
    ready: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert handed to an instance: the HTTP status of the answer, and the seconds it took."""

    status: int
    seconds: float


def main() -> int:
    """Measure, print the table; 1 when the ratio is above the limit, else 0."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        work = Path(folder)
        bare = work / "nothing.py"
        bare.write_text(NOTHING)
        try:
            nothing, ours, first, second = _measure(options, bare, work)
        except (FileNotFoundError, ChildProcessError, TimeoutError) as error:
            print(f"cold_start: {error}", file=sys.stderr)
            return 2
    ratio = statistics.median(ours) / statistics.median(nothing)
    print(f"{'':28}{'median':>10}{'min':>10}{'max':>10}")
    _row("imports nothing: ready", nothing)
    _row("this function: ready", ours)
    print(f"{'ratio of the medians':28}{ratio:10.2f}   (at most {options.limit})")
    if first and second:
        _row("first alert, cold", [each.seconds for each in first])
        _row("the same alert again", [each.seconds for each in second])
        print(f"{'answers':28}{_statuses(first):>10}{_statuses(second):>10}")
    else:
        print(f"no alert was sent: {options.config} or {options.alert} is missing")
    return 1 if ratio > options.limit else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cold start of the function, side by side.")
    parser.add_argument("--pairs", type=int, default=7, help="how many pairs count (7)")
    parser.add_argument("--limit", type=float, default=2.2, help="ratio that fails (2.2)")
    parser.add_argument("--source", type=Path, default=ROOT / "main.py")
    parser.add_argument("--config", type=Path, default=ROOT / "examples/failover-local.yaml")
    parser.add_argument("--alert", type=Path, default=ROOT / "examples/alerts/primary-down.json")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error("--pairs: at least one")
    return options


def _measure(
    options: argparse.Namespace, bare: Path, work: Path
) -> tuple[list[float], list[float], list[Delivery], list[Delivery]]:
    if not options.source.is_file():
        raise FileNotFoundError(f"{options.source} does not exist")
    nothing: list[float] = []
    ours: list[float] = []
    first: list[Delivery] = []
    second: list[Delivery] = []
    for pair in range(options.pairs + 1):
        turns = [True, False] if pair % 2 else [False, True]
        for is_ours in turns:
            if not is_ours:
                with _instance(bare, work, {}) as instance:
                    nothing.append(instance.ready)
                continue
            env = _own_state(options.config, work / f"state-{pair}")
            with _instance(options.source, work, env) as instance:
                ours.append(instance.ready)
                if env and options.alert.is_file():
                    body = _envelope(options.alert.read_bytes())
                    first.append(_deliver(instance.port, body))
                    second.append(_deliver(instance.port, body))
    return nothing[1:], ours[1:], first[1:], second[1:]  # the first pair only warms up


def _own_state(config: Path, state: Path) -> Mapping[str, str]:
    """A copy of the configuration with a state folder of its own, as the function's environment."""
    if not config.is_file():
        return {}
    state.mkdir()
    copy = state.with_suffix(".yaml")
    line = f'state: "file://{state}"'
    copy.write_text(re.sub(r"^state:.*$", lambda _: line, config.read_text(), flags=re.MULTILINE))
    return {"FAILOVER_CONFIG": str(copy)}


@contextmanager
def _instance(source: Path, work: Path, env: Mapping[str, str]) -> Iterator[Instance]:
    port = _free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", "on_alert"]
    command += ["--source", str(source), "--host", HOST, "--port", str(port)]
    log = work / "instance.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=source.parent,
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _first_answer(process, port, log)
            yield Instance(port, time.perf_counter() - started)
        finally:
            _stop(process)


def _first_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return as soon as anything was answered on the port."""
    deadline = time.perf_counter() + START_TIMEOUT
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (ConnectionError, http.client.HTTPException):
            if process.poll() is not None:
                raise ChildProcessError(f"the function did not start:\n{log.read_text()}") from None
            time.sleep(0.002)
        else:
            return
        finally:
            connection.close()
    raise TimeoutError(f"no answer within {START_TIMEOUT:.0f} s:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers; nothing is left behind."""
    try:
        process.terminate()
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _envelope(alert: bytes) -> bytes:
    """What a Pub/Sub push subscription sends."""
    message = {
        "messageId": "1",
        "publishTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "attributes": {},
        "data": base64.b64encode(alert).decode(),
    }
    subscription = "projects/local/subscriptions/alerts"
    return json.dumps({"subscription": subscription, "message": message}).encode()


def _deliver(port: int, body: bytes) -> Delivery:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT)
    try:
        started = time.perf_counter()
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return Delivery(response.status, time.perf_counter() - started)
    finally:
        connection.close()


def _row(name: str, seconds: list[float]) -> None:
    spread = (statistics.median(seconds), min(seconds), max(seconds))
    print(f"{name:28}" + "".join(f"{each:8.3f} s" for each in spread))


def _statuses(deliveries: list[Delivery]) -> str:
    return "/".join(str(status) for status in sorted({each.status for each in deliveries}))


if __name__ == "__main__":
    sys.exit(main())
