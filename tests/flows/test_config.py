import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from traceback import format_exception
from typing import Any

import jsonschema
import pydantic
import pytest
import yaml
from pydantic import BaseModel, PostgresDsn, SecretBytes, SecretStr

from diffsync_flows.cli.export import schema_text
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config, environment, read_config
from diffsync_flows.config.schema import LONGEST
from diffsync_flows.config.secrets import Secrets
from diffsync_flows.config.yaml_source import ConfigFault
from diffsync_flows.deploy.deployment import declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text
from diffsync_flows.runtime.errors import UserError
from diffsync_store import Adapter, DiffNotFound, DiffSyncFlags, Guards, Limit, Limits, LocalStore, ObjectStoreException
from diffsync_store.redaction import is_secret_name
from tests.conftest import demand
from tests.redis_servers import RedisClusterServers, SentinelServers

STORE = "store: {url: 'redis://127.0.0.1:1'}\n"
SYSTEMS = "tests.flows.systems"
EXAMPLE = Path(__file__).parents[2] / "deployments"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "syncs.yaml"
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path))
    return path


def write(path: Path, content: str) -> Config:
    path.write_text(dedent(content), "utf-8")
    return read_config()


def faults(path: Path, content: str) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        check_file(write(path, content))
    return [fault.removeprefix(f"{path}:") for fault in caught.value.faults]


def test_a_module_that_raises_while_it_is_imported_is_a_fault(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_systems.py").write_text("1 / 0", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = faults(path, STORE + "adapters: {a: {class: broken_systems:Adapter}}")
    told = "broken_systems raises while it is imported: ZeroDivisionError: division by zero"
    assert found == [f"2: adapters.a.class: {told}"]


def test_a_file_is_read(path: Path, tmp_path: Path) -> None:
    config = write(
        path,
        f"""
        store:
          url: redis://127.0.0.1:1
        adapters:
          registry:
            class: airports.registry:AirportsAdapter
            settings: {{folder: {tmp_path}}}
          database:
            class: airports.database:SqlAdapter
        syncs:
          airports:
            source: registry
            target: database
            flags: [CONTINUE_ON_FAILURE, SKIP_UNMATCHED_DST]
        """,
    )
    check_file(config)
    assert config.sync("airports").target == "database"
    assert config.flags("registry", "database") == (
        DiffSyncFlags.CONTINUE_ON_FAILURE | DiffSyncFlags.SKIP_UNMATCHED_DST
    )
    adapter = config.classes.make("registry", LocalStore())
    assert (type(adapter).__name__, adapter.name) == ("AirportsAdapter", "registry")


def test_the_worked_example_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("20240316.1", "20260905"):
        (tmp_path / version / "airportsdata").mkdir(parents=True)
    for name, value in (("REDIS_URL", "redis://x"), ("AIRPORT_RELEASES", str(tmp_path)), ("DATABASE_URL", "sqlite://")):
        monkeypatch.setenv(name, value)
    config = Config(EXAMPLE / "syncs.yaml")
    check_file(config)
    assert list(config.syncs) == ["airports-2024", "airports-2026"]


def test_every_fault_is_named_by_its_line_all_at_once(path: Path) -> None:
    assert faults(
        path,
        """\
        store:
          uri: redis://127.0.0.1
        adapters:
          registry:
            settings: {}
          database:
            class: import os
          "a name":
            class: a:B
        syncs:
          airports:
            source: registry
            target: databse
            flags:
              - CONTINUE_ON_FAILURE
              - CONTINUE_ON_FAIL
            retries: 3
        """,
    ) == [
        "2: store.uri: no such key; 'url' may be meant; there are url, block, ttl",
        "4: adapters.registry.class: is missing, such as my_adapters.netbox:NetBoxAdapter",
        "7: adapters.database.class: a class is given as module:Class, such as my_adapters.netbox:NetBoxAdapter",
        "8: adapters.a name: a name has 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit",
        f"16: syncs.airports.flags.1: no such flag; there are {', '.join(DiffSyncFlags.__members__)}",
        (
            "17: syncs.airports.retries: no such key; there are source, target, description, "
            "schedule, flags, guards, approval, approval_timeout, overlap, retention, apply, chain, work_pools"
        ),
        (
            "13: syncs.airports.target: no adapter 'databse' is declared; 'database' may be meant; there are registry, database, "
            "a name"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "store: [",
            "1: not YAML: expected the node content, but found '<stream end>'; a bracket or a brace is not closed, or a comma is missing",
        ),
        (
            "- store",
            "1: a mapping of project, store, adapters, syncs, housekeeping, metrics is expected; a list was found",
        ),
        ("", "1: store: is missing, such as {url: '${REDIS_URL}'}"),
        ("store: {url: a}\nstore: {url: b}", "2: store: stands twice in the file"),
        (STORE + "adapters: {a: {class: os:getcwd}}", "2: adapters.a.class: os has no adapter class getcwd"),
        (
            STORE + "adapters: {a: {class: no.such:Class}}",
            "2: adapters.a.class: cannot import no.such: No module named 'no'",
        ),
        (
            STORE + "adapters:\n  a:\n    class: airports.database:SqlAdapter\n    settings:\n      uri: x",
            "6: adapters.a.settings.uri: no such key; 'url' may be meant; there are url",
        ),
        (
            STORE + "adapters:\n  a:\n    class: airports.registry:AirportsAdapter\n    settings: {folder: /no/such}",
            "5: adapters.a.settings.folder: Path does not point to a directory",
        ),
        (
            STORE + f"adapters:\n  a:\n    class: {SYSTEMS}:PlainAdapter\n    settings: {{}}".replace("Plain", "Flaky"),
            "5: adapters.a.settings: FlakyAdapter missing a required argument: 'file'",
        ),
        (
            STORE + f"adapters: {{a: {{class: '{SYSTEMS}:PlainAdapter'}}}}\nsyncs: {{s: {{source: a, target: a}}}}",
            "3: syncs.s.target: is the source too",
        ),
    ],
)
def test_a_fault_is_named_by_its_line(path: Path, content: str, expected: str) -> None:
    assert faults(path, content) == [expected]


class OpenAdapter(Adapter):
    """May take anything, as far as it can be seen."""

    def __init__(self, **options: Any) -> None:
        self.options = dict(options)
        super().__init__(**options)


def test_a_setting_that_the_adapter_does_not_take_is_named_by_its_line(path: Path) -> None:
    """Also where only the base class says so, once the adapter is made."""
    config = write(path, f"{STORE}adapters:\n  a:\n    class: {__name__}:OpenAdapter\n    settings: {{objcts: 3}}")
    with pytest.raises(ConfigFault, match=r":5: adapters.a.settings: .*unexpected keyword argument 'objcts'"):
        config.classes.make("a", LocalStore())


def test_two_syncs_of_one_pair_are_a_fault(path: Path) -> None:
    adapters = "".join(f"  {name}: {{class: '{SYSTEMS}:PlainAdapter'}}\n" for name in "ab")
    syncs = "".join(f"  {name}: {{source: a, target: b}}\n" for name in ("first", "second"))
    assert faults(path, f"{STORE}adapters:\n{adapters}syncs:\n{syncs}") == [
        "7: syncs.second: has the same source and target as first"
    ]


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ConfigFault, match=re.escape(f"{path}: no such file; DIFFSYNC_CONFIG names the one to read")):
        read_config()


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("", "DIFFSYNC_CONFIG is not set"), ("my/syncs.yaml", "DIFFSYNC_CONFIG=my/syncs.yaml is not an absolute path")],
)
def test_a_run_without_an_absolute_path_names_the_variable(
    variable: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prefect's worker starts each run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFSYNC_CONFIG", variable)
    with pytest.raises(
        ConfigFault, match=rf"^{expected}, .* Set DIFFSYNC_CONFIG to the absolute path of the YAML file"
    ):
        read_config()


def test_an_adapter_or_sync_that_is_not_declared_is_told_with_those_that_are(path: Path) -> None:
    config = write(path, f"{STORE}adapters: {{a: {{class: '{SYSTEMS}:PlainAdapter'}}}}")
    with pytest.raises(ConfigFault, match=r"no adapter 'os:system' is declared; there are a$"):
        config.classes.make("os:system", LocalStore())
    with pytest.raises(ConfigFault, match=r"no sync 'nightly' is declared; there are none$"):
        config.sync("nightly")


def test_variables_come_from_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "db.example")
    monkeypatch.setenv("DEPTH", "${HOST}")
    settings = "{label: 'https://${HOST}/$${HOST}/$HOST/${DEPTH}', objects: 3}"
    config = write(path, f"{STORE}adapters: {{a: {{class: '{SYSTEMS}:PlainAdapter', settings: {settings}}}}}")
    adapter = config.classes.make("a", LocalStore())
    assert vars(adapter)["label"] == "https://db.example/${HOST}/$HOST/${HOST}"


def test_a_variable_that_is_not_set_is_named_by_its_line(path: Path) -> None:
    content = f"""\
        store:
          url: redis://:${{NO_SUCH_PASSWORD}}@127.0.0.1
        adapters:
          a:
            class: {SYSTEMS}:PlainAdapter
            settings:
              label:
              - ${{NO_SUCH_LABEL}}
        """
    assert faults(path, content) == [
        "2: store.url: the environment has no variable NO_SUCH_PASSWORD",
        "8: adapters.a.settings.label.0: the environment has no variable NO_SUCH_LABEL",
    ]


def test_a_worker_needs_no_variable_of_a_system_that_it_does_not_touch(path: Path) -> None:
    settings = "{label: '${NO_SUCH_LABEL}'}"
    config = write(path, f"{STORE}adapters: {{a: {{class: '{SYSTEMS}:PlainAdapter', settings: {settings}}}}}")
    assert list(config.adapters) == ["a"]


def test_an_import_path_takes_no_variable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASS", "os:system")
    assert faults(path, STORE + "adapters: {a: {class: '${CLASS}'}}")[0].startswith("2: adapters.a.class: ")


def test_flags_of_a_pair_without_a_sync_are_those_of_a_sync_that_states_none(path: Path) -> None:
    assert write(path, STORE).flags("a", "b") == DiffSyncFlags.CONTINUE_ON_FAILURE


@pytest.mark.parametrize("shown", ["pg://me:s3cr3t@host/db", "password is s3cr3t"])
def test_a_secret_is_in_no_message(path: Path, monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    monkeypatch.setenv("URL", "pg://me:s3cr3t@host/db")
    config = write(
        path, f"{STORE}adapters: {{a: {{class: 'airports.database:SqlAdapter', settings: {{url: '${{URL}}'}}}}}}"
    )
    with pytest.raises(Exception, match="a") as caught:  # no such dialect
        config.classes.make("a", LocalStore())
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in config.secrets.redact(shown)
    with pytest.raises(RuntimeError) as redacted, config.secrets.redacted_errors():
        raise ValueError(shown)
    assert "s3cr3t" not in str(redacted.value)
    assert redacted.value.__cause__ is None
    assert "s3cr3t" not in repr(config.adapters)


class Login(BaseModel):
    user: str
    token: SecretStr


class SecretiveAdapter(Adapter):
    class Settings(BaseModel):
        folder: str
        password: str
        logins: list[Login]
        by_site: dict[str, SecretBytes]
        database: PostgresDsn
        note: str

    def __init__(self, *args: Any, **options: Any) -> None:
        self.settings = self.Settings(**{name: options.pop(name) for name in self.Settings.model_fields})
        super().__init__(*args, **options)


def test_what_is_secret_in_an_adapters_settings_is_found_however_deep_and_a_folder_stays_readable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "of-a-variable")
    monkeypatch.setenv("RELEASES", "/srv/releases")
    config = write(
        path,
        f"""\
        {STORE.strip()}
        adapters:
          a:
            class: {__name__}:SecretiveAdapter
            settings:
              folder: ${{RELEASES}}
              password: plainly-written
              logins: [{{user: annette, token: in-a-list}}]
              by_site: {{zurich: in-bytes}}
              database: postgresql://ann:in-a-url@db.example/x
              note: call it with ${{SITE_TOKEN}} please
        """,
    )
    check_file(config)
    secrets = ("plainly-written", "in-a-list", "in-bytes", "in-a-url", "of-a-variable")
    assert [secret for secret in secrets if config.secrets.redact(secret) != "***"] == []
    told = "annette found no /srv/releases at zurich, db.example"
    assert config.secrets.redact(told) == told


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *(
            (name, True)
            for name in ("PASSWORD", "netbox_token", "snmp-community", "api_key", "APIKEY", "enable_secret")
        ),
        *((name, False) for name in ("sort_key", "PASSENGERS", "tokens_per_minute", "keyfile", "auth_type", "")),
    ],
)
def test_a_name_says_that_what_it_holds_is_secret(name: str, is_secret: bool) -> None:
    assert is_secret_name(name) == is_secret


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (ObjectStoreException("in the way: s3cr3t"), UserError, "in the way: ***"),
        (ConnectionResetError("s3cr3t"), ConnectionError, "ConnectionResetError: ***"),
        (KeyError("s3cr3t"), RuntimeError, "KeyError: '***'"),
    ],
)
def test_an_error_without_its_secret_is_mended_or_tried_again_as_before(
    error: Exception, kind: type[Exception], told: str
) -> None:
    secrets = Secrets()
    secrets.keep("s3cr3t")
    with pytest.raises(kind) as caught, secrets.redacted_errors():
        raise error
    assert (type(caught.value), str(caught.value)) == (kind, told)


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://me:s3cr%2F3t@one:6379,two:6379",
        "rediss+sentinel://me:s3cr%2F3t@one,two/service/0?sentinel_password=w%40tcher",
        "unix:///run/redis.sock?db=1&password=s3cr%2F3t",
    ],
)
def test_no_password_of_a_url_of_any_kind_is_shown(url: str) -> None:
    secrets = Secrets()
    secrets.keep(url)
    passwords = ("s3cr/3t", "s3cr%2F3t", *(("w@tcher", "w%40tcher") if "sentinel" in url else ()))
    for shown in (url, *passwords):
        redacted = secrets.redact(f"cannot reach {shown}!")
        assert not [password for password in passwords if password in redacted]


@pytest.mark.parametrize(
    "make", [RedisClusterServers, lambda: SentinelServers(password="s3/t", sentinel_password="w@t")]
)
def test_a_store_may_lie_in_a_cluster_or_behind_sentinels(
    path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], RedisClusterServers | SentinelServers]
) -> None:
    with demand(make) as servers:
        monkeypatch.setenv("REDIS_URL", servers.url)
        config = write(path, "store: {url: '${REDIS_URL}'}")
        with config.open_store("a") as store, config.open_diffs() as diffs:
            assert store.count() == 0
            with pytest.raises(DiffNotFound):
                diffs.open("a")


def test_the_file_can_be_checked_from_the_command_line(path: Path) -> None:
    path.write_text(STORE + "adapters: {a: {class: no.such:Class}}", "utf-8")
    command = [sys.executable, "-m", "diffsync_flows", "check"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{path}:2: adapters.a.class: cannot import no.such: No module named 'no'"


PAIR = f"""
adapters:
  a: {{class: '{SYSTEMS}:PlainAdapter'}}
  b: {{class: '{SYSTEMS}:PlainAdapter'}}
syncs:
  s:
    source: a
    target: b
"""


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("schedule: {cron: '30 25 * * *'}", "schedule: '30 25 * * *' is no cron line: it has five fields, such as 30 2 * * 1-5, or is @daily"),
        ("schedule: {cron: 0 2 * * *, interval: 60}", "schedule: give either cron or interval"),
        ("schedule: {}", "schedule: give either cron or interval"),
        (
            "schedule: {cron: 0 2 * * *, timezone: Europe/Zurch}",
            "schedule.timezone: no such time zone; give an IANA name such as UTC or Europe/Zurich",
        ),
        ("schedule: {interval: -5}", f"schedule.interval: a whole number above 0 and of at most {LONGEST} is expected; found -5"),
        ("schedule: nightly", "schedule: a mapping of cron, interval, timezone, active is expected, such as {cron: 30 2 * * 1-5, timezone: Europe/Zurich}; found 'nightly'"),
        ("approval: sometimes", "approval: 'never', 'deletes' or 'always' is expected; found 'sometimes'"),
        ("overlap: queue", "overlap: 'enqueue' or 'skip' is expected; found 'queue'"),
        ("retention: 0", f"retention: a whole number above 0 and of at most {LONGEST} is expected; found 0"),
        ("apply: {workers: many}", "apply.workers: a whole number above 0 is expected; found 'many'"),
        ("apply: {max_failure_ratio: 20}", "apply.max_failure_ratio: a number of at least 0 and of at most 1 is expected; found 20"),
        (
            "apply: {worker: 2}",
            ("apply.worker: no such key; 'workers' may be meant; there are workers, batch_size, max_calls_per_second, retries, backoff, "
            "max_failure_ratio, failure_ratio_after, deletes_last, lookup_first, trust_journal"),
        ),
        ("chain: {diff_after_load: perhaps}", "chain.diff_after_load: true or false is expected; found 'perhaps'"),
        ("guards: {change_limit: {}}", "guards.change_limit: no such key; 'change_limits' may be meant; there are completeness, change_limits"),
        (
            "guards: {change_limits: {models: {itm: {delete: {absolute: 1}}}}}",
            "guards.change_limits.models: neither a nor b has a model 'itm'; there are item",
        ),
        ("flags: CONTINUE_ON_FAILURE", "flags: a list is expected, such as [CONTINUE_ON_FAILURE]; found 'CONTINUE_ON_FAILURE'"),
    ],
)  # fmt: skip
def test_a_fault_of_a_sync_is_told_in_words_that_mend_it(path: Path, told: str, expected: str) -> None:
    assert faults(path, f"{STORE}{PAIR}    {told}\n") == [f"10: syncs.s.{expected}"]


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("{}", "give a url, or the name of a block, and not both"),
        ("{url: 'redis://x', block: y}", "give a url, or the name of a block, and not both"),
    ],
)
def test_a_store_has_one_url(path: Path, store: str, expected: str) -> None:
    assert faults(path, f"store: {store}") == [f"1: store: {expected}"]


def test_a_store_that_is_not_there_is_told(path: Path) -> None:
    config = write(path, "store: {url: 'redis://:hunter22@127.0.0.1:1'}")
    with pytest.raises(ConfigFault, match=r":1: store: Redis store is unavailable\.") as caught:
        config.reach()
    assert "hunter22" not in str(caught.value)


def test_the_schema_of_the_file_is_the_one_beside_the_example() -> None:
    assert (EXAMPLE / "syncs.schema.json").read_text("utf-8") == schema_text()


def test_the_prefect_yaml_beside_the_example_has_the_same_deployments() -> None:
    config = Config(EXAMPLE / "syncs.yaml")
    assert (EXAMPLE / "prefect.yaml").read_text("utf-8") == prefect_yaml_text(
        declared_deployments(config), "syncs.yaml"
    )


def test_the_example_fits_the_schema() -> None:
    jsonschema.validate(yaml.safe_load((EXAMPLE / "syncs.yaml").read_text("utf-8")), json.loads(schema_text()))


GUARDED = """
    adapters:
      registry: {class: "airports.registry:AirportsAdapter"}
      database: {class: "airports.database:SqlAdapter"}
    syncs:
      airports:
        source: registry
        target: database
        guards:
"""


def test_a_sync_has_the_guards_that_it_declares(path: Path) -> None:
    told = """
          completeness: {allow_empty: [tag]}
          change_limits:
            sync: {delete: {absolute: 500}}
            per_model: {delete: {percent: 5}}
            models: {country: {delete: {absolute: 0}}}
    """
    config = write(path, STORE + dedent(GUARDED + told))
    guards = config.guards("registry", "database")
    assert guards.completeness.allow_empty == {"tag"}
    assert guards.change_limits.sync == Limits(delete=Limit(absolute=500))
    assert guards.change_limits.models["country"].delete == Limit(absolute=0)
    assert config.guards("database", "registry") == Guards()


def test_a_fault_of_a_guard_names_its_line_and_what_is_allowed(path: Path) -> None:
    told = """
          change_limits:
            per_model: {delete: {percent: -5, percents: 5}}
    """
    with pytest.raises(ConfigFault) as caught:
        write(path, STORE + dedent(GUARDED + told))
    assert [fault.removeprefix(f"{path}:") for fault in caught.value.faults] == [
        "13: syncs.airports.guards.change_limits.per_model.delete.percent: a number of at least 0 is expected; found -5",
        (
            "13: syncs.airports.guards.change_limits.per_model.delete.percents: no such key; 'percent' may be meant; there are percent, "
            "absolute, floor"
        ),
    ]


@pytest.mark.parametrize("is_cause", [False, True])
def test_a_record_that_does_not_fit_its_model_is_told_without_its_values(path: Path, *, is_cause: bool) -> None:
    """Pydantic's message has the value that does not fit, and that may be the secret."""

    class Login(pydantic.BaseModel):
        password: int

    def load() -> None:
        try:
            Login.model_validate({"password": "s3cr3t"})
        except pydantic.ValidationError as error:
            if is_cause:
                raise LookupError("no such login") from error
            raise

    config = write(path, STORE)
    with pytest.raises(RuntimeError) as raised, config.secrets.redacted_errors():
        load()
    assert "s3cr3t" not in "".join(format_exception(raised.value))
    assert ("no such login" if is_cause else "password: Input should be a valid integer") in str(raised.value)
