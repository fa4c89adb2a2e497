import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import Adapter, DiffSyncFlags, LocalStore, StoreState, Sync, SyncOptions
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.files.csv_format import CsvFile
from diffsync_store.adapters.files.folder import Folder, fits
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.mapping import ModelDefinition

ROOT = Path(__file__).parents[2]

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
    records = records or {"from": "devices.*"}
    fields = {"site": {"default": None}, "rack": {"default": None}, **records.get("fields", {})}
    return FilesAdapter({"folder": folder, **settings}, MODELS, {"device": {**records, "fields": fields}})


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


@pytest.mark.parametrize("name", ["devices.csv", "devices.parquet"])
def test_a_column_that_is_gone_empties_no_field(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist([{"name": "a", "site": "Oslo"}]), tmp_path / name)
    else:
        (tmp_path / name).write_text("name,site\na,Oslo\n")
    adapter = loaded(FilesAdapter({"folder": tmp_path}, MODELS, {"device": {"from": name}}))
    assert devices(adapter) == []
    [reason] = adapter.store.record().gaps["device"].reasons
    assert reason.startswith(f"{name}: it has no column 'rack'. Its columns are name, site. Correct the path of")
    for fields in ({"rack": {"default": None}}, {"rack": {"read_only": True}}, {"rack": {"value": 7}}):
        adapter = loaded(FilesAdapter({"folder": tmp_path}, MODELS, {"device": {"from": name, "fields": fields}}))
        assert [device["name"] for device in devices(adapter)] == ["a"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"where": "active"}, "'active'. Its columns are name, site, rack. Correct `where: active`"),
        ({"where": "name && status != 'retired'"}, "'status'"),
        (
            {"fields": {"site": "join('-', [site, town.name])"}},
            "'town'. Its columns are name, site, rack. Correct the path",
        ),
        ({"fields": {"site": "town | split(@)[0]"}}, "'town'"),
        ({"where": "status || site", "fields": {"site": "@.site"}}, ""),
    ],
)
def test_a_column_that_an_expression_reads_has_to_be_there(tmp_path: Path, given: dict[str, Any], missing: str) -> None:
    (tmp_path / "devices.csv").write_text("name,site,rack\na,Oslo,1\n")
    record = loaded(adapter_of(tmp_path, {"from": "devices.csv", **given})).store.record()
    assert record.state is (StoreState.PARTIAL if missing else StoreState.COMPLETE)
    assert not missing or f"devices.csv: it has no column {missing}" in record.reason


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


def test_a_record_without_identifiers_is_rejected_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("name,site,rack\n,Oslo,1\na,Oslo,x\n")
    rejects = loaded(adapter_of(tmp_path)).store.record().gaps["device"].rejects
    assert [reject.what for reject in rejects] == ["devices.csv:2", "a"]


def test_a_record_that_does_not_fit_is_rejected_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(
        json.dumps([{"name": "a", "rack": "x"}, {"name": "b"}, {"name": "b"}, "text"])
    )
    adapter = adapter_of(tmp_path)
    record = loaded(adapter).store.record()
    assert [device["name"] for device in devices(adapter)] == ["b"]
    assert [reject.what for reject in record.gaps["device"].rejects] == ["a", "b", "devices.json"]


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
    [refused] = adapter.update_records(type(device), [(device, {"site": "Bergen"})])
    assert "devices.json cannot be written: disk full" in str(refused)
    assert json.loads((tmp_path / "devices.json").read_text()) == DEVICES
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"]


# Faults in files

FAULTS: dict[str, tuple[bytes, str, list[str]]] = {
    "damaged": (b"name,site,rack\na,x,\n\0\0,y,\nc,y,\n", "devices.csv:3 | InvalidFile: it contains a NUL character", ["a", "c"]),
    "short row": (b"name,site\na,x\nb\nc,y\n", "devices.csv:3 | InvalidFile: it has 1 cells, and the first line has 2", ["a", "c"]),
    "long row": (b"name,site\na,x\nb,1,2\nc,y\n", "devices.csv:3 | InvalidFile: it has 3 cells, and the first line has 2", ["a", "c"]),
    "quote": (b'name,site\na,x\n"b"b,y\nc,y\n', "devices.csv:3 | InvalidFile: ',' expected after '\"'", ["a", "c"]),
    "after line breaks": (b'name,site\n"a\n\nb",x\nb\n', "devices.csv:5 | InvalidFile: it has 1 cells", ["a\n\nb"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_bad_row_is_rejected_with_its_line_and_the_others_are_read(tmp_path: Path, case: str) -> None:
    text, message, names = FAULTS[case]
    (tmp_path / "devices.csv").write_bytes(text)
    adapter = loaded(adapter_of(tmp_path))
    [reject] = adapter.store.record().gaps["device"].rejects
    assert f"{reject.what} | {reject.reason}".startswith(message)
    assert [device["name"] for device in devices(adapter)] == names


UNREADABLE: list[tuple[str, bytes, str]] = [
    ("devices.csv", b"", "devices.csv: it is empty"),
    ("devices.csv", b"\n", "devices.csv:1: it is blank"),
    ("devices.csv", b"site, name,rack,\nx,a,1,\n", "Its columns are site, ' name', rack, ''. "),
    ("devices.csv", b"name,name\na,b\n", "devices.csv:1: it has the column 'name' twice"),
    ("devices.csv", b'name,site\na,x\n"b,y\n', "devices.csv:3: a quoted cell has no closing quote"),
    ("devices.csv", "name\n\u00e5\n".encode("latin-1"), "devices.csv: it is not text in utf-8"),
    ("devices.json", b'[{"name": "a"},\n {"name": ]', "devices.json:2: it is not valid JSON: Expecting value"),
    ("devices.json", b"", "devices.json:1: it is not valid JSON"),
    ("devices.yaml", b"", "devices.yaml: it is empty"),
    ("devices.yaml", b"- name: a\n- name: 'b\n", "devices.yaml:3: it is not valid YAML"),
    ("devices.yaml", b"- name: a\n  name: b\n", "devices.yaml:2: it is not valid YAML: the key 'name' occurs twice"),
    ("devices.yaml", b"- {name: a, x: !python/object:os.system x}", "devices.yaml:1: it is not valid YAML: the tag"),
    ("devices.yaml", b"[" * 100_000, "devices.yaml: it is nested too deeply"),
    ("devices.parquet", b"PAR1", "devices.parquet: it is not valid Parquet"),
]


@pytest.mark.parametrize(("name", "text", "message"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_with_the_line(
    tmp_path: Path, name: str, text: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(text)
    (tmp_path / "devices.b.json").write_text('[{"name": "other"}]')
    adapter = loaded(adapter_of(tmp_path))
    record = adapter.store.record()
    assert record.state is StoreState.PARTIAL
    assert message in record.reason
    assert "other" in [device["name"] for device in devices(adapter)]


def test_a_line_of_json_lines_is_rejected_alone(tmp_path: Path) -> None:
    (tmp_path / "devices.jsonl").write_text('{"name": "a"}\nnonsense\n\n[1]\n{"name": "b"}\n')
    adapter = loaded(adapter_of(tmp_path))
    rejects = adapter.store.record().gaps["device"].rejects
    assert [reject.what for reject in rejects] == ["devices.jsonl:2", "devices.jsonl:4"]
    assert [device["name"] for device in devices(adapter)] == ["a", "b"]


def test_two_files_with_one_record_are_one_reject_that_names_both(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("name: a\n")
    adapter = loaded(adapter_of(tmp_path, {"from": "*.yaml"}))
    [reject] = adapter.store.record().gaps["device"].rejects
    assert reject.what == "a"
    assert "it is in one.yaml and in two.yaml. The first one counts." in reject.reason


def test_a_symbolic_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.json").write_text('{"name": "secret"}')
    (folder / "devices.link.json").symlink_to(outside / "secret.json")
    (folder / "devices.a.json").write_text('{"name": "a"}')
    (folder / "devices.b.json").symlink_to(folder / "devices.a.json")
    (folder / "there").symlink_to(outside)
    adapter = loaded(adapter_of(folder))
    assert (
        "devices.link.json: devices.link.json leads out of the folder by a symbolic link"
        in adapter.store.record().reason
    )
    assert [device["name"] for device in devices(adapter)] == ["a"]
    writer = loaded(adapter_of(folder, {"from": "**/*.json", "file": "there/$name.json"}))
    [refused] = writer.create_records(writer.models["device"], [({"name": "x"}, {})])
    assert "leads out of the folder" in str(refused)
    assert [path.name for path in outside.iterdir()] == ["secret.json"]


# Reading


def test_line_breaks_quotes_and_the_line_of_excel_are_read(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_bytes(b'sep=;\r\nname;site\r\n"a;""b""\r\n c";" x "\r\n\r\nd;\r\n')
    assert [(device["name"], device["site"]) for device in devices(loaded(adapter_of(tmp_path)))] == [
        ('a;"b"\r\n c', " x "),
        ("d", None),
    ]


def test_a_delimiter_inside_quotes_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text('name;"a,b,c"\nx;1\n')
    assert [device["name"] for device in devices(loaded(adapter_of(tmp_path)))] == ["x"]


def test_yaml_text_that_looks_like_something_else_loses_nothing(tmp_path: Path) -> None:
    names = ["01", "1.10", "1e3", "12:30", "no", "2026-01-02", "0x1f", "+5", ".5", "1_000", "<<"]
    (tmp_path / "devices.yaml").write_text("".join(f"- name: {name}\n" for name in names) + "- {name: 1, rack: 007}\n")
    assert [device["name"] for device in devices(loaded(adapter_of(tmp_path)))] == [*names, "1"]


def test_yaml_anchors_merges_and_documents_are_read(tmp_path: Path) -> None:
    (tmp_path / "devices.yaml").write_text(
        "- &base {name: a, site: x}\n- {<<: *base, name: b}\n---\nname: c\nsite: !!str 1\n---\n"
    )
    assert [(device["name"], device["site"]) for device in devices(loaded(adapter_of(tmp_path)))] == [
        ("a", "x"),
        ("b", "x"),
        ("c", "1"),
    ]


def test_parquet_is_read_in_pieces_and_keeps_its_types(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"name": str(number), "site": None, "rack": number, "tags": ["x"]} for number in range(25_000)]
    schema = arrow.schema(
        [
            ("name", arrow.string()),
            ("site", arrow.string()),
            ("rack", arrow.int16()),
            ("tags", arrow.list_(arrow.string())),
        ]
    )
    parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), tmp_path / "devices.parquet")
    adapter = loaded(adapter_of(tmp_path))
    assert adapter.count("device") == 25_000
    device = adapter.get("device", "7")
    assert adapter.update_records(type(device), [(device, {"rack": 9})]) == [device]
    [bad] = adapter.update_records(type(device), [(device, {"rack": 100_000})])
    assert "100000" in str(bad)
    assert parquet.read_schema(tmp_path / "devices.parquet") == schema
    assert loaded(adapter_of(tmp_path)).get("device", "7").rack == 9


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "devices.parquet").write_bytes(b"PAR1")
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'diffsync-store\[parquet\]'"):
        loaded(adapter_of(tmp_path))


def test_groups_of_an_inventory_of_ansible(tmp_path: Path) -> None:
    inventory = {
        "_meta": {"hostvars": {"a": {"site": "Oslo"}}},
        "all": {"children": ["ungrouped", "switches"]},
        "switches": {"children": ["core"], "vars": {"x": 1}},
        "core": {"hosts": ["a"]},
        "ungrouped": {"hosts": ["b"]},
    }
    (tmp_path / "devices.json").write_text(json.dumps(inventory))
    hosts = {"from": "devices.json", "fields": {"site": "vars.site", "tags": "all_groups"}}
    assert [
        (device.name, device.site, device.tags)
        for device in loaded(adapter_of(tmp_path, hosts, format="ansible")).get_all("device")
    ] == [
        ("a", "Oslo", ["core", "switches"]),
        ("b", None, ["ungrouped"]),
    ]
    groups = {"from": "devices.json", "items": "groups", "fields": {"site": "parents[0]", "tags": "children"}}
    adapter = loaded(adapter_of(tmp_path, groups, format="ansible"))
    assert [(device.name, device.site, device.tags) for device in adapter.get_all("device")][1:3] == [
        ("switches", "all", ["core"]),
        ("core", "switches", []),
    ]
    device = adapter.get("device", "core")
    [refused] = adapter.update_records(type(device), [(device, {"site": "x"})])
    assert "is read-only" in str(refused)


def test_a_large_csv_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "devices.csv").open("w") as file:
        file.write("name,site\n")
        file.writelines(f"device-{number},{'x' * 200}\n" for number in range(50_000))
    adapter = adapter_of(tmp_path)
    tracemalloc.start()
    assert sum(1 for _ in adapter.read(adapter.mappers["device"])) == 50_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000


def test_models_of_the_same_records_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    rows = CsvFile.rows

    def counted(file: CsvFile) -> Any:
        read.append(file.path.name)
        return rows(file)

    monkeypatch.setattr(CsvFile, "rows", counted)
    (tmp_path / "racks.csv").write_text("site,town,name,units\na,Oslo,1,42\nb,,1,x\nshort\na,Oslo,2,\n")
    records: dict[str, Any] = {
        "site": {"from": "racks.csv", "distinct": True, "fields": {"name": "site"}},
        "rack": {"from": "racks.csv"},
    }
    adapter = loaded(FilesAdapter({"folder": tmp_path}, SITES, records))
    assert read == ["racks.csv"]
    assert [rack.get_unique_id() for rack in adapter.get_all("rack")] == ["a__1", "a__2"]
    gaps = adapter.store.record().gaps
    assert [[reject.what for reject in gaps[model].rejects] for model in ("site", "rack")] == [
        ["racks.csv:4"],
        ["b__1", "racks.csv:4"],
    ]
    where = {"site": {**records["site"], "where": "town"}, "rack": records["rack"]}
    assert loaded(FilesAdapter({"folder": tmp_path}, SITES, where)).count("site") == 1
    assert len(read) == 3


# Writing

SITES = {
    name: ModelDefinition.model_validate(found)
    for name, found in {
        "site": {"identifiers": {"name": "str"}, "attributes": {"town": "str?"}, "children": ["rack"]},
        "rack": {
            "identifiers": {"site": "str", "name": "str"},
            "attributes": {"units": "int?"},
            "references": {"site": "site"},
        },
    }.items()
}
SITE_RECORDS: dict[str, Any] = {"site": {"from": "*.yaml", "file": "$name.yaml"}, "rack": {"from": "racks[]"}}


def sync(source: MappedAdapter, target: MappedAdapter, **options: Any) -> Any:
    return Sync(target.diff_from(source), source, target, SyncOptions(**options), flags=DiffSyncFlags.NONE).run()


@pytest.mark.parametrize("batch_size", [1, 100])
def test_lists_inside_records_are_written_too(tmp_path: Path, batch_size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "all.yaml").write_text(
        "- {name: a, town: Oslo, racks: [{name: '1', units: 42}, {name: '3'}]}\n- {name: b, racks: [{name: '1'}]}\n- {name: d}\n"
    )
    (target / "a.yaml").write_text(
        "---\n# site a\nname: a\ntown: 'Oslo'\nracks:\n  - name: '1' # first\n    units: 40\n  - name: '2'\n    units: 10\n"
    )
    (target / "c.yaml").write_text("name: c\nracks:\n- name: x\n")
    (target / "d.yaml").write_text("name: d\n")
    left = loaded(FilesAdapter({"folder": source}, SITES, {"site": {"from": "all.yaml"}, "rack": {"from": "racks[]"}}))
    right = loaded(FilesAdapter({"folder": target}, SITES, SITE_RECORDS))
    result = sync(left, right, batch_size=batch_size)
    assert (result.created, result.updated, result.deleted, result.failed) == (3, 1, 3, 0)
    again = loaded(FilesAdapter({"folder": target}, SITES, SITE_RECORDS))
    assert not again.diff_from(left).has_diffs()
    assert sorted(path.name for path in target.iterdir()) == ["a.yaml", "b.yaml", "d.yaml"]
    text = (target / "a.yaml").read_text()
    assert text.startswith("---\n# site a\nname: a\ntown: 'Oslo'\nracks:\n  - name: '1' # first\n    units: 42\n  - ")


def test_lists_three_deep_are_written_by_the_fields_of_their_parents(tmp_path: Path) -> None:
    declared = {
        "site": {"identifiers": {"name": "str"}, "children": ["rack"]},
        "rack": {"identifiers": {"site": "str", "name": "str"}, "children": ["slot"]},
        "slot": {"identifiers": {"site": "str", "rack": "str", "name": "str"}, "children": ["port"]},
        "port": {
            "identifiers": {"site": "str", "rack": "str", "slot": "str", "name": "str"},
            "attributes": {"speed": "int?"},
        },
    }
    models = {name: ModelDefinition.model_validate(model) for name, model in declared.items()}
    records = {
        "site": {"from": "*.yaml", "file": "$name.yaml", "optional": True},
        "rack": {"from": "racks[]", "fields": {"site": "$parent.name"}},
        "slot": {"from": "slots[]", "fields": {"site": "$parent.site", "rack": "$parent.name"}},
        "port": {
            "from": "ports[]",
            "fields": {"site": "$parent.site", "rack": "$parent.rack", "slot": "$parent.name"},
        },
    }
    (tmp_path / "one").mkdir()
    text = "name: a\nracks:\n- name: r\n  slots:\n  - name: s\n    ports:\n    - name: å__1\n      speed: 1\n"
    (tmp_path / "one" / "a.yaml").write_text(text)
    source = loaded(FilesAdapter({"folder": tmp_path / "one"}, models, records))
    target = loaded(FilesAdapter({"folder": tmp_path / "two"}, models, records))
    result = sync(source, target)
    assert (result.created, result.failed) == (4, 0)
    assert (tmp_path / "two" / "a.yaml").read_text() == text


@pytest.mark.parametrize("name", ["folder", "settings", "store"])
def test_a_model_cannot_have_the_name_of_an_attribute(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"A model cannot be called '{name}': FilesAdapter has a member of this name"):
        FilesAdapter({"folder": tmp_path}, {name: MODELS["device"]}, {name: {"from": "x.yaml"}})


def test_records_are_looked_up_in_files_and_in_lists_inside_records(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{name: a, town: Oslo, racks: [{name: '1', units: 42}, {name: '2'}]}")
    (tmp_path / "b.yaml").write_text("{name: b}")
    adapter = loaded(FilesAdapter({"folder": tmp_path}, SITES, SITE_RECORDS))
    (tmp_path / "b.yaml").write_text("{name: b, racks: [{name: '1', units: '7'}]}")
    assert adapter.look_up_records(adapter.models["site"], [{"name": "b"}, {"name": "c"}]) == [
        {"town": None, "system_id": "b.yaml"},
        None,
    ]
    racks = [{"site": site, "name": name} for site, name in (("b", "1"), ("a", "3"), ("a", "1"))]
    assert adapter.look_up_records(adapter.models["rack"], racks) == [
        {"units": 7, "system_id": "b.yaml"},
        None,
        {"units": 42, "system_id": "a.yaml"},
    ]


STYLES = [
    '---\n# top\nname: a\nsite: "Oslo"   # town\ntags:\n  - x\n  - y\nrack: 1\n',
    "name: a\ntags: [x, y]\nsite: null\nrack: 1\n",
    "name: a\nsite: ~\nnote: >\n  folded\n  text\nrack: 1\n",
    "name: a\nsite:\nlong: " + "word " * 60 + "x\nrack: 1\n",
    "name: 'a'\r\nsite: x\r\nrack: 1\r\n",
    "name: a\nrack: 1\nracks:\n- name: x\n  units:\n  - 1\n",
]


@pytest.mark.parametrize("text", STYLES)
def test_only_what_changes_changes_in_a_yaml_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "devices.yaml").write_bytes(text.encode())
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "a")
    assert adapter.update_records(type(device), [(device, {"rack": 2})]) == [device]
    assert (tmp_path / "devices.yaml").read_bytes().decode() == text.replace("rack: 1", "rack: 2")


BREAKS = ["a\rb", "\r", "a\r\nb", "a\nb\n", "\x85", "a\x85b", "\u2028", "a\u2029b", "\x0b", "\x1c", "\ufeffa"]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_breaks_of_lines_inside_of_a_text_are_read_as_they_were_written(tmp_path: Path, name: str, end: str) -> None:
    (tmp_path / name).write_bytes(TEXTS[name].replace(b"\n", end.encode()))
    records = {"from": name, "fields": {"tags": {"read_only": True}}}
    adapter = loaded(adapter_of(tmp_path, records))
    new = [({"name": f"new {text}"}, {"site": text, "rack": 1}) for text in BREAKS]
    assert not [each for each in adapter.create_records(adapter.models["device"], new) if isinstance(each, Exception)]
    device = adapter.get("device", "a")
    assert adapter.update_records(type(device), [(device, {"site": "".join(BREAKS)})]) == [device]
    again = loaded(adapter_of(tmp_path, records))
    assert again.store.record().state is StoreState.COMPLETE
    found = {device["name"]: device["site"] for device in devices(again)}
    assert found == {"a": "".join(BREAKS), "b": None, **{f"new {text}": text for text in BREAKS}}


def test_a_cell_cannot_hold_a_nul_character_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("name,site\n")
    adapter = loaded(adapter_of(tmp_path))
    bad, good = adapter.create_records(
        adapter.models["device"], [({"name": "a"}, {"site": "x\0"}), ({"name": "b"}, {"site": "y"})]
    )
    assert "cannot hold a NUL character ('site')" in str(bad)
    assert good.name == "b"
    assert (tmp_path / "devices.csv").read_text() == "name,site\nb,y\n"


@pytest.mark.parametrize(
    "before",
    [
        b"sep=;\r\nname;site\r\na;x\r\n",
        b"\xef\xbb\xbfname;site\r\na;x\r\nb;\r\n",
        b"site|rack|name\nx|1|a\n||b\n",
        "name,site\na,\u00e5\n".encode("utf-16"),
    ],
)
def test_a_csv_file_keeps_its_form(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "devices.csv").write_bytes(before)
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "a")
    old = device.site
    assert adapter.update_records(type(device), [(device, {"site": "new"})]) == [device]
    assert adapter.update_records(type(device), [(device, {"site": old})]) == [device]
    assert (tmp_path / "devices.csv").read_bytes() == before


def test_a_cell_cannot_hold_a_list_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("name,tags\n")
    adapter = loaded(adapter_of(tmp_path, {"from": "devices.csv"}))
    bad, good = adapter.create_records(
        adapter.models["device"], [({"name": "a"}, {"tags": ["x"]}), ({"name": "b"}, {})]
    )
    assert "cannot hold a list ('tags')" in str(bad)
    assert good.name == "b"
    split = {"from": "devices.csv", "fields": {"tags": {"transforms": [{"split": " "}]}}}
    adapter = loaded(adapter_of(tmp_path, split))
    [made] = adapter.create_records(adapter.models["device"], [({"name": "a"}, {"tags": ["x", "y"]})])
    assert (tmp_path / "devices.csv").read_text() == "name,tags\nb,\na,x y\n"
    assert loaded(adapter_of(tmp_path, split)).get("device", "a").tags == made.tags


def test_lines_that_cannot_be_read_are_not_lost_by_writing(tmp_path: Path) -> None:
    text = "name,site\na,x\nb\n"
    (tmp_path / "devices.csv").write_text(text)
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "a")
    [refused] = adapter.update_records(type(device), [(device, {"site": "y"})])
    assert "it has lines that cannot be read, so it is not changed" in str(refused)
    assert (tmp_path / "devices.csv").read_text() == text


def test_an_empty_list_in_a_cell_is_read_again(tmp_path: Path) -> None:
    models = {
        "device": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"tags": "list[str]"}})
    }
    records = {
        "device": {"from": "devices.csv", "optional": True, "fields": {"tags": {"transforms": [{"split": " "}]}}}
    }
    adapter = loaded(FilesAdapter({"folder": tmp_path}, models, records))
    adapter.create_records(adapter.models["device"], [({"name": "a"}, {"tags": []}), ({"name": "b"}, {"tags": ["x"]})])
    again = loaded(FilesAdapter({"folder": tmp_path}, models, records))
    assert {device.name: device.tags for device in again.get_all("device")} == {"a": [], "b": ["x"]}


def test_a_file_that_may_be_missing_is_made(tmp_path: Path) -> None:
    for name in ("devices.csv", "devices.json", "devices.yaml", "sub/devices.jsonl"):
        adapter = loaded(
            adapter_of(tmp_path, {"from": name, "optional": True, "fields": {"tags": {"read_only": True}}})
        )
        answers = adapter.create_records(adapter.models["device"], [({"name": "a"}, {"rack": 1}), ({"name": "b"}, {})])
        assert [device.system_id for device in answers] == [name, name]
        assert [device["rack"] for device in devices(loaded(adapter_of(tmp_path, {"from": name})))] == [1, None]


def test_the_mode_of_a_file_stays_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(json.dumps(DEVICES))
    (tmp_path / "devices.json").chmod(0o640)
    adapter = loaded(adapter_of(tmp_path, {"from": "*.json", "file": "$name.json"}))
    device = adapter.get("device", "a")
    adapter.update_records(type(device), [(device, {"rack": 2})])
    adapter.create_records(type(device), [({"name": "new"}, {})])
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "devices.json").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new.json").stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_another_program_has_written_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(DEVICES))
    adapter = loaded(adapter_of(tmp_path))
    device = adapter.get("device", "a")
    adapter.update_records(type(device), [(device, {"rack": 2})])
    path.write_text(json.dumps([*json.loads(path.read_text()), {"name": "other"}]))
    adapter.update_records(type(device), [(device, {"rack": 3})])
    assert [(record["name"], record.get("rack")) for record in json.loads(path.read_text())] == [
        ("a", 3),
        ("b", None),
        ("other", None),
    ]


def test_a_file_of_new_records_that_the_next_load_would_not_read_is_refused(tmp_path: Path) -> None:
    adapter = adapter_of(tmp_path, {"from": "sites/*.yaml", "file": "$name.yaml", "optional": True})
    [made] = adapter.create_records(adapter.models["device"], [({"name": "a"}, {"site": "Oslo"})])
    assert "`file` gives 'a.yaml', which the next load does not read: it does not fit `from: sites/*.yaml`" in str(made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("{name}.yaml", "{name} is no placeholder. Write $name"),
        ("$nam.yaml", "names the field 'nam', which the model does not have. Did you mean 'name'?"),
    ],
)
def test_a_wrong_name_of_the_file_of_new_records_is_an_error(tmp_path: Path, file: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        adapter_of(tmp_path, {"from": "*.yaml", "file": file})


FILES = ["a.yaml", "x/a.yaml", "x/y/a.yaml", "x/y/b.yml", "x/.hidden.yaml"]


@pytest.mark.parametrize(
    "pattern",
    ["*.yaml", "x/*.yaml", "**/*.yaml", "x/**/*.yaml", "*/[ab].y*", "**/y/*", "a.yaml", "./x/?.yaml", "**/x/**/*"],
)
def test_a_name_fits_a_pattern_if_a_load_finds_it(tmp_path: Path, pattern: str) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder = Folder(tmp_path)
    found = {folder.name_of(path) for path in folder.find(pattern)}
    assert {name for name in FILES if fits(name, pattern)} == found


def create_some(barrier: Barrier, folder: Path, name: str, own: str) -> None:
    adapter = adapter_of(folder, {"from": name, "fields": {"tags": {"read_only": True}}})
    barrier.wait(120)
    for number in range(20):
        [made] = adapter.create_records(adapter.models["device"], [({"name": f"{own}{number}"}, {"site": own})])
        if isinstance(made, Exception):
            raise made


@pytest.mark.parametrize("name", ["devices.csv", "devices.yaml"])
def test_processes_that_change_one_file_lose_nothing(tmp_path: Path, name: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, folder = spawn.Barrier(3), tmp_path / "new"
    writers = [spawn.Process(target=create_some, args=(barrier, folder, name, own)) for own in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    found = [device["name"] for device in devices(loaded(adapter_of(folder, {"from": name})))]
    assert sorted(found) == sorted(f"{own}{number}" for own in "abc" for number in range(20))


def test_threads_write_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("name,rack\n")
    adapter = loaded(adapter_of(tmp_path, {"from": "devices.csv", "fields": {"tags": {"read_only": True}}}))
    model = adapter.models["device"]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: adapter.create_records(model, [({"name": str(number)}, {"rack": number})]), range(100)
            )
        )
    assert sorted(int(device["name"]) for device in devices(loaded(adapter_of(tmp_path)))) == list(range(100))


WRITER = """
import sys
from tests.adapters.test_files import adapter_of, loaded
from pathlib import Path
adapter = loaded(adapter_of(Path(sys.argv[1])))
device = adapter.get("device", "0")
print("ready", flush=True)
for number in range(int(sys.argv[2]), 100_000):
    adapter.update_records(type(device), [(device, {"rack": number})])
"""


def test_a_killed_program_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([{"name": str(number), "rack": 0, "site": "x" * 200} for number in range(2000)]))
    for first, pause in ((1, 0.0), (40_000, 0.02)):
        before = path.read_bytes()
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)], stdout=subprocess.PIPE, cwd=ROOT
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            deadline = time.monotonic() + 100
            while path.read_bytes() == before and time.monotonic() < deadline:
                pass
            time.sleep(pause)
        finally:
            process.kill()
            process.communicate()
        assert len(json.loads(path.read_bytes())) == 2000
        assert path.read_bytes() != before
    assert len(devices(loaded(adapter_of(tmp_path, {"from": "*"})))) == 2000


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
