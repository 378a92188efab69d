"""The first page: short, with its words explained first and two snippets that run as pasted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from orchestrator.local.google.storage import FakeGcs
from orchestrator.local.process.child import ROOT
from tests.support.regional import document
from tests.support.terraform_runner import copy_repository

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")

IN_AWS = """\
import sys
import boto3, moto

key = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
       "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
with moto.mock_aws():
    boto3.client("dynamodb", "us-east-1").create_table(
        TableName="orders", BillingMode="PAY_PER_REQUEST", **key)
    exec(compile(sys.stdin.read(), "README.md", "exec"))
"""
"""Runs what it reads where AWS is moto's, with the table `orders` in us-east-1."""


def snippet(language: str) -> str:
    """The page's one block in this language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_it_has_at_most_130_lines() -> None:
    assert len(PAGE.splitlines()) <= 130


def test_its_parts_come_in_the_order_in_which_a_newcomer_asks() -> None:
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == [
        "Two commands",
        "Words",
        "What you see",
        "First way in: deploy it",
        "Second way in: use it in your application",
        "Limits",
        "Read on",
    ]


def explained() -> list[str]:
    """The words of the glossary."""
    table = PAGE.partition("| word | meaning |\n| --- | --- |\n")[2].partition("\n\n")[0]
    return [row.split("|")[1].strip() for row in table.splitlines()]


def test_the_glossary_has_at_most_15_words_and_the_ones_that_the_output_needs() -> None:
    words = {word for row in explained() for word in row.split(", ")}
    assert len(words) <= 15
    assert words >= {"epoch", "mark", "primary", "drained", "attached", "freeze", "cooldown"}


@pytest.mark.parametrize("word", ["epoch", "mark", "drained", "attached", "freeze", "cooldown"])
def test_no_word_of_the_glossary_is_used_before_it(word: str) -> None:
    before = PAGE.partition("## Words")[0]
    assert not re.search(rf"\b{word}\b", before)


def test_the_output_that_it_shows_has_ten_lines() -> None:
    shown = PAGE.partition("## What you see")[2].partition("\n##")[0]
    assert len(re.findall(r"^ {7,}\S.*$", shown, re.MULTILINE)) == 10


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository in which `make run` has installed its packages already."""
    copy = tmp_path / "checkout"
    copy_repository(copy)
    shutil.copy(ROOT / "Makefile", copy)
    installed = copy / ".venv-run"
    (installed / "bin").mkdir(parents=True)
    python = installed / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (installed / ".installed").touch()
    return copy


@pytest.mark.long
def test_the_way_in_by_deployment_prints_what_it_would_install_and_changes_nothing(
    checkout: Path,
) -> None:
    """As pasted, with the repository's own failover.yaml, and neither credentials nor gcloud."""
    home = {"HOME": str(checkout), "PATH": "/usr/bin:/bin", "NO_GCE_CHECK": "true"}
    run = subprocess.run(
        ["/bin/sh", "-euc", snippet("sh")],
        cwd=checkout,
        env=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    script = (checkout / "dist" / "gcloud" / "deploy.sh").read_text(encoding="utf-8")
    assert script in run.stdout
    assert "gcloud functions deploy" in script
    assert "--region=us-central1" in script
    assert "--region=northamerica-northeast1" in script
    assert "A deployment would be refused now." in run.stderr  # it said why, and went no further


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[FakeGcs]:
    """The bucket that the page names, with a document."""
    gcs = FakeGcs("my-project-failover", tmp_path)
    gcs.start()
    client = Client(
        project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": gcs.url}
    )
    client.bucket(gcs.bucket).blob("checkout.json").upload_from_string(document())
    client.close()
    yield gcs
    gcs.stop()


@pytest.mark.long
@pytest.mark.world
def test_the_way_in_by_the_client_writes_and_reads_an_order(bucket: FakeGcs) -> None:
    """As pasted. What surrounds it is a Cloud Storage and an AWS on this machine."""
    run = subprocess.run(
        [sys.executable, "-c", IN_AWS],
        input=snippet("python"),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "STORAGE_EMULATOR_HOST": bucket.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "{'pk': 'order#1'}\n"
