"""Terraform and the function read one file: what the function takes, Terraform reads alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.plain_yaml import read
from orchestrator.core.exceptions import BadConfig
from tests.support.yaml_texts import refused, taken

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(
        shutil.which("terraform") is None,
        reason="terraform is not installed: whether it reads YAML alike was not checked",
    ),
]

MARKS = {1: "01_.-+exob:n~", 2: "01_.-+exob:n~", 3: "019_.-+exob:", 4: "01_.-e:"}
"""Characters of numbers, times and texts that look like them, by the length of the scalar."""


def decoded(folder: Path, texts: list[str]) -> list[Any]:
    """What Terraform's `yamldecode` makes of each text; "ERROR" for what it refuses."""
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number:05}").write_bytes(text.encode())
    asked = (
        'jsonencode([for name in sort(fileset("texts", "*")) :'
        ' try(jsonencode(yamldecode(file("texts/${name}"))), "ERROR")])'
    )
    done = subprocess.run(
        ["terraform", "console"],  # noqa: S607  # whichever is installed
        cwd=folder,
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(json.loads(done.stdout))
    return [one if one == "ERROR" else json.loads(one) for one in found]


def is_taken(text: str) -> bool:
    """Whether the function reads this text."""
    try:
        _, found = read(text, "any")
    except BadConfig:
        return False
    return not found


def test_terraform_reads_what_the_function_takes_alike(tmp_path: Path) -> None:
    texts = [text for text, _ in taken().values()]
    assert decoded(tmp_path, texts) == [meant for _, meant in taken().values()]


def test_terraform_reads_many_of_the_refused_texts_differently(tmp_path: Path) -> None:
    """So the list of what is refused is not made of nothing."""
    texts = list(refused().values())
    found = dict(zip(refused(), decoded(tmp_path, texts), strict=True))
    assert found["010"] == {"a": 10}
    assert found["1e3"] == {"a": 1000}
    assert found["y"] == {"a": True}
    assert found["2026_11_24"] == {"a": "2026_11_24"}


def test_every_short_scalar_that_the_function_takes_is_read_alike(tmp_path: Path) -> None:
    """All of up to four characters of those that numbers and times are made of."""
    words = ["".join(one) for size, marks in MARKS.items() for one in product(marks, repeat=size)]
    ours = [word for word in words if is_taken(f"a: {word}")]
    assert len(ours) > len(words) / 4
    text = "".join(f"- {word}\n" for word in ours)
    meant, found = read(text, "any")
    assert not found
    assert decoded(tmp_path, [text]) == [meant]
