"""The bill of materials: all that the archive brings, each with its hashes and who asks for it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from deploy import package, sbom
from orchestrator.local.process.child import ROOT

TEXT = (ROOT / package.PLAIN).read_text(encoding="utf-8")
DIGEST = "ab" * 32


def _bill() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sbom.bill(TEXT, DIGEST, "0.1.0"))
    return made


def test_every_pinned_version_is_in_it_with_all_its_hashes() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", TEXT, re.MULTILINE))
    components = _bill()["components"]
    assert {one["name"]: one["version"] for one in components} == pinned
    written = [
        hash_["content"]
        for one in components
        for files in one["externalReferences"]
        for hash_ in files["hashes"]
    ]
    assert sorted(written) == sorted(re.findall(r"sha256:([0-9a-f]{64})", TEXT))


def test_what_we_ask_for_is_what_the_extra_asks_for() -> None:
    bill = _bill()
    root = bill["metadata"]["component"]["bom-ref"]
    asked = {one["ref"]: set(one["dependsOn"]) for one in bill["dependencies"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["function"]
    names = {re.split(r"[<>=\[ ]", one)[0] for one in extra}
    assert {ref.removeprefix("pkg:pypi/").partition("@")[0] for ref in asked[root]} == names


def test_everything_in_it_is_asked_for_by_us_in_the_end() -> None:
    bill = _bill()
    asked = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    reached, more = set(), [bill["metadata"]["component"]["bom-ref"]]
    while more:
        one = more.pop()
        if one not in reached:
            reached.add(one)
            more += asked[one]
    assert {one["bom-ref"] for one in bill["components"]} == reached - {
        bill["metadata"]["component"]["bom-ref"]
    }


def test_the_same_archive_has_the_same_bill_and_another_one_another_number() -> None:
    one, other = sbom.bill(TEXT, DIGEST, "0.1.0"), sbom.bill(TEXT, "cd" * 32, "0.1.0")
    assert one == sbom.bill(TEXT, DIGEST, "0.1.0")
    assert json.loads(one)["serialNumber"] != json.loads(other)["serialNumber"]


def test_a_version_without_a_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="without a hash: flask"):
        sbom.bill("flask==3.0.0\n    # via functions-framework\n", DIGEST, "0.1.0")


def test_make_package_writes_it_beside_the_archive_and_tells_its_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "function.zip"
    assert package.main(["--output", str(archive)]) == 0
    made = tmp_path / "function.sbom.json"
    told = capsys.readouterr().out
    for path in (archive, made):
        assert f"{path}  {path.stat().st_size} bytes" in told
        assert package._digest(path.read_bytes()) in told
    component = json.loads(made.read_bytes())["metadata"]["component"]
    assert component["hashes"] == [
        {"alg": "SHA-256", "content": package._digest(archive.read_bytes())}
    ]


@pytest.mark.long
def test_it_is_what_the_specification_asks_for() -> None:
    """By CycloneDX's own schema, which pip-audit brings, and it fails where it must."""
    [*folders] = (ROOT / ".venv-audit").glob("lib/python*/site-packages/cyclonedx/schema/_res")
    if not folders:
        pytest.skip("pip-audit is not installed (make audit): the bill was not held to the schema")
    schemas = {path.name: json.loads(path.read_text()) for path in folders[0].glob("*.json")}
    root = "http://cyclonedx.org/schema/"
    known = [(root + name, Resource.from_contents(one)) for name, one in schemas.items()]
    schema = schemas["bom-1.6.SNAPSHOT.schema.json"]
    check = jsonschema.Draft7Validator(schema, registry=Registry().with_resources(known))
    bill = _bill()
    assert [error.message for error in check.iter_errors(bill)] == []
    bill["components"][0]["type"] = "something"
    assert [error.json_path for error in check.iter_errors(bill)] == ["$.components[0].type"]
