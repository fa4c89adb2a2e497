"""Models that are declared as data: `build_models` makes a class for each of them.

    definitions = {
        "manufacturer": ModelDefinition(identifiers={"name": "str"}, children=["device_type"]),
        "device_type": ModelDefinition(
            identifiers={"manufacturer": "str", "model": "str"},
            attributes={"part_number": {"type": "str?", "compare": "empty_is_none"}, "u_height": "number"},
        ),
    }
    models = build_models(definitions)

Both sides of a sync use the same classes, so that their records compare. A subclass of such a class is a model as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from diffsync_store.compare import Comparison, EmptyIsNone, IgnoreCase, IPAddress, MACAddress, Precision, Unordered
from diffsync_store.enum import DiffSyncModelFlags
from diffsync_store.mapping.types import annotation_of
from diffsync_store.model import DiffSyncModel

CompareName = Literal["empty_is_none", "ignore_case", "ip_address", "mac_address", "unordered"]

_COMPARISONS: Mapping[str, Comparison] = {
    "empty_is_none": EmptyIsNone(),
    "ignore_case": IgnoreCase(),
    "ip_address": IPAddress(),
    "mac_address": MACAddress(),
    "unordered": Unordered(),
}

_TAKEN = frozenset({"adapter", "model_flags"}) | {name for name in dir(DiffSyncModel) if not name.startswith("_")}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class FieldDefinition(_Closed):
    """A field of a declared model."""

    type: str = "str"
    """One of the type names of `diffsync_store.mapping.types`, `list[TYPE]`, `TYPE?`."""
    compare: tuple[CompareName, ...] | Literal["never"] = ()
    """How two values compare, one comparison after the other. `never`: the field is kept, and differences do not count."""
    precision: int | None = None
    """Decimal places that count; negative places are tens, hundreds, ..."""
    choices: tuple[str, ...] = ()
    """The values that the field may have; any where none is given."""
    default: Any = None
    """The value of records that have none. A field without a default and without `?` is required."""
    secret: bool = False
    """Logs, plans and pages show `***` instead of the value."""

    @model_validator(mode="before")
    @classmethod
    def _take_type_alone(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("type")
    @classmethod
    def _require_known_type(cls, name: str) -> str:
        annotation_of(name)
        return name

    @field_validator("compare", mode="before")
    @classmethod
    def _take_one_alone(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value != "never" else value

    @property
    def is_compared(self) -> bool:
        """True if a difference in this field is a change."""
        return self.compare != "never"

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
        if self.compare != "never":
            yield from (_COMPARISONS[name] for name in self.compare)
        if self.precision is not None:
            yield Precision(self.precision)


class Reference(_Closed):
    """That a record names a record of another model by that one's identifiers."""

    model: str
    """The model that is named."""
    fields: dict[str, str] = {}
    """Identifier of that model → field of this one; by default the field of the same name, or of the reference's name."""

    @model_validator(mode="before")
    @classmethod
    def _take_model_alone(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value


class ModelDefinition(_Closed):
    """A declared model."""

    identifiers: dict[str, FieldDefinition] = Field(min_length=1)
    """The fields that together identify a record."""
    attributes: dict[str, FieldDefinition] = {}
    """The fields that a diff compares, unless they say `compare: never`."""
    children: tuple[str, ...] = ()
    """Models whose records stand below a record of this one."""
    references: dict[str, Reference] = {}
    """Records of other models that a record of this one needs: they are created before it, and deleted after it."""
    shortname: tuple[str, ...] = ()
    """The fields that name a record among its siblings; all identifiers by default."""

    @model_validator(mode="after")
    def _require_sound_names(self) -> Self:
        both = self.identifiers.keys() & self.attributes.keys()
        if both:
            raise ValueError(f"{_listed(both)} cannot be both an identifier and an attribute.")
        taken = self.fields.keys() & _TAKEN
        if taken:
            raise ValueError(
                f"A field cannot be called {_listed(taken)}: every model has a member of this name. Choose another."
            )
        private = [name for name in self.fields if not name.isidentifier() or name.startswith("_")]
        if private:
            raise ValueError(f"{_listed(private)} cannot be the name of a field. Use letters, digits and `_`.")
        unknown = [name for name in self.shortname if name not in self.identifiers]
        if unknown:
            raise ValueError(f"`shortname` names {_listed(unknown)}, which is not an identifier of the model.")
        return self

    @property
    def fields(self) -> dict[str, FieldDefinition]:
        """All fields by their names, the identifiers first."""
        return {**self.identifiers, **self.attributes}


class DeclaredModel(DiffSyncModel):
    """The base of the classes that are made from definitions."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    _references: ClassVar[dict[str, Reference]] = {}
    """The records of other models that a record needs, by the names of the references."""


D = TypeVar("D", bound=DeclaredModel)


def build_models(definitions: Mapping[str, ModelDefinition], base: type[D]) -> dict[str, type[D]]:
    """A class for each definition, by the models' names, in the order in which creates go: what is referenced comes first.

    Args:
        definitions: what is declared, by the models' names.
        base: the class that they extend.

    Raises:
        ValueError: a name of a model, a child or a reference does not fit the others.
    """
    _require_known_models(definitions)
    references = {name: _completed(name, definitions) for name in definitions}
    return {
        name: _class_of(name, definitions[name], references[name], base) for name in _in_order(definitions, references)
    }


def top_level(models: Iterable[type[DeclaredModel]]) -> list[str]:
    """The models that are no other model's child, in the given order."""
    models = list(models)
    below = {child for model in models for child in model._children}
    return [model._modelname for model in models if model._modelname not in below]


def children_field(child: str) -> str:
    """The field in which a record lists the unique ids of its children of one model."""
    return f"{child}_children"


def _require_known_models(definitions: Mapping[str, ModelDefinition]) -> None:
    parents: dict[str, str] = {}
    for name, definition in definitions.items():
        if not name.isidentifier() or name.startswith("_"):
            raise ValueError(
                f"Model {name!r}: a model's name has letters, digits and `_`, and does not begin with a digit or `_`."
            )
        for child in definition.children:
            if child not in definitions:
                raise ValueError(f"Model {name!r} has the child {child!r}, which is not declared.")
            if child in parents:
                raise ValueError(
                    f"Model {child!r} is a child of both {parents[child]!r} and {name!r}. Make it a child of one."
                )
            parents[child] = name
    for name in definitions:
        seen = [name]
        while seen[-1] in parents:
            seen.append(parents[seen[-1]])
            if seen[-1] == name:
                raise ValueError(
                    f"Models stand below themselves: {' → '.join(reversed(seen))}. Use `references` for one of them."
                )


def _completed(name: str, definitions: Mapping[str, ModelDefinition]) -> dict[str, Reference]:
    """The references of a model with every identifier's field."""
    return {
        label: reference.model_copy(update={"fields": _fields_of(name, label, reference, definitions)})
        for label, reference in definitions[name].references.items()
    }


def _fields_of(
    name: str, label: str, reference: Reference, definitions: Mapping[str, ModelDefinition]
) -> dict[str, str]:
    where = f"Reference {label!r} of model {name!r}"
    if reference.model not in definitions:
        raise ValueError(f"{where} names the model {reference.model!r}, which is not declared.")
    own, wanted = definitions[name].fields, definitions[reference.model].identifiers
    unknown = reference.fields.keys() - wanted.keys()
    if unknown:
        raise ValueError(f"{where}: {_listed(unknown)} is not an identifier of {reference.model!r}.")
    found = {}
    for identifier in wanted:
        candidates = [reference.fields[identifier]] if identifier in reference.fields else [identifier, label]
        if len(wanted) == 1 and identifier not in reference.fields:
            candidates.reverse()  # `manufacturer` holds the name of the manufacturer
        field = next((candidate for candidate in candidates if candidate in own), None)
        if field is None:
            raise ValueError(
                f"{where}: no field of {name!r} holds the {identifier!r} of {reference.model!r}. "
                f"Name it: `fields: {{{identifier}: FIELD}}`."
            )
        found[identifier] = field
    return found


def _in_order(definitions: Mapping[str, ModelDefinition], references: Mapping[str, dict[str, Reference]]) -> list[str]:
    """Names of models: parents before children, what is referenced before what refers; else as declared."""
    parents = {child: name for name, definition in definitions.items() for child in definition.children}

    def top(name: str) -> str:
        while name in parents:
            name = parents[name]
        return name

    needs: dict[str, set[str]] = {top(name): set() for name in definitions}
    for name, found in references.items():
        needs[top(name)] |= {top(reference.model) for reference in found.values()} - {top(name)}
    try:
        tops = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(
            f"Models refer to each other in a circle: {' → '.join(error.args[1])}. Leave one reference out."
        ) from None
    place = {name: number for number, name in enumerate(definitions)}
    level = _levels(needs)
    tops.sort(key=lambda name: (level[name], place[name]))
    return [name for name_of_top in tops for name in _with_all_below(name_of_top, definitions)]


def _levels(needs: Mapping[str, set[str]]) -> dict[str, int]:
    levels: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        levels[name] = 1 + max((levels[needed] for needed in needs[name]), default=-1)
    return levels


def _with_all_below(name: str, definitions: Mapping[str, ModelDefinition]) -> Iterator[str]:
    yield name
    for child in definitions[name].children:
        yield from _with_all_below(child, definitions)


def _class_of(name: str, definition: ModelDefinition, references: dict[str, Reference], base: type[D]) -> type[D]:
    declared = {field: found.for_pydantic() for field, found in definition.fields.items()}
    declared |= {children_field(child): (list[str], []) for child in definition.children}
    members: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"A record of {name}.",
        "__annotations__": {field: annotation for field, (annotation, _) in declared.items()},
        **{field: default for field, (_, default) in declared.items() if default is not ...},
        "_modelname": name,
        "_identifiers": tuple(definition.identifiers),
        "_shortname": definition.shortname,
        "_attributes": tuple(field for field, found in definition.attributes.items() if found.is_compared),
        "_children": {child: children_field(child) for child in definition.children},
        "_secrets": tuple(field for field, found in definition.fields.items() if found.secret),
        "_references": references,
        "model_flags": DiffSyncModelFlags.NONE,
    }
    members["__annotations__"]["model_flags"] = DiffSyncModelFlags
    metaclass: Any = type(base)
    made: type[D] = metaclass(name, (base,), members)
    return made


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
