"""The JSON Schema of a project file, for editors: with the settings and records of each ready adapter."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from diffsync_store.adapters import TYPE_NAMES, MappedAdapter, adapter_class
from diffsync_store.project.schema import AdapterEntry, Declarations

REFERENCE = "#/$defs/{model}"
ABOUT = ("title", "description", "default", "examples")
VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_]\w*\}"}


def json_schema(declarations: type[Declarations]) -> dict[str, Any]:
    """Return the JSON Schema of a file. It says nothing of a type whose packages are not installed."""
    schema = declarations.model_json_schema(by_alias=True)
    types = dict(_installed())
    parts: list[type[BaseModel]] = [model for found in types.values() for model in (found.Settings, found.Records)]
    references, defined = models_json_schema([(part, "validation") for part in parts], ref_template=REFERENCE)
    schema["$defs"] |= defined["$defs"]
    for found in types.values():
        _allow_variables(schema, references[found.Settings, "validation"], set())
    entry = next(part for name, part in schema["$defs"].items() if name.endswith(AdapterEntry.__name__))
    entry["oneOf"] = [{"required": ["type"]}, {"required": ["class"]}]
    entry["allOf"] = [
        _of_type(name, references[found.Settings, "validation"], references[found.Records, "validation"])
        for name, found in types.items()
    ]
    return schema


def _installed() -> Iterator[tuple[str, type[MappedAdapter]]]:
    for name in TYPE_NAMES:
        try:
            yield name, adapter_class(name)
        except ImportError:
            continue


def _of_type(name: str, settings: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {
            "properties": {"settings": settings, "records": {"type": "object", "additionalProperties": records}},
            "required": ["records"],
        },
    }


def _allow_variables(schema: dict[str, Any], part: Any, seen: set[str]) -> None:
    """Allow `${VAR}` for each value in the settings, whatever its type is."""
    if isinstance(part, list):
        for item in part:
            _allow_variables(schema, item, seen)
    if not isinstance(part, dict):
        return
    name = str(part.get("$ref", "")).rpartition("/")[2]
    if name and name not in seen:
        seen.add(name)
        _allow_variables(schema, schema["$defs"][name], seen)
    for key, value in part.items():
        if key == "properties":
            part[key] = {each: _or_variable(schema, found, seen) for each, found in value.items()}
        elif key in {"anyOf", "allOf", "items", "additionalProperties"}:
            _allow_variables(schema, value, seen)


def _or_variable(schema: dict[str, Any], part: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    _allow_variables(schema, part, seen)
    about: dict[str, Any] = {key: value for key, value in part.items() if key in ABOUT}
    form: dict[str, Any] = {key: value for key, value in part.items() if key not in ABOUT}
    return part if form == {"type": "string"} else {**about, "anyOf": [form, VARIABLE]}
