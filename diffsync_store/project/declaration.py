"""The base class of the parts of a project file."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from diffsync_store.introspection.attribute_docstrings import add_docstrings


class Declaration(BaseModel):
    """A part of the file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    prefect_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys that only a subclass of `diffsync_flows` reads."""

    @model_validator(mode="before")
    @classmethod
    def _ignore_prefect_keys(cls, data: Any) -> Any:
        ignored = cls.prefect_keys - cls.model_fields.keys()
        if not (isinstance(data, dict) and ignored):
            return data
        return {key: value for key, value in data.items() if key not in ignored}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the keys in the JSON Schema, and allow the ignored ones."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        add_docstrings(schema["properties"], cls)
        schema["properties"] |= {key: {} for key in sorted(cls.prefect_keys - cls.model_fields.keys())}
        return schema
