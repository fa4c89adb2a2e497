"""The changes of one batch to the records in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from diffsync_store.adapters.files.folder import Folder, fits
from diffsync_store.adapters.files.formats import FileFormat, InvalidFile
from diffsync_store.adapters.files.settings import PLACEHOLDER
from diffsync_store.adapters.writing import Answer, Change
from diffsync_store.exceptions import ObjectNotFound
from diffsync_store.mapping.paths import PARENT, compile_getter, compile_setter, is_plain
from diffsync_store.mapping.records import Mapper

MOST_OPEN = 32
"""Files whose content is kept between two batches."""
Signature = tuple[int, int, int]


class Files(Protocol):
    """What is needed of the adapter."""

    folder: Folder

    def pattern_of(self, mapper: Mapper) -> str: ...
    def format_of(self, path: Path, mapper: Mapper) -> FileFormat: ...
    def chain_of(self, mapper: Mapper) -> list[Mapper]: ...
    def get_or_none(self, obj: Any, identifier: Any) -> Any: ...


class Place(NamedTuple):
    """Where a record is: in a list, or as the whole of its file."""

    record: Any
    siblings: MutableSequence[Any] | None


class OpenFile:
    """The content of a file, to be changed in place."""

    def __init__(self, file: FileFormat, chain: list[Mapper], name: str) -> None:
        self.file = file
        self.name = name
        self.signature = _signature(file.path)
        self.content = file.content() if self.signature else None
        self.places = dict(self._find_places(chain)) if self.signature else {}

    @property
    def path(self) -> Path:
        """Return where the file is."""
        return self.file.path

    def _find_places(self, chain: list[Mapper]) -> Iterator[tuple[tuple[str, str], Place]]:
        """Yield model and unique id of each record. Values are converted as in a load."""
        records = self.file.records_in(self.content)
        siblings = None if self.file.is_one_record(self.content) else records
        about = {
            "path": self.name,
            "name": self.path.name,
            "stem": self.path.stem,
            "folder": self.name.rpartition("/")[0] or ".",
        }
        for row, record in zip(self.file.rows(), records, strict=True):
            if isinstance(row.record, Mapping):
                yield from _places({"$file": about, **row.record}, Place(record, siblings), chain, None)


def _places(
    record: Mapping[str, Any], place: Place, chain: list[Mapper], above: Any
) -> Iterator[tuple[tuple[str, str], Place]]:
    mapper, *below = chain
    try:
        obj = mapper.model(**mapper.fields_of(record, above))
    except Exception:  # noqa: BLE001  # the load rejects it
        return
    yield (mapper.model._modelname, obj.get_unique_id()), place
    if not below:
        return
    read, written = below[0].list_of(record), below[0].list_of(place.record)
    if isinstance(read, list) and isinstance(written, list):
        for one, other in zip(read, written, strict=True):
            if isinstance(one, Mapping):
                yield from _places(one, Place(other, written), below, obj)


def objects_in(record: Mapping[str, Any], chain: list[Mapper], above: Any = None) -> Iterator[Any]:
    """Yield the objects of the last mapping of a chain that are inside a record of the first one."""
    mapper, *below = chain
    try:
        obj = mapper.model(**mapper.fields_of(record, above))
    except Exception:  # noqa: BLE001  # the load rejects it
        return
    if not below:
        yield obj
        return
    items = below[0].list_of(record)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping):
            yield from objects_in(item, below, obj)


class OpenFiles:
    """The files that the last batches have changed; one is read again if another program has changed it."""

    def __init__(self) -> None:
        self._open: dict[tuple[Path, str], OpenFile] = {}

    def open(self, file: FileFormat, chain: list[Mapper], name: str) -> OpenFile:
        """Return the content of a file.

        Raises:
            InvalidFile: it cannot be read.
        """
        key = file.path, chain[-1].model._modelname
        known = self._open.pop(key, None)
        if known is None or known.signature is None or known.signature != _signature(file.path):
            known = OpenFile(file, chain, name)
        self._open[key] = known
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return known

    def forget(self, path: Path) -> None:
        """Read a file again the next time."""
        for key in [key for key in self._open if key[0] == path]:
            del self._open[key]

    def written(self, opened: OpenFile) -> None:
        """Keep a file that was written: other models read it again."""
        for key in [key for key in self._open if key[0] == opened.path and self._open[key] is not opened]:
            del self._open[key]
        opened.signature = _signature(opened.path)


def _signature(path: Path) -> Signature | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class FileChanges:
    """The changes of one batch: they are made in memory, and each file is written once.

    Args:
        files: the adapter.
        mapper: of the model whose records change.
        open_files: what is open already.
        refused: the exception for a record that cannot be changed.
    """

    def __init__(self, files: Files, mapper: Mapper, open_files: OpenFiles, refused: type[Exception]) -> None:
        self._files = files
        self._mapper = mapper
        self._model = mapper.model._modelname
        self._chain = files.chain_of(mapper)
        self._open_files = open_files
        self._refused = refused
        self._answers: list[Answer] = []
        self._changed: dict[Path, OpenFile] = {}
        self._numbers: dict[Path, list[int]] = {}
        """The records of each changed file, as places among the answers."""
        self._removed: dict[int, tuple[Any, list[Any]]] = {}
        """By list: the list, and the records to be removed from it."""

    def apply(self, change: Callable[[], Answer]) -> None:
        """Make a change in memory; one that cannot be made is refused."""
        try:
            answer = change()
        except (InvalidFile, ValueError, TypeError, LookupError, ObjectNotFound) as error:
            answer = self._refused(str(error))
        self._answers.append(answer)

    def create(self, payload: Any) -> Answer:
        """Add a record; the answer is its file."""
        fields = getattr(payload, "fields", payload)
        uid = self._mapper.model.create_unique_id(**fields)
        opened = self._file_for(fields)
        if (self._model, uid) in opened.places:
            raise ValueError(f"{opened.name} already has {self._model} {uid!r}.")
        opened.file.check(payload)
        self._change(opened)
        record = dict(payload)
        siblings = self._list_for(opened, fields)
        if siblings is None:
            opened.content = record
        else:
            siblings.append(record)
        opened.places[self._model, uid] = Place(record if siblings is None else siblings[-1], siblings)
        return opened.name

    def update(self, change: Change) -> Answer:
        """Change a record."""
        opened, place = self._find(change)
        if place is None or opened is None:
            raise ValueError(f"No file has {self._model} {change.identifiers}.")
        opened.file.check(change.payload)
        self._change(opened)
        _merge(place.record, change.payload)
        return None

    def delete(self, change: Change) -> Answer:
        """Remove a record, and the file that is nothing else."""
        opened, place = self._find(change)
        if place is None or opened is None:
            return None
        self._change(opened)
        del opened.places[self._model, self._uid(change)]
        if place.siblings is None:
            opened.content = None
        else:
            self._removed.setdefault(id(place.siblings), (place.siblings, []))[1].append(place.record)
        return None

    def write(self) -> list[Answer]:
        """Write the changed files, and return the answers: a file that cannot be written refuses its changes."""
        for siblings, records in self._removed.values():
            gone = set(map(id, records))
            for number in range(len(siblings) - 1, -1, -1):
                if id(siblings[number]) in gone:
                    del siblings[number]
        for path, opened in self._changed.items():
            try:
                self._save(opened)
            except (OSError, ValueError, TypeError) as error:
                self._open_files.forget(path)
                for number in self._numbers[path]:
                    self._answers[number] = self._refused(f"{opened.name} cannot be written: {error}")
        return self._answers

    def _save(self, opened: OpenFile) -> None:
        if opened.content is None:
            self._files.folder.remove(opened.path)
            self._open_files.forget(opened.path)
        else:
            self._files.folder.write(opened.path, opened.file.dump(opened.content))
            self._open_files.written(opened)

    def _change(self, opened: OpenFile) -> None:
        if opened.file.refuses_changes:
            raise ValueError(opened.file.refuses_changes)
        self._changed[opened.path] = opened
        self._numbers.setdefault(opened.path, []).append(len(self._answers))

    # Where records are

    def _uid(self, change: Change) -> str:
        return self._mapper.model.create_unique_id(**change.identifiers)

    def _find(self, change: Change) -> tuple[OpenFile | None, Place | None]:
        if not isinstance(change.key, str):
            return None, None
        opened = self._opened(change.key)
        return opened, opened.places.get((self._model, self._uid(change)))

    def _opened(self, name: str) -> OpenFile:
        path = self._files.folder.file(name)
        if path in self._changed:
            return self._changed[path]
        return self._open_files.open(self._files.format_of(path, self._chain[0]), self._chain, name)

    def _file_for(self, fields: Mapping[str, Any]) -> OpenFile:
        """Return the file that a new record goes to.

        Raises:
            ValueError: the mapping does not say which.
        """
        if len(self._chain) > 1:
            holder = self._holder(fields)
            return self._opened(str(holder.system_id))
        pattern = getattr(self._mapper.mapping, "file", "")
        source = self._files.pattern_of(self._mapper)
        if pattern:
            name = PLACEHOLDER.sub(lambda match: _as_name(_field(fields, match[1])), pattern)
            if not fits(name, source):
                raise ValueError(
                    f"`file` gives {name!r}, which the next load does not read: it does not fit `from: {source}`. Correct one of them."
                )
            return self._opened(name)
        found = [self._files.folder.name_of(path) for path in self._files.folder.find(source)]
        if not found and not any(sign in source for sign in "*?["):
            found = [source]
        opened = self._opened(found[0]) if len(found) == 1 else None
        if opened is None or (opened.content is not None and opened.file.is_one_record(opened.content)):
            raise ValueError("Set the file of new records: `file: $name.yaml` under `records`.")
        return opened

    def _list_for(self, opened: OpenFile, fields: Mapping[str, Any]) -> MutableSequence[Any] | None:
        """Return the list that a new record is added to; None if it becomes the whole file."""
        if len(self._chain) > 1:
            return self._list_inside(opened, fields)
        items = opened.file.items
        if opened.content is None:
            if not items:
                opened.content = opened.file.new_content()
                is_list = not getattr(self._mapper.mapping, "file", "") or not opened.file.keeps_one_record
                return opened.content if is_list else None
            opened.content = {}
            compile_setter(items)(opened.content, [])
        found: Any = compile_getter(items)(opened.content, None) if items else opened.content
        if not isinstance(found, MutableSequence):
            raise ValueError(  # noqa: TRY004  # it is the mapping that is wrong
                f"{opened.name} already is one record. Set another file with `file` under `records`."
            )
        return found

    def _holder(self, fields: Mapping[str, Any]) -> Any:
        """Return the object whose record holds the list of this model's records."""
        model = self._chain[-2].model
        fields_read = self._mapper.mapping.fields.items()
        read = {one.path.removeprefix(PARENT): field for field, one in fields_read if one.path.startswith(PARENT)}
        names = {identifier: read.get(identifier, identifier) for identifier in model._identifiers}
        found = self._files.get_or_none(model, {identifier: fields[field] for identifier, field in names.items()})
        if found is None or found.system_id is None:
            raise ValueError(f"No file has the {model._modelname} whose record contains the list.")
        return found

    def _list_inside(self, opened: OpenFile, fields: Mapping[str, Any]) -> MutableSequence[Any]:
        holder, path = self._holder(fields), self._mapper.mapping.list_path
        place = opened.places.get((holder.get_type(), holder.get_unique_id()))
        if place is None:
            raise ValueError(f"{opened.name} has no {holder.get_type()} {holder.get_unique_id()!r}.")
        if not is_plain(path):
            raise ValueError(f"A record cannot be added at {path!r}: give a plain path, such as `interfaces[]`.")
        found: MutableSequence[Any] | None = compile_getter(path)(place.record, None)
        if found is None:
            compile_setter(path)(place.record, [])
            found = compile_getter(path)(place.record, None)
        assert found is not None  # noqa: S101  # for the type checker: it was put there
        return found


def _field(fields: Mapping[str, Any], name: str) -> Any:
    if name not in fields:
        raise ValueError(f"`file` names the field {name!r}, which is not written.")
    return fields[name]


def _as_name(value: Any) -> str:
    """Return a value as part of a file's name, without parts that name another folder."""
    return re.sub(r"[^\w.\- ]+", "_", str(value)).strip(". ") or "_"


def _merge(record: Any, payload: Mapping[str, Any]) -> None:
    for key, value in payload.items():
        if isinstance(value, Mapping) and isinstance(record.get(key), Mapping):
            _merge(record[key], value)
        else:
            record[key] = value
