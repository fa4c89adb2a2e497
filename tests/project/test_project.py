"""A project: the declarations of a file and the stores and adapters from it, without Prefect and the environment."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from diffsync_store import DiffNotFound, DiffSyncFlags, Guards, Limit, Limits, LocalStore, ObjectStoreException
from diffsync_store.project import ConfigError, Declarations, Project, SyncContext, WrongSync, find_problems
from tests.conftest import demand
from tests.project.conftest import Read
from tests.project.files import ADAPTERS, PAIR, PLAIN, STORE
from tests.redis_servers import RedisClusterServers, SentinelServers

ROOT = Path(__file__).parents[2]


def test_a_file_is_read(read: Read, tmp_path: Path) -> None:
    found = read(
        f"""
        store:
          url: redis://127.0.0.1:1
          ttl: 1d
        adapters:
          registry:
            class: tests.airports.registry:AirportsAdapter
            settings: {{folder: {tmp_path}}}
          database:
            class: tests.airports.database:SqlAdapter
        syncs:
          airports:
            source: registry
            target: database
            flags: [CONTINUE_ON_FAILURE, SKIP_UNMATCHED_DST]
            apply: {{workers: 4, backoff: 2s}}
        """
    )
    assert list(find_problems(found)) == []
    assert found.store_settings().ttl == 86400
    assert found.sync("airports").target == "database"
    assert found.flags("registry", "database") == DiffSyncFlags.CONTINUE_ON_FAILURE | DiffSyncFlags.SKIP_UNMATCHED_DST
    options = found.sync("airports").options(retries=1)
    assert (options.workers, options.backoff, options.retries) == (4, 2.0, 1)
    adapter = found.make_adapter("registry", LocalStore())
    assert (type(adapter).__name__, adapter.name) == ("AirportsAdapter", "registry")


PREFECT = f"""{STORE}
adapters:
  a: {{class: '{PLAIN}', schedule: {{cron: 0 2 * * *}}, work_pool: site-a}}
  b: {{class: '{PLAIN}'}}
syncs:
  s:
    source: a
    target: b
    schedule: {{interval: 1h}}
    approval: always
    approval_timeout: 1d
    overlap: skip
    chain: {{diff_after_load: true}}
    work_pools: {{sync: site-b}}
housekeeping: {{schedule: null, work_pool: x, store_retention: 1d}}
metrics: {{pushgateway: http://x}}
"""


def test_the_keys_of_prefect_are_accepted_and_ignored(read: Read) -> None:
    found = read(PREFECT)
    assert list(find_problems(found)) == []
    assert "chain" not in found.sync("s").model_dump()
    assert found.declared.housekeeping.store_retention == 86400
    jsonschema.validate(YAML(typ="safe", pure=True).load(PREFECT), Declarations.model_json_schema())


@pytest.mark.slow
def test_a_project_needs_neither_prefect_nor_the_environment(path: Path) -> None:
    path.write_text(PREFECT)
    program = f"""if True:
        import sys
        from pathlib import Path
        sys.modules["prefect"] = sys.modules["typer"] = sys.modules["yaml"] = None
        from diffsync_store.project import Project, find_problems
        print(list(find_problems(Project(Path({str(path)!r}), {{}}))))
        """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=200, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.slow
def test_without_ruamel_yaml_a_project_says_what_to_install() -> None:
    program = "import sys; sys.modules['ruamel.yaml'] = None; import diffsync_store.project"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=200)
    hint = "ImportError: A project file needs ruamel.yaml: pip install 'diffsync-store[project]'"
    assert done.stderr.splitlines()[-1] == hint


def test_a_store_in_a_block_needs_prefect(read: Read) -> None:
    with pytest.raises(ConfigError, match=r":2:3: store.block: only diffsync-flows can read the Prefect block 'b'"):
        SyncContext(read("store:\n  block: b\n")).stores()


def test_a_file_without_a_store_needs_the_url_of_one(read: Read) -> None:
    found = read("")
    assert list(find_problems(found)) == []
    with pytest.raises(ConfigError, match=r"syncs.yaml:1:1: no `store`. Add the URL of a Redis: `store: {url: ...}`."):
        SyncContext(found).stores()
    with pytest.raises(ObjectStoreException), SyncContext(found, "redis://127.0.0.1:1") as context:
        context.stores()


def test_the_error_of_an_undeclared_adapter_or_sync_lists_the_declared_ones(read: Read) -> None:
    found = read(f"{STORE}adapters: {{a: {{class: '{PLAIN}'}}}}")
    with pytest.raises(ConfigError, match=r"no adapter 'os:system' is declared. Declared: a$"):
        found.make_adapter("os:system", LocalStore())
    with pytest.raises(ConfigError, match=r"no sync 'nightly' is declared. Declared: none$"):
        found.sync("nightly")


def test_variables_come_from_the_given_environment(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "of-this-process")
    settings = "{label: 'https://${HOST}/$${HOST}/$HOST/${DEPTH}', objects: 3}"
    content = f"{STORE}adapters: {{a: {{class: '{PLAIN}', settings: {settings}}}}}"
    adapter = read(content, HOST="db.example", DEPTH="${HOST}").make_adapter("a", LocalStore())
    assert vars(adapter)["label"] == "https://db.example/${HOST}/$HOST/${HOST}"


def test_a_variable_of_an_unused_adapter_may_be_missing(read: Read) -> None:
    found = read(f"{STORE}adapters: {{a: {{class: '{PLAIN}', settings: {{label: '${{NO_LABEL}}'}}}}}}")
    assert list(found.adapters) == ["a"]


def test_settings_become_the_arguments_of_the_class(read: Read) -> None:
    settings = "{folder: /srv, timeout: 3, token: '${TOKEN}'}"
    content = f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:SettledAdapter', settings: {settings}}}}}"
    adapter = vars(read(content, TOKEN="s3cr3t").make_adapter("a", LocalStore()))
    assert (adapter["folder"], adapter["timeout"], adapter["token"].get_secret_value()) == (Path("/srv"), 3, "s3cr3t")


def test_a_setting_that_only_a_base_class_refuses_is_a_problem_when_the_adapter_is_created(read: Read) -> None:
    found = read(f"{STORE}adapters:\n  a:\n    class: {ADAPTERS}:OpenAdapter\n    settings: {{objcts: 3}}")
    assert list(find_problems(found)) == []
    with pytest.raises(ConfigError, match=r":5:5: adapters.a.settings: .*unexpected keyword argument 'objcts'"):
        found.make_adapter("a", LocalStore())


def test_two_adapters_without_a_declared_sync_have_its_defaults(read: Read) -> None:
    found = read(STORE)
    assert found.flags("a", "b") == DiffSyncFlags.CONTINUE_ON_FAILURE
    assert found.guards("a", "b") == Guards()


def test_a_sync_has_the_guards_that_it_declares(read: Read) -> None:
    content = f"""{PAIR.strip()}
    guards:
      completeness: {{allow_empty: [item]}}
      change_limits:
        sync: {{delete: {{absolute: 500}}}}
        models: {{item: {{delete: {{absolute: 0}}}}}}
    """
    guards = read(content).guards("a", "b")
    assert guards.completeness.allow_empty == {"item"}
    assert guards.change_limits.sync == Limits(delete=Limit(absolute=500))
    assert guards.change_limits.models["item"].delete == Limit(absolute=0)


def test_a_diff_of_other_adapters_is_refused_with_the_right_sync(read: Read) -> None:
    content = PAIR.replace("syncs:", f"  c: {{class: '{PLAIN}'}}\nsyncs:\n  other: {{source: b, target: c}}")
    found = read(
        content.replace("adapters: {a:", "adapters:\n  a:").replace("}, b:", "}\n  b:").replace("'}}\n", "'}\n")
    )
    assert found.require_pair("s", "a", "b", "The diff is").source == "a"
    for pair, remedy in (
        (("b", "c"), "Use the sync other."),
        (("b", "a"), "Source and target are swapped: this would change the source of truth."),
        (("a", "c"), "No sync of these two adapters is declared."),
    ):
        with pytest.raises(WrongSync) as caught:
            found.require_pair("s", *pair, "The diff is")
        assert str(caught.value) == f"The diff is {' → '.join(pair)}; the sync s is a → b. {remedy}"


def test_the_error_of_an_unreachable_store_has_its_address(read: Read) -> None:
    found = read("store: {url: 'redis://:hunter22@127.0.0.1:1'}")
    with pytest.raises(ConfigError) as caught:
        SyncContext(found).check_store()
    assert ":1:1: store: Redis store is unavailable. Check that redis://:***@127.0.0.1:1 runs" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://:hunter22@127.0.0.1:1?tiemout=3", ".*'tiemout'"),
        ("http://x", "it must begin with redis://"),
    ],
)
def test_an_invalid_url_of_a_store_is_a_problem(read: Read, url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf":1:1: store: The Redis URL is not valid: {message}") as caught:
        SyncContext(read(f"store: {{url: '{url}'}}")).check_store()
    assert "hunter22" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [RedisClusterServers, lambda: SentinelServers(password="s3/t", sentinel_password="w@t")]
)
def test_a_store_may_be_a_cluster_or_behind_sentinels(
    read: Read, make: Callable[[], RedisClusterServers | SentinelServers]
) -> None:
    with demand(make) as servers:
        found = read("store: {url: '${REDIS_URL}'}", REDIS_URL=servers.url)
        with SyncContext(found) as context, context.open_store("a") as store:
            assert store.count() == 0
            with pytest.raises(DiffNotFound):
                context.diffs().open("a")


def test_a_loaded_store_is_found_under_the_projects_name(read: Read, redis_url: str, store_id: str) -> None:
    content = f"project: {store_id}\nstore: {{url: '{redis_url}'}}\nadapters: {{a: {{class: '{PLAIN}'}}}}\n"
    with SyncContext(read(content)) as context:
        assert context.last_count("a") is None
        with context.open_store(f"{store_id}-1", name="a") as store:
            with store.loading():
                context.project.make_adapter("a", store).load()
            assert context.newest_store("a").store_id == f"{store_id}-1"
            assert context.last_count("a") == 3
            store.drop()


def test_the_worked_example_has_no_problem(tmp_path: Path) -> None:
    for version in ("20240316.1", "20260905"):
        (tmp_path / version / "airportsdata").mkdir(parents=True)
    environment = {
        "REDIS_URL": "redis://x",
        "AIRPORT_RELEASES": str(tmp_path),
        "DATABASE_URL": "sqlite:////srv/airports.db",
    }
    found = Project(ROOT / "deployments" / "syncs.yaml", environment)
    assert list(find_problems(found)) == []
    assert list(found.syncs) == ["airports-2024", "airports-2026"]
