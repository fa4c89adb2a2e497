import json
import os
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import Adapter, DiffSyncFlags, LocalStore, StoreState, Sync, SyncOptions
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.mapping import ModelDefinition

MODELS = {
    "device": ModelDefinition.model_validate(
        {
            "identifiers": {"name": "str"},
            "attributes": {"site": "str?", "rack": "int?", "tags": {"type": "list[str]", "default": []}},
        }
    )
}
DEVICES = [{"name": "a", "site": "Oslo", "rack": 1}, {"name": "b", "site": None, "rack": None}]


def adapter_of(folder: Path, records: dict[str, Any] | None = None, **settings: Any) -> FilesAdapter:
    return FilesAdapter({"folder": folder, **settings}, MODELS, {"device": records or {"from": "devices.*"}})


def loaded(adapter: MappedAdapter) -> MappedAdapter:
    with adapter.store.loading():
        adapter.load()
    return adapter


def fail(_handle: int) -> None:
    raise OSError("disk full")


def devices(adapter: Adapter) -> list[dict[str, Any]]:
    return [obj.dict(include={"name", "site", "rack"}) for obj in adapter.get_all("device")]


TEXTS: dict[str, bytes] = {
    "devices.csv": b"name,site,rack\na,Oslo,1\nb,,\n",
    "devices.tsv": b"name\tsite\track\na\tOslo\t1\nb\t\t\n",
    "devices.json": json.dumps(DEVICES).encode(),
    "devices.jsonl": "".join(json.dumps(device) + "\n\n" for device in DEVICES).encode(),
    "devices.yaml": b"- {name: a, site: Oslo, rack: 1}\n- name: b\n",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_every_format_gives_the_same_records(tmp_path: Path, name: str, mark: bytes) -> None:
    (tmp_path / name).write_bytes(mark + TEXTS[name])
    assert devices(loaded(adapter_of(tmp_path))) == DEVICES


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_the_delimiter_of_a_csv_file_is_found(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "devices.csv").write_bytes(TEXTS["devices.csv"].replace(b",", delimiter.encode()))
    assert devices(loaded(adapter_of(tmp_path))) == DEVICES


def test_utf_16_and_other_encodings(tmp_path: Path) -> None:
    text = "name,site\nå,Tromsø\n"
    given: list[tuple[str, dict[str, Any]]] = [("utf-16", {}), ("latin-1", {"encoding": "latin-1"})]
    for encoding, settings in given:
        (tmp_path / "devices.csv").write_bytes(text.encode(encoding))
        assert devices(loaded(adapter_of(tmp_path, None, **settings))) == [
            {"name": "å", "site": "Tromsø", "rack": None}
        ]


def test_a_list_inside_a_file_and_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "oslo.json").write_text(json.dumps({"data": {"devices": [{"name": "a", "rack": 1}]}}))
    records = {
        "from": "**/*.json",
        "items": "data.devices",
        "fields": {"site": "$file.stem", "tags": {"path": "$file.folder", "transforms": [{"split": "/"}]}},
    }
    [device] = loaded(adapter_of(tmp_path, records)).get_all("device")
    assert (device.site, device.tags) == ("oslo", ["no"])


def test_an_inventory_of_ansible(tmp_path: Path) -> None:
    inventory = {
        "_meta": {"hostvars": {"a": {"site": "Oslo"}, "b": {}}},
        "all": {"children": ["switches"]},
        "switches": {"hosts": ["a", "b"]},
        "core": {"hosts": ["a"]},
    }
    (tmp_path / "devices.json").write_text(json.dumps(inventory))
    records = {"from": "devices.json", "fields": {"site": "vars.site", "tags": "groups"}}
    found = loaded(adapter_of(tmp_path, records, format="ansible")).get_all("device")
    assert [(device.name, device.site, device.tags) for device in found] == [
        ("a", "Oslo", ["switches", "core"]),
        ("b", None, ["switches"]),
    ]


BROKEN: dict[str, bytes] = {
    "devices.csv": b"name,site,rack\na,Oslo,1\nb,x\n",
    "devices.json": b'[{"name": "a"}, {"name": ',
    "devices.yaml": b"- name: a\n  name: b\n",
    "devices.jsonl": b'{"name": "a"}\nnonsense\n',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_makes_the_load_partial_and_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    record = loaded(adapter_of(tmp_path)).store.record()
    assert record.state is StoreState.PARTIAL
    assert name in record.reason


def test_a_record_that_does_not_fit_is_rejected_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(
        json.dumps([{"name": "a", "rack": "x"}, {"name": "b"}, {"name": "b"}, "text"])
    )
    adapter = adapter_of(tmp_path)
    record = loaded(adapter).store.record()
    assert [device["name"] for device in devices(adapter)] == ["b"]
    assert [reject.what for reject in record.gaps["device"].rejects] == ["a", "b"]


def test_no_file_at_all_fails_and_files_outside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No file fits 'devices\.\*'"):
        loaded(adapter_of(tmp_path))
    with pytest.raises(ValueError, match="outside of the folder"):
        loaded(adapter_of(tmp_path, {"from": "../*.csv"}))


@pytest.mark.parametrize("name", TEXTS)
def test_a_sync_into_a_file_converges(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "devices.json").write_text(json.dumps([{"name": "b", "site": "Bø", "rack": 2}, {"name": "c", "rack": 3}]))
    (target / name).write_bytes(TEXTS[name])
    records = {"from": "devices.*", "fields": {"tags": {"value": []}}}
    left, right = loaded(adapter_of(source, records)), loaded(adapter_of(target, records))
    result = Sync(right.diff_from(left), left, right, SyncOptions(), flags=DiffSyncFlags.NONE).run()
    assert (result.created, result.updated, result.deleted, result.failed) == (1, 1, 1, 0)
    assert not loaded(adapter_of(target, records)).diff_from(left).has_diffs()
    assert [path.name for path in target.iterdir()] == [name]


def test_comments_and_order_of_a_yaml_file_stay(tmp_path: Path) -> None:
    text = "# the devices\n- name: a # first\n  site: 'Oslo'\n  rack: 1\n\n# second\n- rack: 2\n  name: b\n"
    (tmp_path / "devices.yaml").write_text(text)
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "b")
    assert adapter.update_records(type(device), [(device, {"rack": 7})]) == [device]
    assert (tmp_path / "devices.yaml").read_text() == text.replace("rack: 2", "rack: 7")


def test_a_new_record_goes_to_the_file_that_its_fields_name(tmp_path: Path) -> None:
    (tmp_path / "Oslo").mkdir()
    (tmp_path / "Oslo" / "a.yaml").write_text("name: a\nsite: Oslo\n")
    adapter = loaded(adapter_of(tmp_path, {"from": "*/*.yaml", "file": "$site/$name.yaml"}))
    model = adapter.models["device"]
    [made] = adapter.create_records(model, [({"name": "../x"}, {"site": "Bø"})])
    assert made.name == "../x"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.yaml")) == [
        "Bø/_x.yaml",
        "Oslo/a.yaml",
    ]
    assert [device["name"] for device in devices(loaded(adapter_of(tmp_path, {"from": "*/*.yaml"})))] == ["../x", "a"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "devices.json").write_text(json.dumps(DEVICES))
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "a")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        adapter.update_records(type(device), [(device, {"site": "Bergen"})])
    assert json.loads((tmp_path / "devices.json").read_text()) == DEVICES
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"]


def test_the_store_may_be_any(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_bytes(TEXTS["devices.csv"])
    adapter = FilesAdapter(
        {"folder": tmp_path},
        MODELS,
        {"device": {"from": "*.csv"}},
        name="inventory",
        internal_storage_engine=LocalStore(),
    )
    assert (loaded(adapter).name, len(devices(adapter))) == ("inventory", 2)
