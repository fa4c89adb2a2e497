"""The problems of models that do not fit each other, each with its place in the declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from diffsync_store.mapping.definitions import ModelDefinition, Reference, children_field, listed
from diffsync_store.suggestion import did_you_mean

Place = tuple[str | int, ...]
"""Keys and list indexes that lead to the value, beginning with the name of a model."""
Problem = tuple[Place, str]
Definitions = Mapping[str, ModelDefinition]


class InvalidModels(ValueError):
    """Models do not fit each other.

    Attributes:
        problems: place and message of each problem.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{'.'.join(map(str, place))}: {message}" for place, message in problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,), self.__dict__


def problems_of(definitions: Definitions) -> Iterator[Problem]:
    """Yield the problems of models; those of circles only where all names are known."""
    found = [
        problem
        for name, definition in definitions.items()
        for problem in (*_name(name), *_children(name, definition, definitions), *_references(name, definitions))
    ]
    yield from found or (*_circle_of_children(definitions), *_circle_of_references(definitions))


def parents_of(definitions: Definitions) -> dict[str, str]:
    """Return the parent of each model that is a child."""
    return {child: name for name, definition in definitions.items() for child in definition.children}


def field_of(definition: ModelDefinition, label: str, reference: Reference, identifier: str, number: int) -> str | None:
    """Return the field that holds an identifier of the referenced model; None where no field does.

    Args:
        definition: of the model that refers.
        label: name of the reference.
        reference: the reference.
        identifier: of the referenced model.
        number: how many identifiers the referenced model has.
    """
    if identifier in reference.fields:
        candidates = [reference.fields[identifier]]
    else:  # with one identifier, `manufacturer` holds the name of the manufacturer
        candidates = [label, identifier] if number == 1 else [identifier, label]
    return next((candidate for candidate in candidates if candidate in definition.fields), None)


def _name(name: str) -> Iterator[Problem]:
    if not name.isidentifier() or name.startswith("_"):
        yield (name,), f"Model {name!r}: a name has letters, digits and `_`, and does not begin with a digit or `_`."


def _children(name: str, definition: ModelDefinition, definitions: Definitions) -> Iterator[Problem]:
    parents = parents_of(definitions)
    for index, child in enumerate(definition.children):
        place: Place = (name, "children", index)
        if child not in definitions:
            yield (
                place,
                f"Model {name!r} has the child {child!r}, which is not declared.{did_you_mean(child, definitions)}",
            )
        elif child in definition.children[:index]:
            yield place, f"Model {child!r} is listed twice. Remove one of them."
        elif parents[child] != name:
            yield place, f"Model {child!r} is a child of both {name!r} and {parents[child]!r}. Make it a child of one."
        if children_field(child) in definition.fields:
            yield (
                place,
                f"The field {children_field(child)!r} of {name!r} lists its children. Give your field another name.",
            )


def _references(name: str, definitions: Definitions) -> Iterator[Problem]:
    for label, reference in definitions[name].references.items():
        if reference.model in definitions:
            yield from _fields(name, label, reference, definitions)
        else:
            known = did_you_mean(reference.model, definitions)
            yield (name, "references", label), f"It names the model {reference.model!r}, which is not declared.{known}"


def _fields(name: str, label: str, reference: Reference, definitions: Definitions) -> Iterator[Problem]:
    place: Place = (name, "references", label)
    own, wanted = definitions[name], definitions[reference.model].identifiers
    unknown = reference.fields.keys() - wanted.keys()
    if unknown:
        yield place, f"{listed(unknown)} is not an identifier of {reference.model!r}: it has {listed(wanted)}."
    for identifier, field in reference.fields.items():
        if field not in own.fields:
            yield (*place, "fields", identifier), f"{name!r} has no field {field!r}.{did_you_mean(field, own.fields)}"
    for identifier in wanted:
        if identifier not in reference.fields and not field_of(own, label, reference, identifier, len(wanted)):
            missing = f"No field of {name!r} holds the {identifier!r} of {reference.model!r}."
            yield place, f"{missing} Name it: `fields: {{{identifier}: FIELD}}`."


def _circle_of_children(definitions: Definitions) -> Iterator[Problem]:
    parents = parents_of(definitions)
    for name in definitions:
        seen = [name]
        while seen[-1] in parents and parents[seen[-1]] not in seen:
            seen.append(parents[seen[-1]])
        if parents.get(seen[-1]) == name:
            path = " → ".join([name, *reversed(seen)])
            yield (name, "children"), f"Models are below themselves: {path}. Use `references` for one of them."
            return


def _circle_of_references(definitions: Definitions) -> Iterator[Problem]:
    for name, label, reference in _all_references(definitions):
        path, other = path_of(name, definitions), path_of(reference.model, definitions)
        if path != other and other[: len(path)] == path:
            message = (
                f"Model {name!r} refers to {reference.model!r}, which is below it, so neither can be created first."
            )
            remedy = f"Leave the reference out, or do not make {other[len(path)]!r} a child of {name!r}."
            yield (name, "references", label), f"{message} {remedy}"
    try:
        TopologicalSorter(needs_of(definitions)).prepare()
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1])]
        place = _reference_between(circle[0], circle[1], definitions)
        yield place, f"Models refer to each other in a circle: {' → '.join(circle)}. Leave one reference out."


def needs_of(definitions: Definitions) -> dict[str, set[str]]:
    """Return, for each model, those beside it - below the same parent, or at the top - that it has to come after.

    A model has to come after another one if it, or one below it, refers to that one, or to one below that.
    """
    needs: dict[str, set[str]] = {name: set() for name in definitions}
    for name, _, reference in _all_references(definitions):
        for later, earlier in _beside(name, reference.model, definitions):
            needs[later].add(earlier)
    return needs


def path_of(name: str, definitions: Definitions) -> list[str]:
    """Return the models from the top down to a model."""
    parents, path = parents_of(definitions), [name]
    while path[0] in parents and parents[path[0]] not in path:
        path.insert(0, parents[path[0]])
    return path


def _all_references(definitions: Definitions) -> Iterator[tuple[str, str, Reference]]:
    for name, definition in definitions.items():
        for label, reference in definition.references.items():
            yield name, label, reference


def _beside(name: str, other: str, definitions: Definitions) -> Iterator[tuple[str, str]]:
    """Yield the models beside each other that two models are, or stand below; nothing if one stands below the other."""
    for one, another in zip(path_of(name, definitions), path_of(other, definitions), strict=False):
        if one != another:
            yield one, another
            return


def _reference_between(above: str, below: str, definitions: Definitions) -> Place:
    """Return the place of a reference from one tree of models to another."""
    return next(
        (name, "references", label)
        for name, label, reference in _all_references(definitions)
        if (above, below) in _beside(name, reference.model, definitions)
    )
