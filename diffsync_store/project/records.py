"""The records that a ready adapter declares, for each model."""

from collections.abc import Mapping

from pydantic import ValidationError

from diffsync_store.adapters import MappedAdapter, MappedModel
from diffsync_store.mapping import Mapper, RecordMapping
from diffsync_store.project.errors import ConfigError, Location, Problem
from diffsync_store.project.messages import suggestion
from diffsync_store.project.schema import AdapterEntry
from diffsync_store.project.validation import problems_of
from diffsync_store.project.yaml_file import YamlFile


class RecordsReader:
    """Read the records of one adapter.

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
        self._file = file
        self._location: Location = ("adapters", name, "records")
        self._declared = entry.records or {}
        self._class = adapter_class
        self._models = models

    def read(self) -> dict[str, RecordMapping]:
        """Return the records by model.

        Raises:
            ConfigError: with all problems.
        """
        if not self._declared:
            message = "no records are declared. Say where the records of each model are, e.g. {device: {from: devices}}"
            raise self._file.error(self._location, message)
        records: dict[str, RecordMapping] = {}
        problems: list[Problem] = []
        for model, declared in self._declared.items():
            try:
                records[model] = self._read(model, declared)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return records

    def _read(self, model: str, declared: object) -> RecordMapping:
        location = (*self._location, model)
        if model not in self._models:
            message = f"no model {model!r} is declared{suggestion(model, self._models, 'Declared')}"
            raise self._file.error(location, message)
        try:
            mapping = self._class.Records.model_validate(declared)
        except ValidationError as error:
            raise ConfigError(problems_of(self._file, error, self._class.Records, location)) from None
        try:
            Mapper(self._models[model], mapping)
        except ValueError as error:
            raise self._file.error(location, str(error)) from None
        return mapping
