"""The records that a ready adapter declares, for each model."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from pydantic import ValidationError

from diffsync_store.adapters import MappedAdapter, MappedModel
from diffsync_store.adapters.model_classes import is_taken
from diffsync_store.mapping import Mapper, RecordMapping, mapped_fields
from diffsync_store.mapping.paths import PARENT
from diffsync_store.project.errors import ConfigError, Location, Problem
from diffsync_store.project.messages import suggestion
from diffsync_store.project.schema import AdapterEntry
from diffsync_store.project.validation import problems_of
from diffsync_store.project.yaml_file import YamlFile

NO_RECORDS = "no records are declared. Declare where the records of each model are, such as {device: {from: devices}}"


class DeclaredRecords:
    """The records of one adapter.

    Args:
        file: the file.
        name: of the adapter.
        entry: what is declared of the adapter.
        adapter_class: the class of the adapter; it says which keys the records have.
        models: the model classes of the file.
    """

    def __init__(
        self,
        file: YamlFile,
        name: str,
        entry: AdapterEntry,
        adapter_class: type[MappedAdapter],
        models: Mapping[str, type[MappedModel]],
    ) -> None:
        self.location: Location = ("adapters", name, "records")
        self._file = file
        self._declared = entry.records or {}
        self._class = adapter_class
        self._schema = adapter_class.Records
        self._models = models

    @cached_property
    def mappings(self) -> dict[str, RecordMapping]:
        """Return the records by model.

        Raises:
            ConfigError: with all problems.
        """
        mappings: dict[str, RecordMapping] = {}
        problems = [*self._taken_names()]
        if not self._declared:
            problems.append(self._file.problem(self.location, NO_RECORDS))
        for model, declared in self._declared.items():
            try:
                mappings[model] = self._schema.model_validate(declared)
            except ValidationError as error:
                problems += problems_of(self._file, error, self._schema, (*self.location, model))
            else:
                problems += self._problems(model, mappings[model])
        if problems:
            raise ConfigError(problems)
        return mappings

    def _problems(self, model: str, mapping: RecordMapping) -> Iterator[Problem]:
        """Yield what does not fit the models."""
        location = (*self.location, model)
        if model not in self._models:
            message = f"no model {model!r} is declared{suggestion(model, self._models, 'Declared')}"
            yield self._file.problem(location, message)
            return
        found = [self._file.problem((*location, *place), message) for place, message in self._misplaced(model, mapping)]
        yield from found
        try:
            _ = found or Mapper(self._models[model], mapping)
        except ValueError as error:
            yield self._file.problem(location, str(error))

    def _taken_names(self) -> Iterator[Problem]:
        for model in self._models:
            if is_taken(self._class, model):
                message = f"a model cannot be called {model!r}: an adapter has a member of this name. Rename the model."
                yield self._file.problem(("models", model), message)

    def _misplaced(self, model: str, mapping: RecordMapping) -> Iterator[tuple[Location, str]]:
        """Yield the names that lead nowhere, with their places below the model."""
        own = self._models[model]
        yield from _unknown("field", mapping.fields, mapped_fields(own), model)
        yield from _unknown("reference", mapping.references, list(own._references), model)
        if mapping.parent and mapping.parent not in self._declared:
            message = (
                f"no records of {mapping.parent!r} are declared{suggestion(mapping.parent, self._declared, 'Declared')}"
            )
            yield ("parent",), message
        parent = self._parent(model, mapping)
        if mapping.list_path and parent is None:
            message = f"{mapping.source} is a list in the records of another model. Name that model: `parent: MODEL`."
            yield ("from",), message
        for name, field in mapping.fields.items():
            yield from _wrong_parent_path(name, field.path, parent)

    def _parent(self, model: str, mapping: RecordMapping) -> type[MappedModel] | None:
        """Return the model whose records hold a model's records; None if they are no list in other records."""
        if not mapping.list_path:
            return None
        above = (name for name, other in self._models.items() if model in other._children)
        return self._models.get(mapping.parent or next(above, ""))


def _unknown(kind: str, given: Iterable[str], known: list[str], model: str) -> Iterator[tuple[Location, str]]:
    for name in given:
        if name not in known:
            message = f"the model {model!r} has no {kind} {name!r}{suggestion(name, known, f'Its {kind}s')}"
            yield (f"{kind}s", name), message


def _wrong_parent_path(name: str, path: str, parent: type[MappedModel] | None) -> Iterator[tuple[Location, str]]:
    location: Location = ("fields", name, "path")
    field = path.removeprefix(PARENT)
    if field == path:
        return
    if parent is None:
        yield (
            location,
            f"{path} needs a parent, but only records of a list inside other records (from: LIST[]) have one",
        )
    elif field not in parent.model_fields:
        known = suggestion(field, mapped_fields(parent), "Its fields")
        yield location, f"the parent {parent._modelname!r} has no field {field!r}{known}"
