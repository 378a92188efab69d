"""`make audit`: what it says of advisories, and of not having been able to ask."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.local.process.child import ROOT

PROGRAM = ROOT / "tests" / "tools" / "audit.py"
REAL = ROOT / ".venv-audit" / "bin" / "pip-audit"
HASH = "--hash=sha256:" + "0" * 64
ADVISORY = {"id": "PYSEC-1", "fix_versions": ["9.0"], "aliases": [], "description": "bad"}


def _file(folder: Path, *pins: str) -> Path:
    path = folder / f"{len(pins)}.txt"
    path.write_text("".join(f"{pin} {HASH}\n" for pin in pins))
    return path


def _stub(folder: Path, out: str, err: str = "") -> Path:
    """A pip-audit that says this."""
    program = folder / "pip-audit"
    said = f"sys.stdout.write({out!r}); sys.stderr.write({err!r}); sys.exit(1)"
    program.write_text(f"#!{sys.executable} -IS\nimport sys\n{said}\n")
    program.chmod(0o755)
    return program


def _audit(program: Path, *words: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--pip-audit", str(program), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _told(**vulns: list[object]) -> str:
    named = [{"name": name, "version": "1.0", "vulns": found} for name, found in vulns.items()]
    return json.dumps({"dependencies": named, "fixes": []})


def test_an_advisory_is_named_with_the_version_that_corrects_it(tmp_path: Path) -> None:
    program = _stub(tmp_path, _told(click=[ADVISORY], wheel=[]))
    status, said = _audit(program, _file(tmp_path, "click==1.0", "wheel==1.0"))
    assert status == 1
    assert "2 versions, advisories: 1\n  click==1.0: PYSEC-1, corrected in 9.0" in said


def test_no_advisory_is_said_with_the_number_of_versions(tmp_path: Path) -> None:
    status, said = _audit(_stub(tmp_path, _told(click=[])), _file(tmp_path, "click==1.0"))
    assert (status, said.count("1 versions, advisories: 0")) == (0, 1)


def test_a_version_that_could_not_be_judged_is_not_passed_over(tmp_path: Path) -> None:
    skipped = {"name": "click", "skip_reason": "not found"}
    told = json.dumps({"dependencies": [skipped], "fixes": []})
    status, said = _audit(_stub(tmp_path, told), _file(tmp_path, "click==1.0"))
    assert status == 0
    assert "not judged, so nothing is known: click: not found" in said


def test_without_a_connection_nothing_is_known_and_that_is_said(tmp_path: Path) -> None:
    program = _stub(tmp_path, "", "x\nrequests.exceptions.ConnectionError: nobody answers\n")
    status, said = _audit(program, _file(tmp_path, "click==1.0"))
    assert status == 0
    assert "nothing is known: requests.exceptions.ConnectionError: nobody answers" in said
    assert "No advisories were read here: this says nothing about the pins." in said


def test_any_other_failure_fails(tmp_path: Path) -> None:
    """A file that pip-audit cannot read must not pass for one without advisories."""
    status, said = _audit(_stub(tmp_path, "", "invalid requirement\n"), _file(tmp_path, "a==1"))
    assert status == 2
    assert "invalid requirement" in said
    assert "No advisories were read" not in said


def test_pins_that_stand_in_another_file_are_asked_about_once(tmp_path: Path) -> None:
    program = _stub(tmp_path, _told(click=[]))
    few, all_ = _file(tmp_path, "click==1.0"), _file(tmp_path, "click==1.0", "wheel==1.0")
    _, said = _audit(program, few, all_)
    assert str(all_) in said
    assert str(few) not in said


def test_every_file_of_pins_is_asked_about() -> None:
    """Those of the tools too; the Makefile names them all."""
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    _, _, listed = made.partition("\nPINS ")
    words = listed.partition("\n\n")[0].replace("\\\n", " ").split()[1:]
    kept = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "*.txt"],  # noqa: S607  # whichever is installed
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    compiled = {name for name in kept if "pip-compile" in (ROOT / name).read_text()[:200]}
    assert set(words) == compiled


@contextmanager
def _database(bad: str) -> Iterator[str]:
    """A database of advisories that has one about this package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            events = [{"introduced": "0"}, {"fixed": "99"}]
            ranges = [{"type": "ECOSYSTEM", "events": events}]
            package = {"name": name, "ecosystem": "PyPI"}
            advisory = {
                "id": "PYSEC-1", "summary": "bad", "published": "2026-01-01T00:00:00Z",
                "affected": [{"package": package, "ranges": ranges}],
            }  # fmt: skip
            body = json.dumps({"vulns": [advisory]} if name == bad else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's word
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.long
def test_pip_audit_itself_against_a_database_that_is_there_and_one_that_is_not(
    tmp_path: Path,
) -> None:
    if not REAL.exists():
        pytest.skip("pip-audit is not installed (make audit): it was not tried itself")
    file = _file(tmp_path, "click==8.5.1", "wheel==0.48.0")
    with _database("click") as url:
        status, said = _audit(REAL, file, "--", "-s", "osv", "--osv-url", url)
    assert status == 1, said
    assert "click==8.5.1: PYSEC-1, corrected in 99" in said
    assert "wheel" not in said
    status, said = _audit(REAL, file, "--", "-s", "osv", "--osv-url", "http://127.0.0.1:1/")
    assert status == 0, said
    assert "No advisories were read here" in said
