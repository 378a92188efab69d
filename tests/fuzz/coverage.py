"""One target under Atheris: `python -m tests.fuzz.coverage TARGET [libFuzzer's options] CORPUS`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["orchestrator"]):
    from tests.fuzz.targets import BY_NAME


def main() -> None:
    """Fuzz until the time is over or something is found."""
    target = BY_NAME[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
