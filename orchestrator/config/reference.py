"""What is made from the schema: the reference for people and the JSON Schema for editors.

    python -m orchestrator.config.reference        (make docs)

writes both into `docs/`. In `docs/configuration.md` it makes only what is between its markers. The
rest is written by hand and not changed. The problems that it shows are those that `load` reports
for the file shown above them. Nothing that runs in the cloud imports this module.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.config.fields import Field, every, said
from orchestrator.config.loader import load
from orchestrator.config.schema import FileModel
from orchestrator.core.exceptions import BadConfig

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = DOCS / "configuration.md"
SCHEMA = DOCS / "failover.schema.json"

_WIDTH = 105
"""Characters in a line of the document."""

Json = dict[str, Any]  # a JSON Schema, whose shape is its own matter


def main() -> None:
    """Write both files."""
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")


# --- for people -----------------------------------------------------------------------------------


def document(text: str) -> str:
    """The reference with everything between its markers made again. text: as it is."""
    shown = re.findall(r"```yaml\n(.*?)```\n", text.partition(_begin("problems"))[0], re.DOTALL)
    text = _filled(text, "problems", f"```text\n{_problems(shown[-1])}\n```")
    text = _filled(text, "table", "\n".join(_table()))
    return _filled(text, "fields", "\n\n".join(map(_section, every())))


def _begin(name: str) -> str:
    return f"<!-- {name}: made by `make docs` -->\n"


def _filled(text: str, name: str, content: str) -> str:
    end = f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(_begin(name))
    after = rest.partition(end)[2]
    return f"{before}{_begin(name)}\n{content}\n\n{end}{after}"


def _problems(text: str) -> str:
    try:
        load(text, "failover.yaml")
    except BadConfig as error:
        return str(error)
    raise ValueError("the file that is to show problems has none")


def _table() -> Iterator[str]:
    yield "| field | what | default |"
    yield "| --- | --- | --- |"
    for field in every():
        anchor = re.sub(r"[^a-z_]", "", field.path)
        yield f"| [`{field.path}`](#{anchor}) | {_kind(field)} | {_default(field)} |"


def _section(field: Field) -> str:
    facts = ", ".join(filter(None, (_kind(field), _default(field, "default "))))
    meaning = textwrap.fill(str(field.info.description), _WIDTH, break_on_hyphens=False)
    parts = [f"### `{field.path}`", f"{facts}.", meaning, _example(field)]
    return "\n\n".join(filter(None, [*parts, _not_yet(field)]))


def _kind(field: Field) -> str:
    if field.allowed:
        return " or ".join(f"`{said(one)}`" for one in field.allowed)
    return field.kind.name


def _default(field: Field, before: str = "") -> str:
    if field.info.is_required():
        return "required"
    return f"{before}`{field.default}`" if field.default else "optional"


def _example(field: Field) -> str:
    return f"Example: `{field.info.examples[0]}`" if field.info.examples else ""


def _not_yet(field: Field) -> str:
    if not field.not_yet:
        return ""
    values = " and ".join(f"`{one}`" for one in field.not_yet.values) or "any other value"
    return f"Not in this version yet, and refused at load: {values}."


# --- for editors ----------------------------------------------------------------------------------


def schema_text() -> str:
    """The JSON Schema as it is written."""
    return json.dumps(json_schema(), indent=2) + "\n"


def json_schema() -> Json:
    """The JSON Schema (draft 2020-12) of the file, in the file's words."""
    made = FileModel.model_json_schema()
    inner = {field.model for field in every() if field.model}
    for model in inner:
        _reword(made["$defs"][model.__name__], model)
    _reword(made, FileModel)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "failover.yaml, the configuration of the region failover orchestrator",
        **made,
    }


def _reword(schema: Json, model: type[BaseModel]) -> None:
    """Write descriptions and defaults as the reference does, and no names of classes' fields."""
    del schema["title"]
    for name, info in model.model_fields.items():
        field, property_ = Field(name, info), schema["properties"][name]
        property_.pop("title", None)
        property_.pop("default", None)
        property_["description"] = " ".join(filter(None, (info.description, _not_yet(field))))
        if field.default is not None:
            value = info.get_default()
            property_["default"] = said(value) if isinstance(value, timedelta) else value
        if field.is_mapping_of_names:
            property_["additionalProperties"] = False  # a name against the pattern


if __name__ == "__main__":
    main()
