"""The published JSON Schemas as a tool declares what it answers: each whole in itself.

A client has no other file to look into, so that what the documents share goes into each.
Descriptions stay behind: clients hand all this to a model, which reads the documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from advisor.base.resources import schemas_folder

_COMMON = "common.schema.json#/$defs/"
_ERROR = f"{_COMMON}error"


@cache
def output_schema(name: str, *, added: str = "") -> Mapping[str, Any]:
    """Return the schema of a tool's answers: the document, or why there is none.

    Parameters
    ----------
    name : of the command, as `docs/schemas` has it
    added : key that the tool adds to the document, a list
    """
    document = _read(name)
    if added:
        document["properties"][added] = {"type": "array"}
    failure = {
        "type": "object",
        "properties": {"schema_version": {"const": 1}, "error": {"$ref": _ERROR}},
        "required": ["schema_version", "error"],
    }
    whole = {"type": "object", "anyOf": [document, failure]}
    common = _read("common")["$defs"]
    needed: dict[str, Any] = {}
    left = list(_references(whole))
    while left:
        part = left.pop()
        if part not in needed:
            needed[part] = common[part]
            left += _references(common[part])
    return {**_local(whole), "$defs": _local(needed)}


def _read(name: str) -> dict[str, Any]:
    """Return a published schema without its words."""
    path = schemas_folder() / f"{name}.schema.json"
    found: dict[str, Any] = _wordless(json.loads(path.read_text(encoding="utf-8")))
    return found


def _wordless(schema: Any, *, of_names: bool = False) -> Any:
    """Return a schema without descriptions.

    Parameters
    ----------
    of_names : the keys are names of properties, of which one may be a "description"
    """
    if isinstance(schema, list):
        return [_wordless(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _wordless(value, of_names=key in {"properties", "$defs"} and not of_names)
        for key, value in schema.items()
        if of_names or key not in {"$schema", "title", "description"}
    }


def _references(schema: Any) -> Iterator[str]:
    """Yield the common parts that a schema refers to."""
    if isinstance(schema, list):
        for one in schema:
            yield from _references(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield _part_of(value)
            else:
                yield from _references(value)


def _part_of(reference: str) -> str:
    _, _, path = reference.partition("#/$defs/")
    return path.split("/")[0]


def _local(schema: Any) -> Any:
    """Return a schema whose references are into itself."""
    if isinstance(schema, list):
        return [_local(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"#{value.partition('#')[2]}" if key == "$ref" else _local(value)
        for key, value in schema.items()
    }
