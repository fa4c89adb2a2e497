"""Folders with CSV, JSON and YAML files as systems under test."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.testing import Record, SystemUnderTest
from tests.conformance.mapped import DEFINITIONS, INVALID, MODELS, is_same

COLUMNS = {name: list(model.fields) for name, model in DEFINITIONS.items()}


class FolderUnderTest(SystemUnderTest):
    """A file for each model, with a list of records."""

    end: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for model in MODELS:
            self.write(model, [])

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self._adapter(self.folder, store)

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        return self._adapter(self.folder / "missing", store)

    def _adapter(self, folder: Path, store: BaseStore) -> FilesAdapter:
        records = {model: {"from": f"{model}s{self.end}"} for model in MODELS}
        return FilesAdapter({"folder": folder}, MODELS, records, internal_storage_engine=store)

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        return self.read(model)

    def put(self, record: Record) -> None:
        self.write(record.model, [*self._others(record), record.fields])

    def remove(self, record: Record) -> None:
        self.write(record.model, self._others(record))

    def _others(self, record: Record) -> list[dict[str, Any]]:
        return [row for row in self.read(record.model) if not is_same(record, row)]

    def put_invalid(self, model: str) -> str:
        self.write(model, [*self.read(model), INVALID[model]])
        return "unfit"

    def path(self, model: str) -> Path:
        return self.folder / f"{model}s{self.end}"

    def read(self, model: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    def write(self, model: str, rows: list[dict[str, Any]]) -> None:
        raise NotImplementedError


class CsvUnderTest(FolderUnderTest):
    end = ".csv"
    cannot = {"text: blank": 'A CSV file has no difference between "" and null.'}

    def read(self, model: str) -> list[dict[str, Any]]:
        with self.path(model).open(encoding="utf-8", newline="") as file:
            return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]

    def write(self, model: str, rows: list[dict[str, Any]]) -> None:
        with self.path(model).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS[model])
            writer.writeheader()
            writer.writerows(rows)


class JsonUnderTest(FolderUnderTest):
    end = ".json"

    def read(self, model: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.path(model).read_text("utf-8"))
        return found

    def write(self, model: str, rows: list[dict[str, Any]]) -> None:
        self.path(model).write_text(json.dumps(rows, default=str), "utf-8")


class YamlUnderTest(FolderUnderTest):
    end = ".yaml"

    def read(self, model: str) -> list[dict[str, Any]]:
        return list(YAML(typ="safe").load(self.path(model).read_text("utf-8")))

    def write(self, model: str, rows: list[dict[str, Any]]) -> None:
        with self.path(model).open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(rows, file)
