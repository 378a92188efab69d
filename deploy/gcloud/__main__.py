"""Writes the script and its files; runs nothing."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.gcloud import functions, identity, messaging, monitoring
from deploy.gcloud.settings import EMAIL, NAME, REGION, Settings, load
from deploy.gcloud.step import AnyStep, shell

HEAD = """\
#!/bin/sh
# Written by `make deploy-gcloud`, and overwritten by the next one. The installation that Terraform
# makes, except the dashboard, readers of the state and data access logs. What is there already is
# left as it is. Functions, their callers, push endpoints, roles and alert policies are updated.
set -eu"""
FEWEST = 2


def steps(settings: Settings) -> Iterator[AnyStep]:
    """The whole installation, in an order in which everything is there when it is needed."""
    yield from identity.steps(settings)
    yield from functions.buckets(settings)
    yield from messaging.topics(settings)
    yield from messaging.agents(settings)
    yield from functions.functions(settings)
    yield from functions.clock(settings)
    yield from monitoring.steps(settings)


def files(settings: Settings) -> dict[str, str]:
    """What the commands read, by name."""
    return {
        **identity.files(settings),
        **functions.files(settings),
        **monitoring.files(settings),
    }


def _argument(pattern: str, what: str) -> Callable[[str], str]:
    """A reader of an argument, which refuses a text that is not `what`."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"write {what}; it is {text!r}")
        return text

    return read


_NAME = _argument(NAME, "small letters, digits and -, 17 at most")
_REGION = _argument(REGION, "a Google Cloud region, such as us-central1")
_EMAIL = _argument(EMAIL, "an address, such as oncall@example.com")


def settings_of(arguments: list[str]) -> Settings:
    """The settings of a command line. Raises SystemExit, saying why."""
    parser = argparse.ArgumentParser("make deploy-gcloud ARGS=...")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--name", type=_NAME, default="failover", help="prefix of all names")
    parser.add_argument("--region", type=_REGION, action="append", default=[], help="twice or more")
    parser.add_argument("--email", type=_EMAIL, action="append", default=[], help="who is paged")
    given = parser.parse_args(arguments)
    if len(set(given.region)) < FEWEST:
        parser.error("name two regions or more: the orchestrator may live in the one that dies")
    if not given.email:
        parser.error("name an --email: somebody must receive the pages")
    regions, emails = tuple(dict.fromkeys(given.region)), tuple(dict.fromkeys(given.email))
    return Settings(load(given.config), given.name, regions, emails, given.archive, given.to)


def script(settings: Settings) -> str:
    """The whole script."""
    return "\n".join([HEAD, *(shell(step) for step in steps(settings))]) + "\n"


def main(arguments: list[str]) -> int:
    """Write everything; give the exit status."""
    settings = settings_of(arguments)
    settings.folder.mkdir(parents=True, exist_ok=True)
    for old in settings.folder.glob("*"):
        old.unlink()
    for name, content in files(settings).items():
        (settings.folder / name).write_text(content, encoding="utf-8")
    (settings.folder / "deploy.sh").write_text(script(settings), encoding="utf-8")
    sys.stdout.write(f"{settings.folder / 'deploy.sh'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
