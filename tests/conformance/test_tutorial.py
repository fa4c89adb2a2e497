"""The adapter of the tutorial, which is also the one of `diffsync-flows init`."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import Adapter, BaseStore
from diffsync_store.testing import Record, Sample, SystemUnderTest
from tests.conformance.redis import OnRedis

FILE = Path(__file__).parents[2] / "flows/diffsync_flows/scaffold/templates/my_adapters.py"
SWITCH = runpy.run_path(str(FILE))["Switch"]


class SwitchUnderTest(SystemUnderTest):
    cannot = {"threads": "The whole file is read and written for each VLAN."}

    def __init__(self, folder: Path) -> None:
        self.file = folder / "switch.json"

    def make_adapter(self, store: BaseStore) -> Adapter:
        adapter: Adapter = SWITCH(file=str(self.file), internal_storage_engine=store)
        return adapter

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        return [{"number": int(number), "name": name} for number, name in self.vlans().items()]

    def put(self, record: Record) -> None:
        self.write({**self.vlans(), str(record.fields["number"]): record.fields["name"]})

    def remove(self, record: Record) -> None:
        self.write({number: name for number, name in self.vlans().items() if number != str(record.fields["number"])})

    def vlans(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.file.read_text("utf-8")) if self.file.exists() else {}
        return found

    def write(self, vlans: dict[str, str]) -> None:
        self.file.write_text(json.dumps(vlans), "utf-8")


class TestSwitch(OnRedis):
    samples = (
        Sample(
            "vlan",
            identifiers=lambda n: {"number": n + 1},
            first={"name": "users"},
            second={"name": "voice"},
            text=("name",),
        ),
    )

    @pytest.fixture
    def system(self, tmp_path: Path) -> SwitchUnderTest:
        return SwitchUnderTest(tmp_path)
