"""The words are plain: few semicolons, and none of the idioms that readers stumble over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.words import (
    ROOT,
    data,
    files,
    idioms,
    of_python,
    paragraphs,
    prose,
    semicolons,
)


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def listed(found: object) -> str:
    return "\n".join(map(str, found)) if isinstance(found, list) else str(found)


def test_the_documents_have_at_most_three_semicolons_in_a_thousand_words() -> None:
    counted = {name(file): semicolons(file.read_text(encoding="utf-8")) for file in DOCUMENTS}
    signs, words = (sum(column) for column in zip(*counted.values(), strict=True))
    most = sorted(counted.items(), key=lambda one: -one[1][0])[:5]
    assert signs * 1000 <= data()["semicolons"] * words, most


DOCUMENTS = files("documents")
SOURCES = files("sources")
TEXTS = files("texts")


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_a_document_has_no_idiom(file: Path) -> None:
    text = prose(file.read_text(encoding="utf-8"))
    assert (found := list(idioms(name(file), paragraphs(text)))) == [], listed(found)


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_messages_help_texts_docstrings_and_comments_have_no_idiom(file: Path) -> None:
    texts = of_python(file.read_text(encoding="utf-8"))
    assert (found := list(idioms(name(file), texts))) == [], listed(found)


@pytest.mark.parametrize("file", TEXTS, ids=name)
def test_drills_and_configuration_files_have_no_idiom(file: Path) -> None:
    texts = paragraphs(file.read_text(encoding="utf-8"))
    assert (found := list(idioms(name(file), texts))) == [], listed(found)


@pytest.mark.parametrize(
    "sentence",
    [
        "Nothing is to be had from there.",
        "The file must be mended, and written anew.",
        "It is primary no more, for it is dead.",
        "Another hand changed it: whoever it was, it is left alone.",
        "What nobody needs waits.",
        "He asked in vain, and is told so.",
        "Take it as it stands.",
    ],
)
def test_an_idiom_is_found_wherever_the_line_breaks(sentence: str) -> None:
    for broken in (sentence, sentence.replace(" ", "\n")):
        assert list(idioms("a file", iter([(1, broken)])))


def test_plain_words_that_look_alike_are_none() -> None:
    plain = (
        "No more than 3. Look at that time. Terraform told. For it and for them. A recommendation."
    )
    assert list(idioms("a file", iter([(1, plain)]))) == []


def test_code_is_not_counted_and_prose_is() -> None:
    text = """\
Words; here.

    code; here

- item; one
  more `code; here` and <!-- a comment; here -->

      code; here

```sh
code; here
```
| cell; one |
"""
    assert semicolons(text)[0] == 3
    assert len(prose(text).split("\n")) == len(text.split("\n"))


def test_a_docstring_a_comment_and_a_message_are_read() -> None:
    source = '"""To mend."""\nraise ValueError(f"mend {1}")  # mend it\n'
    assert len(list(idioms("a file", of_python(source)))) == 3


def test_each_idiom_is_a_pattern_with_what_to_write() -> None:
    for pattern, write in data()["idioms"].items():
        re.compile(pattern)
        assert write, pattern
