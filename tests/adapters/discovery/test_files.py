"""The collections in a folder."""

from pathlib import Path

import pytest

from diffsync_store.adapters.discovery.files import FilesDiscovery


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_each_file_is_a_collection_and_so_is_a_folder_of_many(tmp_path: Path) -> None:
    texts = {f"types/{vendor}/{number}.yaml": "model: x" for vendor in "ab" for number in range(3)}
    texts |= {"sites.csv": "name\nOslo", "notes.txt": "x", ".hidden/a.csv": "x", ".git/b.json": "[]"}
    assert FilesDiscovery(write(tmp_path, texts)).names() == ["sites", "types"]


def test_one_file(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.csv": "name\n1", "b.csv": "name\n1"})
    assert FilesDiscovery(folder / "b.csv").names() == ["b"]


def test_fields_and_keys_of_a_csv_file(tmp_path: Path) -> None:
    text = "site,name,vid,note\nOslo,users,10,\nOslo,voice,20,x\nBergen,users,10,\n"
    found = FilesDiscovery(write(tmp_path, {"vlans.csv": text})).describe("vlans")
    assert [(field.name, field.type, field.may_be_null) for field in found.fields] == [
        ("site", "str", False), ("name", "str", False), ("vid", "int", False), ("note", "str", True)
    ]  # fmt: skip
    assert found.source == "vlans.csv"
    assert ("site", "name") in [tuple(sorted(key, reverse=True)) for key in found.keys]


def test_records_inside_records_become_paths(tmp_path: Path) -> None:
    text = '[{"name": "sw1", "site": {"name": "Oslo", "region": {"name": "N"}}, "tags": ["a"]}]'
    found = FilesDiscovery(write(tmp_path, {"devices.json": text})).describe("devices")
    assert {field.name: (field.path, field.type) for field in found.fields} == {
        "name": ("name", "str"),
        "site_name": ("site.name", "str"),
        "site_region": ("site.region", "json"),
        "tags": ("tags", "list[str]"),
    }


def test_a_file_without_records_is_an_error_that_names_it(tmp_path: Path) -> None:
    discovery = FilesDiscovery(write(tmp_path, {"empty.csv": "name,site\n"}))
    with pytest.raises(ValueError, match=r"empty\.csv has no record"):
        discovery.describe("empty")
