#!/usr/bin/env python3
"""Writes the tables of inputs and outputs into the README of every folder with Terraform here.

    python3 terraform/readme.py           # write them
    python3 terraform/readme.py --check   # say which are not up to date, and exit with 1

It reads variables.tf and outputs.tf in the one layout that `terraform fmt` leaves: a block begins
and ends at the margin, its arguments are indented by two spaces. What it cannot read so, or what is
not sorted, described and typed, is an error. Standard library only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN = "<!-- inputs and outputs: written by terraform/readme.py -->"
END = "<!-- end of inputs and outputs -->"

_BLOCK = re.compile(r'^(variable|output) "([a-z_]+)" \{$')
_ARGUMENT = re.compile(r"^  ([a-z_]+)\s*= (.*)$")

Block = dict[str, str]


def blocks(path: Path) -> dict[str, Block]:
    """The blocks of one file by name, in its order; of each its arguments as they are written."""
    found: dict[str, Block] = {}
    inside: Block | None = None
    last = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if begins := _BLOCK.match(line):
            inside = found.setdefault(begins[2], {})
        elif line == "}":
            inside = None
        elif inside is None:
            if line.strip() and not line.startswith("#"):
                raise SystemExit(f"{path}:{number}: cannot be read: {line}")
        elif argument := _ARGUMENT.match(line):
            last = argument[1]
            inside[last] = argument[2]
        elif line.startswith("  ") and line.lstrip().startswith(("validation {", "#")):
            last = ""
        elif last and line.strip():
            inside[last] += f" {line.strip()}"
    return found


def problems(path: Path, found: dict[str, Block], needed: tuple[str, ...]) -> Iterator[str]:
    """What this file lacks of our own rules."""
    if list(found) != sorted(found):
        yield f"{path}: not sorted: {', '.join(found)}"
    for name, block in found.items():
        for argument in needed:
            if argument not in block:
                yield f"{path}: {name} has no {argument}"


def _text(value: str) -> str:
    if not (value.startswith('"') and value.endswith('"')):
        raise SystemExit(f"a description must be one line in quotes: {value}")
    return value[1:-1].replace('\\"', '"').replace("|", "\\|")


def _code(value: str) -> str:
    tidy = re.sub(r"([({\[]) ", r"\1", value)
    tidy = re.sub(r",? ([)}\]])", r"\1", tidy)
    return f"`{re.sub(r' += ', ' = ', tidy)}`".replace("|", "\\|")


def _separated(value: str) -> str:
    """A multi-line object on one line: with commas where there were line ends."""
    return re.sub(r"(?<=[\w\])\"]) (?=[a-z_]+ += )", ", ", value)


def tables(folder: Path) -> str:
    """The tables of one folder. Raises SystemExit for what our rules do not allow."""
    inputs = blocks(folder / "variables.tf")
    outputs = blocks(folder / "outputs.tf")
    wrong = [
        *problems(folder / "variables.tf", inputs, ("description", "type")),
        *problems(folder / "outputs.tf", outputs, ("description", "value")),
    ]
    if wrong:
        raise SystemExit("\n".join(wrong))
    rows = ["| input | what it is | type | default |", "| --- | --- | --- | --- |"]
    for name, block in inputs.items():
        default = _code(_separated(block["default"])) if "default" in block else "required"
        cells = (
            f"`{name}`",
            _text(block["description"]),
            _code(_separated(block["type"])),
            default,
        )
        rows.append(f"| {' | '.join(cells)} |")
    rows += ["", "| output | what it is |", "| --- | --- |"]
    rows += [f"| `{name}` | {_text(block['description'])} |" for name, block in outputs.items()]
    return "\n".join(rows)


def written(folder: Path) -> str:
    """The folder's README with its tables as they should be."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{folder / 'README.md'}: the lines {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{tables(folder)}\n\n{END}{after}"


def folders() -> list[Path]:
    """The root, its modules and the examples."""
    return [HERE, *sorted(HERE.glob("modules/*/")), *sorted(HERE.glob("examples/*/"))]


def main(arguments: list[str]) -> int:
    """Write or check; give the exit status."""
    stale = []
    for folder in folders():
        readme = folder / "README.md"
        should = written(folder)
        if readme.read_text(encoding="utf-8") != should:
            stale.append(str(readme.relative_to(HERE.parent)))
            if "--check" not in arguments:
                readme.write_text(should, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"not up to date, run terraform/readme.py: {', '.join(stale)}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
