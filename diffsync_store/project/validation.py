"""Validate the declarations of a file: each part by the schema, then the parts together."""

from collections.abc import Container, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from diffsync_store.guards import Limit
from diffsync_store.project.errors import ConfigError, Location, Problem
from diffsync_store.project.messages import location_of, message_of, suggestion
from diffsync_store.project.schema import Declarations
from diffsync_store.project.variables import names_in
from diffsync_store.project.yaml_file import YamlFile

D = TypeVar("D", bound=Declarations)


def read_declarations(file: YamlFile, model: type[D]) -> D:
    """Validate a file.

    Raises:
        ConfigError: with all problems.
    """
    variables = dict(_misplaced_variables(file.data, ()))
    problems = [file.problem(location, message) for location, message in variables.items()]
    problems += [*_wrong_sides(file), *_repeated_pairs(file)]
    try:
        declared = model.model_validate(file.data)
    except ValidationError as error:
        raise ConfigError([*problems_of(file, error, model, skip=variables), *problems]) from None
    found = [*_empty_limits(declared.syncs, ("syncs",)), *declared.inconsistencies()]
    problems += [file.problem(location, message) for location, message in found]
    if problems:
        raise ConfigError(problems)
    return declared


def problems_of(
    file: YamlFile,
    error: ValidationError,
    model: type[BaseModel],
    location: Location = (),
    *,
    skip: Container[Location] = (),
) -> list[Problem]:
    """Return pydantic's errors as problems of the file, one for each location.

    Args:
        file: the file.
        error: from validating the model.
        model: the model.
        location: of the model's data in the file.
        skip: locations whose problems are known already, with everything below them.
    """
    schema = _json_schema(model)
    found = {(*location, *location_of(each)): each for each in error.errors(include_url=False)}
    return [
        file.problem(at, message_of(each, schema, location))
        for at, each in found.items()
        if not any(at[:length] in skip for length in range(len(at) + 1))
    ]


def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticUserError:  # an adapter's settings may have a type that JSON Schema does not know
        return {}


def _misplaced_variables(data: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if location in {("store", "url"), ("store", "block"), ("serve",)}:
        return
    if location[0:1] + location[2:3] == ("adapters", "settings"):
        return
    if location[0:1] == ("notify",) and location[2:] in {("url",), ("webhook",)}:
        return
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _misplaced_variables(value, (*location, key))
    elif isinstance(data, str) and (names := names_in(data)):
        places = "the store's url and block, an adapter's settings, serve, and the addresses of notify"
        yield location, f"${{{names[0]}}} is not expanded here. Variables work only in {places}."


def _empty_limits(part: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(part, Limit) and part.percent is None and part.absolute is None:
        yield location, "the limit is empty. Give percent, absolute or both, e.g. {percent: 5}."
    elif isinstance(part, BaseModel | dict):
        for name, value in dict(part).items():
            yield from _empty_limits(value, (*location, name))


def _wrong_sides(file: YamlFile) -> Iterator[Problem]:
    adapters = _section(file, "adapters")
    for name, sync in _section(file, "syncs").items():
        for side in ("source", "target"):
            adapter = sync.get(side) if isinstance(sync, dict) else None
            if isinstance(adapter, str) and adapter not in adapters:
                message = f"no adapter {adapter!r} is declared{suggestion(adapter, adapters, 'Declared')}"
                yield file.problem(("syncs", name, side), message)
        if isinstance(sync, dict) and "target" in sync and sync.get("source") == sync["target"]:
            yield file.problem(("syncs", name, "target"), "source and target are the same adapter")


def _repeated_pairs(file: YamlFile) -> Iterator[Problem]:
    """A saved diff knows its two adapters, not the sync's name: the pair must lead to one sync."""
    first: dict[tuple[str, str], str] = {}
    for name, sync in _section(file, "syncs").items():
        if not isinstance(sync, dict) or not {"source", "target"} <= sync.keys():
            continue
        earlier = first.setdefault((str(sync["source"]), str(sync["target"])), name)
        if earlier != name:
            yield file.problem(
                ("syncs", name), f"has the same source and target as the sync {earlier}. Remove one of them."
            )


def _section(file: YamlFile, name: str) -> dict[str, Any]:
    section = file.data.get(name) if isinstance(file.data, dict) else None
    return section if isinstance(section, dict) else {}
