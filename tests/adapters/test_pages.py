"""The files and tables of the pages about mappings, files and functions are tried as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from diffsync_store.mapping import FieldMapping, ModelDefinition, RecordMapping, build_models
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.transforms import TRANSFORM_NAMES, compile_inverse, compile_transform
from diffsync_store.mapping.types import TYPE_NAMES, payload_form

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def write_files(name: str, folder: Path) -> dict[str, str]:
    """Write the files that a page shows, and return them by name."""
    files = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', page(name), re.MULTILINE | re.DOTALL))
    for file, text in files.items():
        if not file.startswith("report/"):  # what the sync writes
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, "utf-8")
    return files


def run(folder: Path, *words: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), **variables}
    command = [sys.executable, "-m", "diffsync_store.cli", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def table(name: str, first: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this heading."""
    [text] = re.findall(rf"^\| {first} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", page(name), re.MULTILINE)
    return [
        [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
    ]


def test_the_file_of_the_page_of_mappings_runs(tmp_path: Path) -> None:
    files = write_files("mapping.md", tmp_path)
    run(tmp_path, "check")
    assert "5 to create" in run(tmp_path, "plan", "report")
    run(tmp_path, "apply", "report", "--yes")
    assert (tmp_path / "report/devices.csv").read_text("utf-8") == files["report/devices.csv"]
    assert (tmp_path / "report/ports.csv").read_text("utf-8").splitlines()[1:] == [
        "sw1,Gi0/1,1000,True",
        "sw1,Gi0/2,,False",
    ]
    assert "No changes" in run(tmp_path, "plan", "report")


def test_the_own_class_of_the_page_of_mappings_runs(tmp_path: Path) -> None:
    files = write_files("mapping.md", tmp_path)
    text = files["syncs.yaml"].replace("  report:\n    type: files", "  report:\n    class: own:OwnReport")
    (tmp_path / "syncs.yaml").write_text(text, "utf-8")
    assert "new: sw1, sw2" in run(tmp_path, "apply", "report", "--yes")
    assert (tmp_path / "report/devices.csv").read_text("utf-8") == files["report/devices.csv"]


def test_the_file_of_the_page_of_files_runs(tmp_path: Path) -> None:
    files = write_files("adapters/files.md", tmp_path)
    run(tmp_path, "check")
    run(tmp_path, "apply", "sites", "--yes")
    changed = files["sites/Oslo/osl1.yaml"].replace("42", "48") + "  - name: r2\n    units: 42\n"
    assert (tmp_path / "sites/Oslo/osl1.yaml").read_text("utf-8") == changed
    assert (tmp_path / "sites/Bergen/bgo1.yaml").read_text("utf-8") == "name: bgo1\ntown: Bergen\n"
    assert "No changes" in run(tmp_path, "plan", "sites")


def test_the_file_of_the_page_of_functions_runs(tmp_path: Path) -> None:
    write_files("adapters/python.md", tmp_path)
    variables = {"CONTROLLER_URL": "https://controller.example"}
    run(tmp_path, "check", **variables)
    run(tmp_path, "apply", "devices", "--yes", **variables)
    assert (tmp_path / "list/devices.csv").read_text("utf-8") == "name,rack,model\nsw0,0,X1\nsw1,1,X1\n"


def test_every_type_of_the_page_has_the_form_that_it_shows() -> None:
    rows = table("mapping.md", "type")
    assert {row[0] for row in rows if row[0].isidentifier()} == set(TYPE_NAMES)
    for name, example, form in rows:
        definition = ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"field": name}})
        model: Any = build_models({"thing": definition}, DeclaredModel)["thing"]
        assert payload_form(model(name="x", field=json.loads(example)).field) == json.loads(form), name


def test_every_transform_of_the_page_gives_what_it_shows() -> None:
    rows = table("mapping.md", "transform")
    assert {row[0] for row in rows} == set(TRANSFORM_NAMES)
    for name, _, example, given, result, back in rows:
        declared = YAML(typ="safe").load(example)
        assert (declared if isinstance(declared, str) else next(iter(declared))) == name
        found = compile_transform(declared)(json.loads(given))
        assert found == json.loads(result), example
        inverse = compile_inverse(declared)
        assert (inverse is None) == (back == "not"), example
        if inverse is not None:
            assert compile_transform(declared)(inverse(found)) == found, example


def test_every_key_of_a_mapping_is_on_the_page() -> None:
    text = page("mapping.md")
    keys = [*RecordMapping.model_fields, *FieldMapping.model_fields, *ModelDefinition.model_fields]
    assert [key for key in keys if f"`{'from' if key == 'source' else key}`" not in text] == []


@pytest.mark.parametrize("name", ["adapters/files.md", "adapters/python.md"])
def test_the_pages_name_every_setting_and_key(name: str) -> None:
    from diffsync_store.adapters.files import FileRecords, FilesSettings
    from diffsync_store.adapters.python import PythonRecords, PythonSettings

    classes: Any = (FilesSettings, FileRecords) if "files" in name else (PythonSettings, PythonRecords)
    common = RecordMapping.model_fields.keys()
    keys = {key for found in classes for key in found.model_fields if key not in common}
    assert [key for key in keys if f"`{key}`" not in page(name)] == []
