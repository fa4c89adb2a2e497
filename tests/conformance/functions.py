"""Functions that yield the records of JSON files, and the adapter of functions as a system under test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.python import PythonAdapter
from tests.conformance.files import JsonUnderTest
from tests.conformance.mapped import MODELS

READ_ONLY = "Functions are only read."


def sites(folder: str) -> Iterator[Any]:
    yield from json.loads((Path(folder) / "sites.json").read_text("utf-8"))


def devices(folder: str) -> Iterator[Any]:
    yield from json.loads((Path(folder) / "devices.json").read_text("utf-8"))


class FunctionsUnderTest(JsonUnderTest):
    """The files are the system; the adapter sees what the functions read from them."""

    cannot = dict.fromkeys(("create", "update", "delete"), READ_ONLY)

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self._of(self.folder, store)

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        return self._of(self.folder / "missing", store)

    def _of(self, folder: Path, store: BaseStore) -> PythonAdapter:
        settings = {"module": __name__, "arguments": {"folder": str(folder)}}
        records = {model: {"from": f"{model}s"} for model in MODELS}
        return PythonAdapter(settings, MODELS, records, internal_storage_engine=store)
