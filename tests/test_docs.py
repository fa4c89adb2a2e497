"""The examples in the documentation are run unchanged."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', TUTORIAL, re.MULTILINE | re.DOTALL))
PLAIN, WITH_PREFECT, WITH_OWN_CODE = re.findall(
    r'^```yaml title="syncs.yaml"\n(.*?)^```$', TUTORIAL, re.MULTILINE | re.DOTALL
)
PLANS = re.findall(r"^```console\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
SHOWN = re.findall(r"^```text\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in BLOCKS.items():
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with RedisServer("valkey") as server:
        yield server.url


def run(folder: Path, *words: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", **variables}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_tutorial_prints_the_shown_output(folder: Path, redis_url: str) -> None:
    lines = [line for line in run(folder, "try_it.py").splitlines() if not line.startswith("20")]
    assert lines == SHOWN[0].splitlines()
    (folder / "switch.json").write_text('{"10": "default", "30": "lab"}', "utf-8")
    told = run(folder, "three_steps.py", REDIS_URL=redis_url).splitlines()[-1]
    assert told.startswith("{'created': 1, 'updated': 1, 'deleted': 1,")
    assert (folder / "switch.json").read_text("utf-8") == '{"10": "users", "20": "voice"}'


def test_the_adapters_of_the_tutorial_are_those_of_init() -> None:
    template = ROOT / "flows/diffsync_flows/scaffold/templates/my_adapters.py"
    assert BLOCKS["my_adapters.py"] == template.read_text("utf-8")


@pytest.mark.slow
def test_the_tutorial_plans_and_applies_as_shown(folder: Path) -> None:
    (folder / "syncs.yaml").write_text(PLAIN, "utf-8")
    command = ("-m", "diffsync_store.cli")
    assert run(folder, *command, "plan", "vlans").strip() == PLANS[0].strip()
    run(folder, *command, "apply", "vlans", "--yes")
    (folder / "vlans.csv").write_text("number,name\n10,staff\n30,lab\n", "utf-8")
    assert run(folder, *command, "plan", "vlans").strip() == PLANS[1].strip()


@pytest.mark.slow
@pytest.mark.parametrize("content", [WITH_PREFECT, WITH_OWN_CODE], ids=["with Prefect", "with own code"])
def test_the_yaml_files_of_the_tutorial_are_valid(folder: Path, redis_url: str, content: str) -> None:
    (folder / "syncs.yaml").write_text(content, "utf-8")
    variables = {"REDIS_URL": redis_url, "DIFFSYNC_CONFIG": "syncs.yaml"}
    told = run(folder, "-m", "diffsync_flows", "check", **variables)
    assert told == "syncs.yaml: OK (2 adapters, 1 sync)\n"


def test_the_example_of_compared_values_prints_the_shown_output(tmp_path: Path) -> None:
    page = (ROOT / "docs/comparing.md").read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(example, "utf-8")
    assert run(tmp_path, "example.py").splitlines()[-1] == "(no diffs)"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_name_on_a_reference_page_exists(page: Path) -> None:
    for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE):
        assert pkgutil.resolve_name(name), name


def test_the_example_of_the_readme_prints_the_shown_output(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    [program, *_] = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    [shown] = re.findall(r"^```text\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(program, "utf-8")
    printed = run(tmp_path, "example.py")
    assert printed.endswith(shown)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"(?<![\w/*])(?:\w+/)*\w+\.(?:py|lua)\b", (ROOT / page).read_text("utf-8")))
    folders = (ROOT / "diffsync_store", ROOT / "flows", ROOT / "tests")
    files = [path.as_posix() for folder in folders for path in folder.rglob("*.*")]
    assert named
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()


@pytest.mark.slow
def test_the_file_of_the_readme_plans_as_shown(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, language in (("syncs.yaml", "yaml"), ("vlans.csv", "csv")):
        content = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[0]
        (tmp_path / name).write_text(content, "utf-8")
    [shown] = re.findall(r"^```console\n[^\n]*\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert run(tmp_path, "-m", "diffsync_store.cli", "plan", "vlans").strip() == shown.strip()


COMMANDS = {"diffsync_store.cli.commands": "diffsync-store", "diffsync_flows.cli": "diffsync-flows"}


def commands() -> str:
    """Return the page of all commands, as typer writes it."""
    pages = []
    for module, name in COMMANDS.items():
        words = ["-m", "typer", module, "utils", "docs", "--name", name]
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=200
        )
        pages.append(done.stdout.strip())
    return "# Commands\n\n" + re.sub("^#", "##", "\n\n".join(pages), flags=re.MULTILINE) + "\n"


@pytest.mark.slow
def test_the_page_of_the_commands_is_up_to_date() -> None:
    """To update the page, run `python -m tests.test_docs`."""
    assert (ROOT / "docs/reference/commands.md").read_text("utf-8") == commands()


def test_every_page_is_in_the_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f"- {page}" not in listed} == set()


if __name__ == "__main__":
    (ROOT / "docs/reference/commands.md").write_text(commands(), "utf-8")
