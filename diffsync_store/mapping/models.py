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
from graphlib import TopologicalSorter
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict

from diffsync_store.enum import DiffSyncModelFlags
from diffsync_store.mapping.definitions import ModelDefinition, Reference, children_field
from diffsync_store.mapping.model_problems import (
    InvalidModels,
    field_of,
    needs_of,
    parents_of,
    problems_of,
)
from diffsync_store.model import DiffSyncModel


class DeclaredModel(DiffSyncModel):
    """The base of the classes that are made from definitions."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    _references: ClassVar[dict[str, Reference]] = {}
    """The records of other models that a record needs, by the names of the references."""


__all__ = ["DeclaredModel", "ModelDefinition", "Reference", "build_models", "children_field", "top_level"]

D = TypeVar("D", bound=DeclaredModel)


def build_models(definitions: Mapping[str, ModelDefinition], base: type[D]) -> dict[str, type[D]]:
    """Return a class for each definition, by name. A referenced model comes before the models that refer to it.

    Args:
        definitions: what is declared, by the models' names.
        base: the class that they extend.

    Raises:
        InvalidModels: a name of a model, a child or a reference does not fit the others.
    """
    problems = list(problems_of(definitions))
    if problems:
        raise InvalidModels(problems)
    references = {name: _completed(name, definitions) for name in definitions}
    order = _Order(definitions)
    return {
        name: _class_of(name, definitions[name], references[name], order.children(name), base) for name in order.names()
    }


def top_level(models: Iterable[type[DeclaredModel]]) -> list[str]:
    """Return the models that are not a child of another model, in the given order."""
    models = list(models)
    below = {child for model in models for child in model._children}
    return [model._modelname for model in models if model._modelname not in below]


def _completed(name: str, definitions: Mapping[str, ModelDefinition]) -> dict[str, Reference]:
    """Return the references of a model, each with a field for every identifier."""
    return {
        label: reference.model_copy(
            update={"fields": _fields_of(label, reference, definitions[name], definitions[reference.model].identifiers)}
        )
        for label, reference in definitions[name].references.items()
    }


def _fields_of(label: str, reference: Reference, definition: ModelDefinition, wanted: Iterable[str]) -> dict[str, str]:
    identifiers = list(wanted)
    fields = {name: field_of(definition, label, reference, name, len(identifiers)) for name in identifiers}
    return {name: field for name, field in fields.items() if field is not None}


class _Order:
    """The order of models: parents before children, what is referenced before what refers to it; else as declared."""

    def __init__(self, definitions: Mapping[str, ModelDefinition]) -> None:
        self._definitions = definitions
        self._level = _levels(needs_of(definitions))
        self._place = {name: number for number, name in enumerate(definitions)}

    def names(self) -> list[str]:
        """Return all models, from the top down."""
        below = parents_of(self._definitions)
        tops = self._sorted(name for name in self._definitions if name not in below)
        return [name for top in tops for name in self._with_all_below(top)]

    def children(self, name: str) -> list[str]:
        """Return the child models of a model."""
        return self._sorted(self._definitions[name].children)

    def _with_all_below(self, name: str) -> Iterator[str]:
        yield name
        for child in self.children(name):
            yield from self._with_all_below(child)

    def _sorted(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (self._level[name], self._place[name]))


def _levels(needs: Mapping[str, set[str]]) -> dict[str, int]:
    levels: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        levels[name] = 1 + max((levels[needed] for needed in needs[name]), default=-1)
    return levels


def _class_of(
    name: str, definition: ModelDefinition, references: dict[str, Reference], children: list[str], base: type[D]
) -> type[D]:
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
        "_attributes": tuple(definition.attributes),
        "_children": {child: children_field(child) for child in children},
        "_secrets": tuple(field for field, found in definition.fields.items() if found.secret),
        "_references": references,
        "model_flags": DiffSyncModelFlags.NONE,
    }
    members["__annotations__"]["model_flags"] = DiffSyncModelFlags
    metaclass: Any = type(base)
    made: type[D] = metaclass(name, (base,), members)
    return made
