"""The project file as the flows read it, with its JSON Schema and its prefect.yaml."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest
import yaml

from diffsync_flows.cli.export import schema_text
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config, environment, read_config
from diffsync_flows.config.schema import (
    PrefectAdapterEntry,
    PrefectDeclarations,
    PrefectHousekeeping,
    PrefectSyncEntry,
)
from diffsync_flows.deploy.deployment import declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text
from diffsync_store import LocalStore
from diffsync_store.project import ConfigError, Declaration, UserError
from tests.project.files import PLAIN, STORE

EXAMPLE = Path(__file__).parents[3] / "deployments"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "syncs.yaml"
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path))
    return path


def write(path: Path, content: str) -> Config:
    path.write_text(dedent(content), "utf-8")
    return read_config()


def test_the_worked_example_has_no_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("20240316.1", "20260905"):
        (tmp_path / version / "airportsdata").mkdir(parents=True)
    database = f"sqlite:///{tmp_path}/airports.db"
    for name, value in (("REDIS_URL", "redis://x"), ("AIRPORT_RELEASES", str(tmp_path)), ("DATABASE_URL", database)):
        monkeypatch.setenv(name, value)
    config = Config(EXAMPLE / "syncs.yaml")
    check_file(config)
    assert list(config.syncs) == ["airports-2024", "airports-2026"]


def test_variables_come_from_the_environment_of_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL", "of-this-process")
    config = write(path, f"{STORE}adapters: {{a: {{class: '{PLAIN}', settings: {{label: '${{LABEL}}'}}}}}}")
    assert vars(config.make_adapter("a", LocalStore()))["label"] == "of-this-process"


def test_two_adapters_without_a_declared_sync_have_its_defaults(path: Path) -> None:
    name, sync = write(path, STORE).sync_between("a", "b")
    assert (name, sync.approval_timeout, sync.overlap) == ("", 604800, "enqueue")


@pytest.mark.parametrize(
    ("adapter", "sync", "pool"),
    [
        ("", "", "diffsync-reconcile"),
        ("", ", work_pools: {sync: x}", "x"),
        (", work_pool: x", "", "x"),
        (", work_pool: x", ", work_pools: {reconcile: x, diff: x}", "x"),
    ],
)
def test_a_reconcile_whose_steps_run_together_runs_in_their_work_pool(
    path: Path, adapter: str, sync: str, pool: str
) -> None:
    adapters = ", ".join(f"{name}: {{class: '{PLAIN}'{adapter}}}" for name in "ab")
    declared = f"{{source: a, target: b, steps: together{sync}}}"
    config = write(path, f"{STORE}adapters: {{{adapters}}}\nsyncs: {{s: {declared}}}")
    assert {each.full_name: each.work_pool for each in declared_deployments(config)}["reconcile/s"] == pool


def test_a_missing_file_is_an_error_with_its_path(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config()
    assert str(caught.value).startswith(f"{path}: no such file.")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("", "DIFFSYNC_CONFIG is not set"), ("my/syncs.yaml", "DIFFSYNC_CONFIG=my/syncs.yaml is not an absolute path")],
)
def test_a_run_without_an_absolute_path_is_an_error_with_the_variable(
    variable: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prefect's worker starts each run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFSYNC_CONFIG", variable)
    with pytest.raises(UserError, match=rf"^{expected}, .* Set DIFFSYNC_CONFIG to the absolute path of the YAML file"):
        read_config()


@pytest.mark.slow
def test_the_file_can_be_checked_from_the_command_line(path: Path) -> None:
    path.write_text(STORE + "adapters: {a: {class: no.such:Class}}", "utf-8")
    command = [sys.executable, "-m", "diffsync_flows", "check"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    message = "cannot import no.such: No module named 'no'. Install its package, or add its folder to PYTHONPATH."
    assert done.stderr.strip() == f"{path}:2:16: adapters.a.class: {message}"


def test_the_committed_schema_is_up_to_date() -> None:
    assert (EXAMPLE / "syncs.schema.json").read_text("utf-8") == schema_text()


def test_the_committed_prefect_yaml_has_the_same_deployments() -> None:
    config = Config(EXAMPLE / "syncs.yaml")
    assert (EXAMPLE / "prefect.yaml").read_text("utf-8") == prefect_yaml_text(
        declared_deployments(config), "syncs.yaml"
    )


def test_the_example_is_valid_by_the_schema() -> None:
    jsonschema.validate(yaml.safe_load((EXAMPLE / "syncs.yaml").read_text("utf-8")), json.loads(schema_text()))


@pytest.mark.parametrize(
    ("interval", "fits"), [("1h30m", True), (60, True), ("1.5h", False), ("90", False), (0, False)]
)
def test_the_schema_describes_durations(interval: object, fits: bool) -> None:
    content = {
        "store": {"url": "redis://x"},
        "adapters": {"a": {"class": "m:C", "schedule": {"interval": interval}}},
    }
    assert jsonschema.Draft202012Validator(json.loads(schema_text())).is_valid(content) is fits


@pytest.mark.parametrize("part", [PrefectDeclarations, PrefectAdapterEntry, PrefectSyncEntry, PrefectHousekeeping])
def test_the_library_accepts_the_keys_of_prefect(part: type[Declaration]) -> None:
    [base] = part.__bases__
    assert issubclass(base, Declaration)
    assert part.model_fields.keys() - base.model_fields.keys() == base.prefect_keys
