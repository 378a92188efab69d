"""No code decides by words that were written for people: they are made, shown, and read by nobody.

What the faults were like is kept here as snippets, from code that we had.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.words_read import Fault, faults

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"

ALLOWED: Mapping[tuple[str, str], str] = {
    (
        "cli/session.py",
        "str(error).split('\\n')",
    ): "a file's problems stand on a line each on the screen; nothing follows from a line",
    (
        "client/sources/_fetching.py",
        "text.splitlines()",
    ): "of a library's error only the first line is shown",
}
"""Places that may: the module, the code there, and why nothing is decided by it."""

READERS_OF_OLDER_WORDS = {"core/document/trigger.py", "cli/words/gates.py"}
"""Who may ask for what older versions wrote as sentences: one for each thing that is read there."""


ROOMS = sorted({file.parent.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")})


def modules(pattern: str) -> Iterator[tuple[str, str]]:
    """Each of these modules of the package: its path, and its source."""
    for file in sorted(PACKAGE.glob(pattern)):
        yield file.relative_to(PACKAGE).as_posix(), file.read_text("utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_reads_the_words_of_a_reason_an_error_a_page_or_an_entry(room: str) -> None:
    found = [
        f"orchestrator/{path}:{fault.line}: {fault.what}"
        for path, source in modules(f"{room}/*.py")
        for fault in faults(source)
        if (path, fault.what) not in ALLOWED
    ]
    assert found == []


@pytest.mark.parametrize(("path", "code"), ALLOWED)
def test_what_may_be_read_is_there(path: str, code: str) -> None:
    """A place that is gone is taken off the list."""
    assert code in {fault.what for fault in faults((PACKAGE / path).read_text("utf-8"))}


def test_sentences_of_older_versions_are_read_in_one_room_for_those_that_need_it() -> None:
    naming = ((path, source) for path, source in modules("**/*.py") if "older_words" in source)
    asking = {path for path, source in naming if _asks_for_older_words(source)}
    assert asking == READERS_OF_OLDER_WORDS


def _asks_for_older_words(source: str) -> bool:
    imports = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom))
    return any("older_words" in ast.unparse(one) for one in imports)


# --- what is seen --------------------------------------------------------------------------------

BEFORE = {
    "a page is decided by a reason's first words": """
def pages(reasons):
    return any(reason.value.startswith("no second signal") for reason in reasons)
""",
    "blindness is found in a probe's words": """
def is_blind(probes):
    return any(probe.detail.startswith("blind") for probe in probes.values())
""",
    "an HTTP answer is known by a digit": """
def believable(probes):
    return any(probe.detail[:1].isdigit() for probe in probes.values())
""",
    "not answering alike is a set of words": """
def alike(asked):
    details = {probe.detail for probe in asked}
    return len(details) == 1 and details <= set(_NOT_ANSWERS)
""",
    "a role is looked up by a probe's words": """
def role_of(probe, parts):
    part = parts.get(probe.detail)
    return part
""",
    "a clause is cut off a probe's words": """
def silent(probe):
    return Role(Part.SILENT, probe.detail.removesuffix(" says nothing about health"))
""",
    "advice is picked by the words of an error": """
def advice(call):
    try:
        call()
    except FailoverError as problem:
        if "403" in str(problem):
            return "grant the permission"
""",
    "an error is known by what it was made with": """
def why(error):
    return isinstance(error, YAMLError) and error.args == (_TOO_DEEP,)
""",
    "what came in is split at blanks": """
def came_in(entry):
    match signal(entry).split():
        case ["alert", identity, "open", region]:
            return f"{identity} of {region}"
""",
    "and by way of a name": """
def came_in(entry):
    words = actors.words(str(entry.get("signal", "")))
    parts = words.split()
    return parts
""",
    "an id is a word of the signal": """
def is_of(entry, identity):
    return identity in {entry.get("id"), *str(entry.get("signal", "")).split()[1:2]}
""",
    "a command is known by how its signal begins": """
def publisher(entry):
    if not str(entry.get("signal", "")).startswith("command "):
        return []
""",
    "an incident is looked for within the signal": """
def told(history, incident):
    return next((entry for entry in history if incident in entry["signal"]), None)
""",
    "a command is looked for within a reason": """
def asked(entry, identity):
    return any(f"command {identity}" in str(one.get("value")) for one in reasons(entry))
""",
    "an override is known by a clause": """
def stood_out(reason):
    return "overridden" if "; overridden by " in str(reason.get("value")) else ""
""",
    "the page's own words are searched": """
def paged(entry, text):
    return text in entry["page"]
""",
    "a pattern searches a probe's words": """
def status(probe, pattern):
    return pattern.fullmatch(probe.detail)
""",
    "a message that was built is compared": """
def known(error, before):
    text = f"{type(error).__name__}: {error}"
    return text == before
""",
    "two texts are matched": """
def why(entry):
    match entry.get("text"):
        case "gone":
            return 1
""",
    "a rule is a literal": """
def switches(entry):
    return [r for r in reasons(entry) if r.get("rule") == "switch"]
""",
    "an outcome is one of two literals": """
def fine(entry):
    return str(entry.get("outcome")) not in {"held", "abandoned"}
""",
    "a cause is matched with literals": """
def advice(reason):
    match reason.cause:
        case "unproven":
            return "wait"
""",
}


@pytest.mark.parametrize("source", BEFORE.values(), ids=BEFORE)
def test_each_way_in_which_words_were_read_is_seen(source: str) -> None:
    assert faults(source)


def test_a_fault_is_named_with_its_line_and_its_code() -> None:
    source = "def f(probe):\n    return probe.detail == 'x'\n"
    assert faults(source) == [Fault(2, "probe.detail == 'x'")]


INNOCENT = {
    "a text is shown": """
def say(session, error, probe):
    session.say(f"{error}: {probe.detail}")
""",
    "it is put into another": """
def why(error):
    return f"{str(error).rstrip('.')}. Do not repeat it"
""",
    "it is cut to a length": """
def kept(error):
    return short(str(error)[:500], 1000)
""",
    "it is there, or not": """
def show(view):
    if view.get("page") and view["text"] != "":
        return view["page"]
""",
    "enums are compared": """
def stands(reason, entry):
    return reason.rule is Rule.SWITCH or entry.get("outcome") == Outcome.MOVED
""",
    "a field is data": """
def asked(entry, given):
    return not trigger.read(entry.get("signal")).ids.isdisjoint(given)
""",
    "an error is known by its kind": """
def advice(error):
    return error.kind is Kind.MISSING and error.cloud in {Cloud.STORAGE}
""",
    "other values have a value, too": """
def equal(node, key):
    return node.value == key.value
""",
    "what is no text of ours is split": """
def parts(path, header):
    return path.split("/"), header.get("Authorization", "").partition(" ")
""",
    "a name in another function is another name": """
def one(probe):
    text = probe.detail
    return f"{text}."

def other(text):
    return text.split()
""",
}


@pytest.mark.parametrize("source", INNOCENT.values(), ids=INNOCENT)
def test_what_only_shows_words_or_reads_data_is_no_fault(source: str) -> None:
    assert faults(source) == []
