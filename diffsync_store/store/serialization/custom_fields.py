"""Fields whose values only the serializer and the validator of their class can convert."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic_core import (
    SchemaValidator,
    to_json,
)

from diffsync_store.values.codec import equal
from diffsync_store.values.plain import is_plain


@lru_cache(maxsize=1024)
def _field_reader(model: Any, name: str) -> SchemaValidator:
    """Return the validator of one field of the class."""
    schema: Any = model.__pydantic_core_schema__
    definitions: Any = []
    while schema["type"] != "model-fields":
        definitions = schema.get("definitions", definitions)
        if schema["type"] == "definition-ref":
            schema = next(found for found in definitions if found.get("ref") == schema["schema_ref"])
        else:
            schema = schema["schema"]
    field = schema["fields"][name]["schema"]
    return SchemaValidator({"type": "definitions", "schema": field, "definitions": definitions})


def written_by_class(obj: Any, name: str, value: Any) -> dict[str, Any] | None:
    """Return the field as its serializer dumps it; None if its validator does not return an equal value."""
    model = type(obj)
    try:
        found = model.__pydantic_serializer__.to_python(
            obj, mode="json", include={name}, by_alias=False, round_trip=True, warnings="error"
        )
        again = read_by_class(model, name, found[name])
        is_same = type(again) is type(value) and equal(again, value) and is_plain(found[name])
    except Exception:  # noqa: BLE001  # a serializer or a validator may raise anything
        return None
    return {"~field": found[name]} if is_same else None


def read_by_class(model: Any, name: str, written: Any) -> Any:
    """Return the value of a field as its validator reads it."""
    return _field_reader(model, name).validate_json(to_json(written, inf_nan_mode="constants"))
