"""The collections in a folder: each file is one, and each folder of files of one format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from diffsync_store.adapters.discovery.collection import Collection
from diffsync_store.adapters.discovery.samples import collection_of, sample
from diffsync_store.adapters.files import FORMATS, FilesAdapter

_MANY = 3
"""A folder with more files of one format is one collection, whose records are in many files."""


class FilesDiscovery:
    """Looks into a folder, or at one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder if folder.is_dir() else folder.parent
        self.settings = {"folder": str(self._folder)}
        only = None if folder.is_dir() else folder.name
        self._sources = dict(self._find(only))

    def names(self) -> Sequence[str]:
        """Return the names of the collections: of files without their ends."""
        return list(self._sources)

    def describe(self, name: str) -> Collection:
        """Return a collection with the fields that its first records have."""
        source = self._sources[name]
        return collection_of(name, source, sample(FilesAdapter, {"folder": self._folder}, {"from": source}))

    def close(self) -> None:
        """Nothing is open."""

    def _find(self, only: str | None) -> Iterator[tuple[str, str]]:
        for folder, paths in sorted(self._by_folder(only).items()):
            by_end: dict[str, list[Path]] = defaultdict(list)
            for path in paths:
                by_end[path.suffix.lower()].append(path)
            for end, same in by_end.items():
                yield from self._collections(folder, end, same)

    def _collections(self, folder: str, end: str, paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
        if folder and len(paths) > _MANY:
            yield folder, f"{folder}/**/*{end}"
            return
        for path in paths:
            yield path.stem, path.relative_to(self._folder).as_posix()

    def _by_folder(self, only: str | None) -> dict[str, list[Path]]:
        """Return the files by their first folder below the root; the files of the root are under an empty name."""
        found: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(self._folder.rglob("*") if only is None else [self._folder / only]):
            relative = path.relative_to(self._folder)
            is_hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not is_hidden and path.suffix.lower() in FORMATS:
                found[relative.parts[0] if len(relative.parts) > 1 else ""].append(path)
        return found
