"""What is declared of models: plain data, checked as far as one model can be checked alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from diffsync_store.compare import (
    Comparison,
    EmptyIsNone,
    IgnoreCase,
    IPAddress,
    MACAddress,
    NotCompared,
    Precision,
    Unordered,
)
from diffsync_store.introspection.attribute_docstrings import add_docstrings
from diffsync_store.mapping.types import annotation_of
from diffsync_store.model import DiffSyncModel
from diffsync_store.suggestion import did_you_mean

CompareName = Literal["empty_is_none", "ignore_case", "ip_address", "mac_address", "unordered"]

_COMPARISONS: Mapping[str, Comparison] = {
    "empty_is_none": EmptyIsNone(),
    "ignore_case": IgnoreCase(),
    "ip_address": IPAddress(),
    "mac_address": MACAddress(),
    "unordered": Unordered(),
}

RESERVED_NAMES = frozenset({"adapter", "model_flags", "system_id"}) | {
    name for name in dir(DiffSyncModel) if not name.startswith("_")
}
"""Names that no field can have, because every model has a member of this name."""


def _require_comparisons(value: Any) -> Any:
    if value == "never":
        return value
    names = (value,) if isinstance(value, str) else value
    for name in names if isinstance(names, list | tuple) else ():
        if name not in _COMPARISONS:
            known = f"{', '.join(_COMPARISONS)}, or never alone"
            raise ValueError(f"There is no comparison {name!r}.{did_you_mean(name, _COMPARISONS)} Use {known}.")
    return names


_COMPARE_SCHEMA = {
    "anyOf": [
        {"enum": [*get_args(CompareName), "never"]},
        {"type": "array", "items": {"enum": list(get_args(CompareName))}},
    ]
}
Compare = Annotated[
    tuple[CompareName, ...] | Literal["never"], BeforeValidator(_require_comparisons), WithJsonSchema(_COMPARE_SCHEMA)
]


def _require_field_name(name: str) -> str:
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(f"{name!r} cannot be the name of a field. Use letters, digits and `_`.")
    if name in RESERVED_NAMES:
        raise ValueError(
            f"A field cannot be called {name!r}: every model has a member of this name. Choose another name, and set "
            "its path in `fields` of `records`."
        )
    return name


FieldName = Annotated[str, AfterValidator(_require_field_name)]


class Closed(BaseModel):
    """Declared data; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    text_is: ClassVar[str] = ""
    """The key whose value a text alone gives; empty where a mapping is required."""

    @model_validator(mode="before")
    @classmethod
    def _take_text_alone(cls, value: Any) -> Any:
        return {cls.text_is: value} if cls.text_is and isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the keys in the JSON Schema, and allow a text alone."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        add_docstrings(schema["properties"], cls)
        if cls.text_is:
            schema["type"] = ["object", "string"]
        return schema


class FieldDefinition(Closed):
    """A field of a declared model."""

    text_is = "type"

    type: str = "str"
    """A name of a type, `list[TYPE]`, or `TYPE?` for a value that may be null."""
    compare: Compare = ()
    """How two values compare, one comparison after the other. `never`: the value is written with a new record, and a difference is
    never a change."""
    precision: int | None = None
    """Decimal places that count; negative places are tens, hundreds, ..."""
    choices: tuple[str, ...] = ()
    """The values that the field may have; any where none is given."""
    default: Any = None
    """The value of records that have none. A field without a default and without `?` is required."""
    secret: bool = False
    """Logs, plans and pages show `***` instead of the value."""

    @field_validator("type")
    @classmethod
    def _require_known_type(cls, name: str) -> str:
        annotation_of(name)
        return name

    @property
    def is_required(self) -> bool:
        """True if a record without a value is rejected."""
        return not self.type.strip().endswith("?") and "default" not in self.model_fields_set

    def for_pydantic(self) -> tuple[Any, Any]:
        """Annotation and default as pydantic takes them."""
        annotation: Any = annotation_of(self.type)
        if self.choices:
            annotation = Literal[self.choices] | None if self.type.strip().endswith("?") else Literal[self.choices]
        for comparison in self._comparisons():
            annotation = Annotated[annotation, comparison]
        return annotation, (... if self.is_required else Field(default=self.default, validate_default=True))

    def _comparisons(self) -> Iterator[Comparison]:
        if self.compare == "never":
            yield NotCompared()
            return
        yield from (_COMPARISONS[name] for name in self.compare)
        if self.precision is not None:
            yield Precision(self.precision)


class Reference(Closed):
    """That a record names a record of another model by that one's identifiers."""

    text_is = "model"

    model: str
    """The model that is named."""
    fields: dict[str, str] = {}
    """Identifier of that model → field of this one; by default the field of the same name, or of the reference's name."""


class ModelDefinition(Closed):
    """A declared model."""

    identifiers: dict[FieldName, FieldDefinition] = Field(min_length=1)
    """The fields that together identify a record."""
    attributes: dict[FieldName, FieldDefinition] = {}
    """The fields that a diff compares, unless they say `compare: never`."""
    children: tuple[str, ...] = ()
    """Models whose records stand below a record of this one."""
    references: dict[str, Reference] = {}
    """Records of other models that a record of this one needs: they are created before it, and deleted after it."""
    shortname: tuple[str, ...] = ()
    """The fields that name a record among its siblings; all identifiers by default."""

    @field_validator("attributes")
    @classmethod
    def _require_others_than_identifiers(
        cls, attributes: dict[str, FieldDefinition], info: ValidationInfo
    ) -> dict[str, FieldDefinition]:
        both = attributes.keys() & info.data.get("identifiers", {}).keys()
        if both:
            raise ValueError(f"{listed(both)} cannot be both an identifier and an attribute.")
        return attributes

    @field_validator("shortname")
    @classmethod
    def _require_identifiers(cls, shortname: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        identifiers = info.data.get("identifiers", shortname)
        unknown = [name for name in shortname if name not in identifiers]
        if unknown:
            raise ValueError(
                f"{listed(unknown)} is not an identifier of the model.{did_you_mean(unknown[0], identifiers)}"
            )
        return shortname

    @property
    def fields(self) -> dict[str, FieldDefinition]:
        """Return all fields by their names, the identifiers first."""
        return {**self.identifiers, **self.attributes}


def listed(names: Iterable[str]) -> str:
    """Return names in quotes, in order."""
    return ", ".join(repr(name) for name in sorted(names))


def children_field(child: str) -> str:
    """Return the field in which a record lists the unique ids of its children of one model."""
    return f"{child}_children"
