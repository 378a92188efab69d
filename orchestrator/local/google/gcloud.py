"""gcloud, pointed at the laptop's Compute API: its environment, and one call of it.

    gcloud = Gcloud("http://127.0.0.1:15080", "laptop", folder)
    gcloud.run("compute", "backend-services", "list")

gcloud is not part of this project and need not be installed. It is given no credentials and asks
nothing but the API at that address.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.process.loopback import HOST

PREFIX = "CLOUDSDK_"  # of every variable that gcloud reads its properties from
_NOBODY = 1  # a port on which nothing listens: gcloud learns at once that this is no Google machine


@dataclass(frozen=True, slots=True)
class Said:
    """What one call of gcloud ended with: 0 where it succeeded, and its two outputs."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Gcloud:
    """The installed gcloud, pointed at the API at `url`; `folder` takes its files."""

    url: str
    project: str
    folder: Path

    def run(self, *arguments: str, within: float = 60.0) -> Said:
        """Run `gcloud ARGUMENTS...`; any status is an answer.

        Raises FileNotFoundError where it is not installed, subprocess.TimeoutExpired after `within`
        seconds.
        """
        if (program := installed()) is None:
            raise FileNotFoundError("gcloud is not installed")
        outer = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)}
        own = environment(self.url, self.project, self.folder)
        near = dict.fromkeys(("NO_PROXY", "no_proxy"), HOST)
        ended = subprocess.run(
            [program, *arguments],
            env=outer | own | near,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Said(ended.returncode, ended.stdout, ended.stderr)


def installed() -> str | None:
    """The path of gcloud, None where it is not installed."""
    return shutil.which("gcloud")


def environment(url: str, project: str, folder: Path | None = None) -> dict[str, str]:
    """The variables that point gcloud's compute commands at the API at `url` (without a slash).

    They stand above the settings of whoever uses them. gcloud then sends no credentials and asks no
    questions; where it would ask for a region, `--global` must be said. With a `folder` it leaves
    those settings alone, keeps its files there and does not even look for Google's network. A proxy
    between, if the shell has one, is theirs to except.
    """
    found = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{url}/compute/v1/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "true",
    }
    if folder is None:
        return found
    return found | {"CLOUDSDK_CONFIG": str(folder), "GCE_METADATA_ROOT": f"{HOST}:{_NOBODY}"}
