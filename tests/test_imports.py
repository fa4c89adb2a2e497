"""Rules for imports, as data. The files are parsed, not imported, so late imports and imports for types count too."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8"), str(path))
    for folder in ("diffsync_store", "flows", "examples", "benchmarks", "tools", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


@dataclass(frozen=True)
class Rule:
    """Files that match `files`, except those that match `unless`, import nothing under `forbidden`."""

    why: str
    files: str
    forbidden: tuple[str, ...]
    unless: str = ""

    def applies_to(self, file: str) -> bool:
        return fnmatch(file, self.files) and not fnmatch(file, self.unless)

    def broken_by(self, module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in self.forbidden)


ABOVE_CONNECTION = tuple(
    f"diffsync_store.store.redis.{name}"
    for name in ("catalog", "diffs", "keys", "leases", "record", "scripts", "store", "writing")
)

RULES = [
    Rule(
        "the library works alone",
        "diffsync_store/*",
        ("prefect", "diffsync_flows", "airports", "tests", "benchmarks", "diffsync"),
    ),
    Rule("only the Redis store knows Redis", "diffsync_store/*", ("redis",), unless="diffsync_store/store/redis/*"),
    Rule("a diff is data", "diffsync_store/diff.py", ("diffsync_store.store",)),
    Rule("enums are data", "diffsync_store/enum.py", ("diffsync_store.store",)),
    Rule("exceptions are data", "diffsync_store/exceptions.py", ("diffsync_store.store",)),
    Rule("a plain sync knows no guards", "diffsync_store/syncer.py", ("diffsync_store.sync",)),
    Rule(
        "a store knows no sync",
        "diffsync_store/store/*",
        ("diffsync_store.sync", "diffsync_store.diffs", "diffsync_store.retention", "diffsync_store.guards"),
    ),
    Rule("a sync knows no saved diffs", "diffsync_store/sync/*", ("diffsync_store.diffs", "diffsync_store.retention")),
    Rule("a connection knows no store", "diffsync_store/store/redis/connection/*", ABOVE_CONNECTION),
    Rule("only a project and files are YAML", "diffsync_store/*", ("ruamel", "yaml"), unless="diffsync_store/[ap]*/*"),
    Rule(
        "only adapters talk to systems",
        "diffsync_store/*",
        ("sqlalchemy", "httpx", "tenacity", "pyarrow"),
        unless="diffsync_store/adapters/*",
    ),
    Rule(
        "only the conformance suite is for pytest", "diffsync_store/*", ("pytest",), unless="diffsync_store/testing/*"
    ),
    Rule("the conformance suite is for any adapter", "diffsync_store/testing/*", ("diffsync_store.adapters",)),
    Rule("a mapping knows no adapter", "diffsync_store/mapping/*", ("diffsync_store.adapter", "diffsync_store.store")),
    Rule("stores do not know each other", "diffsync_store/store/redis/*", ("diffsync_store.store.local",)),
    Rule("stores do not know each other", "diffsync_store/store/local*", ("diffsync_store.store.redis",)),
    Rule("the base store knows no technology", "diffsync_store/store/base.py", ("diffsync_store.store.redis",)),
    Rule("what ships needs no test", "flows/*", ("tests", "benchmarks", "airports")),
    Rule("an example needs no test", "examples/*", ("tests", "benchmarks")),
]

LAYERS = (
    {"enum", "exceptions", "introspection", "printable", "result", "logging", "suggestion"},
    {"_object_store", "_process_lock", "_text_tree"},
    {"_child_index", "_tree_depth", "hooks", "lifecycle", "transient", "values"},
    {"diff", "model", "redaction"},
    {"agents", "compare", "operation", "rules", "selection", "suppression"},
    {"field_rules", "journal", "mapping"},
    {"canary"},
    {"store"},
    {"_adapter_like", "guards"},
    {"sync_elements"},
    {"diffing", "syncer"},
    {"differ"},
    {"adapter"},
    {"helpers", "stored_adapter", "sync"},
    {"diffs"},
    {"report", "retention"},
    {"adapters"},
    {"project", "testing"},
    {"runs"},
    {"notify"},
    {"serve"},
    {"cli"},
)
"""The folders and modules of the library in layers, the lowest first. Each one imports only from lower layers."""

FLOW_LAYERS = (
    {"blocks", "prefect_api"},
    {"config"},
    {"runtime"},
    {"reporting"},
    {"approval"},
    {"steps"},
    {"diff", "housekeeping", "load", "load_shard", "reconcile", "sync", "undo"},
    {"deploy"},
    {"scaffold"},
    {"serving"},
    {"cli"},
    {"__main__"},
)
"""The same for the flows."""

PACKAGES = {"diffsync_store": LAYERS, "diffsync_flows": FLOW_LAYERS}

ENVIRONMENT_READERS = {"flows/diffsync_flows/config/config.py", "diffsync_store/cli/environment.py"}

PUBLIC_MODULES = {
    "diffsync_store",
    "diffsync_store.canary",
    "diffsync_store.cli.asking",
    "diffsync_store.compare",
    "diffsync_store.diff",
    "diffsync_store.enum",
    "diffsync_store.exceptions",
    "diffsync_store.guards",
    "diffsync_store.logging",
    "diffsync_store.notify",
    "diffsync_store.redaction",
    "diffsync_store.lifecycle",
    "diffsync_store.operation",
    "diffsync_store.project",
    "diffsync_store.rules",
    "diffsync_store.store",
    "diffsync_store.store.local",
    "diffsync_store.diffs",
    "diffsync_store.store.record",
    "diffsync_store.store.redis",
    "diffsync_store.retention",
    "diffsync_store.runs",
    "diffsync_store.serve.running",
    "diffsync_store.sync",
    "diffsync_store.sync.convergence",
    "diffsync_store.sync.reject_export",
    "diffsync_store.transient",
    "diffsync_store.printable",
}


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each import as the module and the name taken from it, which is empty for a plain `import`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def imported_modules(tree: ast.Module) -> set[str]:
    """Every module that an import may reach: in `from a import b`, `b` may be one."""
    return {f"{module}.{name}".rstrip(".") for module, name in imports(tree)} | {module for module, _ in imports(tree)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.why}: {rule.files}")
def test_no_file_imports_what_a_rule_forbids(rule: Rule) -> None:
    broken = {
        f"{file} imports {module}"
        for file, tree in SOURCES.items()
        if rule.applies_to(file)
        for module in imported_modules(tree)
        if rule.broken_by(module)
    }
    assert not broken, rule.why


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.why}: {rule.files}")
def test_every_rule_matches_existing_files(rule: Rule) -> None:
    assert any(rule.applies_to(file) for file in SOURCES)


def package_imports(package: str) -> dict[str, set[str]]:
    """The modules of a package, each with those of the package that it imports."""
    modules = {name: tree for file, tree in SOURCES.items() if (name := module_name(file)).split(".")[0] == package}
    return {module: set(imported_from(tree, modules.keys())) - {module} for module, tree in modules.items()}


def imported_from(tree: ast.Module, known: Collection[str]) -> Iterator[str]:
    for module, name in imports(tree):
        yield from [found for found in (f"{module}.{name}", module) if found in known][:1]


def module_name(file: str) -> str:
    return file.removeprefix("flows/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_no_import_cycle(package: str) -> None:
    graph = package_imports(package)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_imports_only_from_lower_layers(package: str) -> None:
    floors = {room: floor for floor, rooms in enumerate(PACKAGES[package]) for room in rooms}
    upwards = {
        (folder_of(module), folder_of(other))
        for module, below in package_imports(package).items()
        for other in below
        if folder_of(module) != folder_of(other)
        if "." in module and "." in other
        if floors[folder_of(module)] <= floors[folder_of(other)]
    }
    assert not upwards


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_has_a_layer(package: str) -> None:
    rooms = {folder_of(module) for module in package_imports(package) if "." in module}
    assert rooms <= set().union(*PACKAGES[package])


def folder_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_flows_use_public_names_only() -> None:
    hidden = {
        f"{file}: {module} {name}"
        for file, tree in SOURCES.items()
        if file.startswith("flows/")
        for module, name in imports(tree)
        if module.split(".")[0] == "diffsync_store" and not is_public(module, name)
    }
    assert not hidden


def is_public(module: str, name: str) -> bool:
    if module not in PUBLIC_MODULES or name.startswith("_"):
        return False
    exported: list[str] = importlib.import_module(module).__all__ if module == "diffsync_store" else [name]
    return not name or name in exported or f"{module}.{name}" in PUBLIC_MODULES


def test_only_one_file_of_each_package_reads_the_environment() -> None:
    readers = {
        file
        for file, tree in SOURCES.items()
        if not file.startswith(("tests/", "benchmarks/", "tools/", "examples/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    }
    assert readers <= ENVIRONMENT_READERS


def test_the_library_starts_without_optional_packages() -> None:
    program = "import sys, diffsync_store; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200)
    assert not {"redis", "prefect", "sqlalchemy", "yaml", "ruamel.yaml", "httpx", "jmespath"} & set(done.stdout.split())


@pytest.mark.parametrize("module", ["store.redis", "diffs"])
def test_without_the_redis_package_the_error_says_what_to_install(module: str) -> None:
    program = f"import sys; sys.modules['redis'] = None; import diffsync_store.{module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=200)
    hint = "ImportError: RedisStore needs the redis package: pip install 'diffsync-store[redis]'"
    assert done.stderr.splitlines()[-1] == hint


def test_every_extra_that_a_message_or_a_page_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    files = [
        *(path for top in ("diffsync_store", "flows", "docs") for path in (ROOT / top).rglob("*")),
        ROOT / "README.md",
    ]
    named = {
        (extra, path.relative_to(ROOT).as_posix())
        for path in files
        if path.suffix in {".py", ".md"}
        for words in re.findall(r"diffsync-store\[([a-z, ]+)\]", path.read_text("utf-8"))
        for extra in words.replace(" ", "").split(",")
    }
    assert len(named) > 20
    assert {(extra, file) for extra, file in named if extra not in extras} == set()
