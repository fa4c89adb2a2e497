"""FilesAdapter: CSV, JSON, JSON lines, YAML, Parquet, and inventories of Ansible.

`from` of a model is a file below the folder, or a pattern such as `device-types/**/*.yaml`. A record knows its file: `$file.path`,
`$file.name`, `$file.stem`, `$file.folder` (below the folder of the settings), `$file.line` (CSV, JSON lines) are paths as any other.

Writing changes whole files: the new text is written beside the old one and takes its place in one step. Comments, order and style
of a YAML file stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from diffsync_store.adapters.files.changes import FileChanges, OpenFiles, objects_in
from diffsync_store.adapters.files.columns import require_columns
from diffsync_store.adapters.files.csv_format import CsvFile
from diffsync_store.adapters.files.folder import Folder, OutsideOfFolder
from diffsync_store.adapters.files.formats import (
    AnsibleFile,
    FileFormat,
    InvalidFile,
    JsonFile,
    JsonLinesFile,
    ParquetFile,
    Row,
)
from diffsync_store.adapters.files.settings import FORMATS, PLACEHOLDER, FileRecords, FilesSettings
from diffsync_store.adapters.files.yaml_format import YamlFile
from diffsync_store.adapters.mapped import Answer, Change, MappedAdapter, MappedModel
from diffsync_store.adapters.shards import Part, Scalar
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping
from diffsync_store.suggestion import did_you_mean

_FORMATS: Mapping[str, type[FileFormat]] = {
    "csv": CsvFile, "json": JsonFile, "jsonl": JsonLinesFile, "yaml": YamlFile, "parquet": ParquetFile, "ansible": AnsibleFile,
}  # fmt: skip
_SHARD_OF: Mapping[str, Callable[[str], str]] = {
    "folder": lambda name: name.partition("/")[0] if "/" in name else ".",
    "file": lambda name: name,
}
"""What the shard of a file depends on: the first folder of its path, or the path."""
MOST_PLACES = 200_000
"""Records of a model whose files are remembered, to name both files where two have one record."""


class FilesAdapter(MappedAdapter):
    """Reads and writes files. One thread loads; several may write, one after the other."""

    Settings = FilesSettings
    Records = FileRecords
    settings: FilesSettings
    folder: Folder
    id_key: ClassVar[str] = "$path"
    added: ClassVar[frozenset[str]] = frozenset({"file"})
    shard_is = "`folder` or `file`"
    cut_things = "files"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Folder(self.settings.folder)
        self._files = OpenFiles()
        self._writing = Lock()

    def _start_counting(self) -> None:
        super()._start_counting()
        self._places: dict[str, dict[str, str]] = {}

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        if mapping.shard not in {"", *_SHARD_OF}:
            raise ValueError(f"`shard: {mapping.shard}` of {model._modelname!r} must be {' or '.join(_SHARD_OF)}.")
        file = mapping.file if isinstance(mapping, FileRecords) else ""
        for name in PLACEHOLDER.findall(file):
            if name not in model.model_fields:
                raise ValueError(
                    f"`file: {file}` of {model._modelname!r} names the field {name!r}, which the model does not have."
                    f"{did_you_mean(name, [*model._identifiers, *model._attributes])}"
                )
        return Mapper(model, mapping, has_ids=False)

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        for path in self.files_of(mapper):
            name = self.folder.name_of(path)
            try:
                yield from self._records_in(path, name, mapper)
            except (OSError, InvalidFile, OutsideOfFolder) as error:
                line = getattr(error, "line", 0)
                self._incomplete(mapper, f"{name}:{line}: {error}" if line else f"{name}: {_reason(error, path)}")

    def read_key(self, mapper: Mapper) -> Any:
        return self.pattern_of(mapper), mapper.mapping.shard, _records(mapper).items, _records(mapper).optional

    def _read_with(self, mapper: Mapper) -> Sequence[Mapper]:
        """Return this mapping and those that read the same records."""
        return self._together if self._together and self._together[0] is mapper else [mapper]

    def _incomplete(self, mapper: Mapper, reason: str) -> None:
        waiting = [one.model._modelname for one in self._read_with(mapper)]
        for model in waiting:
            self.incomplete(model, reason)
            waiting += self._nested.get(model, ())

    def _records_in(self, path: Path, name: str, mapper: Mapper) -> Iterator[Record]:
        about = _about(path, name)
        for row in self._rows(path, mapper):
            if row.error is not None or not isinstance(row.record, Mapping):
                where = f"{name}:{row.line}" if row.line else name
                error = row.error or TypeError(f"A record must be a mapping, not {type(row.record).__name__}.")
                for one in self._read_with(mapper):
                    self.store.reject(one.model, where, error, row.record)
            else:
                yield {**row.record, "$file": {**about, "line": row.line}, "$path": name}

    def _rows(self, path: Path, mapper: Mapper) -> Iterator[Row]:
        self.folder.require_inside(path)
        file = self.format_of(path, mapper)
        columns = file.columns()
        if columns is not None:
            for one in self._read_with(mapper):
                require_columns(one, columns)
        return file.rows()

    def files_of(self, mapper: Mapper) -> list[Path]:
        """Return the files of a model's records.

        Raises:
            FileNotFoundError: there is none.
        """
        pattern = self.pattern_of(mapper)
        part = self.part_of(mapper)
        found = [path for path in self.folder.find(pattern) if part is None or part.has(self._shard_of(mapper, path))]
        if not found and not _records(mapper).optional:
            place = f"{self.settings.folder}{self._in_shard}"
            raise FileNotFoundError(
                f"No file fits {pattern!r} in {place}. Correct `from` of {mapper.model._modelname!r}, or `folder`; or write "
                "`optional: true`, if the file may be missing."
            )
        return found

    @property
    def _in_shard(self) -> str:
        return "" if self._cut is None else f", for the shard {self._cut.name!r}"

    def _shard_of(self, mapper: Mapper, path: Path) -> str:
        return _SHARD_OF[mapper.mapping.shard](self.folder.name_of(path))

    def shard_values(self, mapper: Mapper) -> Iterable[Scalar]:
        return sorted({self._shard_of(mapper, path) for path in self.files_of(mapper)})

    def count_outside(self, mapper: Mapper, parts: Sequence[Part]) -> int | None:
        values = [self._shard_of(mapper, path) for path in self.folder.find(self.pattern_of(mapper))]
        return sum(not any(part.has(value) for part in parts) for value in values)

    def pattern_of(self, mapper: Mapper) -> str:
        """Return the name or the pattern of a model's files."""
        return mapper.mapping.source or f"{mapper.model._modelname}.*"

    def format_of(self, path: Path, mapper: Mapper) -> FileFormat:
        """Return the file with its format.

        Raises:
            InvalidFile: its format is not known.
        """
        kind = self.settings.format or FORMATS.get(path.suffix.lower())
        if kind is None:
            raise InvalidFile(f"no format has the suffix {path.suffix!r}. Set the format: `settings: {{format: csv}}`")
        return _FORMATS[kind](path, self.settings, _records(mapper).items)

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        if mapper.mapping.list_path:
            raise NotImplementedError("Records inside others are not looked up.")
        wanted = {mapper.model.create_unique_id(**ids): None for ids in identifiers}
        found: dict[str, Record] = {}
        for record in self.read(mapper):
            uid = mapper.unique_id_of(record)
            if uid in wanted and (mapper.where is None or mapper.where(record, None)):
                found.setdefault(uid, record)
        return [found.get(mapper.model.create_unique_id(**ids)) for ids in identifiers]

    def look_up_records(self, model: type[MappedModel], ids: Sequence[dict[str, Any]]) -> Any:
        mapper = self._mapper(model)
        if not mapper.mapping.list_path:
            return super().look_up_records(model, ids)
        wanted = {model.create_unique_id(**one): None for one in ids}
        chain = self.chain_of(mapper)
        found: dict[str, dict[str, Any]] = {}
        for record in self.read(chain[0]):
            for obj in objects_in(record, chain):
                if obj.get_unique_id() in wanted:
                    attrs = {name: value for name, value in obj.get_attrs().items() if name not in mapper.unwritten}
                    found.setdefault(obj.get_unique_id(), {**attrs, "system_id": record["$path"]})
        return [found.get(uid) for uid in (model.create_unique_id(**one) for one in ids)]

    def _add(self, mapper: Mapper, record: Record, above: MappedModel | None) -> MappedModel:
        obj = super()._add(mapper, record, above)
        if above is not None:
            obj.__dict__["system_id"] = above.system_id  # it is in the same file
        else:
            places = self._places.setdefault(obj.get_type(), {})
            if len(places) < MOST_PLACES:
                places[obj.get_unique_id()] = _place(record)
        return obj

    def _reject(self, mapper: Mapper, record: Any, above: MappedModel | None, error: Exception) -> None:
        if isinstance(record, Mapping) and "$file" in record:
            record = {"$file": record["$file"], **record}  # first: what is shown of a record has an end
        super()._reject(mapper, record, above, error)

    def _name_of(self, mapper: Mapper, record: Record, above: MappedModel | None) -> str:
        is_named = any(value is not None for value in mapper.identifiers_of(record, above))
        return super()._name_of(mapper, record, above) if is_named or "$file" not in record else _place(record)

    def _about_duplicate(self, mapper: Mapper, record: Record, error: Exception) -> Exception:
        if not isinstance(error, ObjectAlreadyExists) or "$file" not in record:
            return error
        first = self._places.get(mapper.model._modelname, {}).get(mapper.unique_id_of(record), "another place")
        message = f"{error.args[0]}: it is in {first} and in {_place(record)}. The first one counts."
        return ObjectAlreadyExists(message, error.existing_object)

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        return self._change(mapper, payloads, FileChanges.create, ObjectNotCreated)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self._change(mapper, changes, FileChanges.update, ObjectNotUpdated)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self._change(mapper, changes, FileChanges.delete, ObjectNotDeleted)

    def _change(self, mapper: Mapper, items: Sequence[Any], change: Any, refused: type[Exception]) -> Sequence[Answer]:
        with self._writing, self.folder.changing():
            changes = FileChanges(self, mapper, self._files, refused)
            for item in items:
                changes.apply(partial(change, changes, item))
            return changes.write()

    def chain_of(self, mapper: Mapper) -> list[Mapper]:
        """Return the mappers from the records of a file down to those of a list inside them."""
        chain = [mapper]
        while chain[0].mapping.list_path:
            name = chain[0].model._modelname
            chain.insert(0, self.mappers[next(holder for holder, below in self._nested.items() if name in below)])
        return chain


def _records(mapper: Mapper) -> FileRecords:
    return mapper.mapping if isinstance(mapper.mapping, FileRecords) else FileRecords()


def _about(path: Path, name: str) -> dict[str, Any]:
    folder = name.rpartition("/")[0]
    return {"path": name, "name": path.name, "stem": path.stem, "folder": folder or "."}


def _place(record: Record) -> str:
    about = record["$file"]
    return f"{about['path']}:{about['line']}" if about["line"] else str(about["path"])


def _reason(error: Exception, path: Path) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error).replace(str(path), path.name)
