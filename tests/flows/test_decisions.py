"""What a sync goes by: the adapter that is changed, the guards and the approval are those of the diff's own record."""

import textwrap
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airports.database import SqlAdapter
from diffsync_flows.config.config import Config, read_config
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.sync import find_sync, open_source, open_target
from diffsync_store import StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis.keys import StoreKeys


@pytest.fixture
def config(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    file = tmp_path / "syncs.yaml"
    adapters = "".join(
        f"  {name}: {{class: 'airports.database:SqlAdapter', settings: {{url: 'sqlite:///{tmp_path}/{name}.db'}}}}\n"
        for name in ("src", "staging", "prod")
    )
    file.write_text(
        f"store: {{url: '{redis_url}'}}\nadapters:\n{adapters}"
        + textwrap.dedent("""
            syncs:
              careless: {source: src, target: staging, approval: never}
              careful: {source: src, target: prod, approval: always}
            """)
    )
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(file))
    return read_config()


@pytest.fixture
def diff_id(config: Config) -> Iterator[str]:
    """A diff src → staging of this id, whose stores are ID-src and ID-staging."""
    made = uuid.uuid4().hex
    for name in ("src", "staging"):
        with config.open_store(f"{made}-{name}", name=name) as store, store.loading():
            pass
    with config.open_store(f"{made}-src") as source, config.open_store(f"{made}-staging") as target:
        with config.open_diffs() as diffs:
            diffs.compare(StoredAdapter(source), StoredAdapter(target), made)
        yield made
        source.drop()
        target.drop()


def test_the_adapter_that_is_changed_and_its_approval_are_those_of_the_diff(config: Config, diff_id: str) -> None:
    with open_target(diff_id) as (_, saved, target), open_source(config, saved.record) as source:
        name, declared = find_sync(config, saved.record)
        assert isinstance(target, SqlAdapter)
        assert (name, declared.approval, target.name, source.record().name) == ("careless", "never", "staging", "src")
        assert str(target.engine.url).endswith("staging.db")


@pytest.mark.parametrize("side", ["src", "staging"])
def test_a_store_whose_record_names_another_adapter_than_the_diff_is_refused(
    config: Config, redis_url: str, diff_id: str, side: str
) -> None:
    with closing(RedisDiffs(url=redis_url)) as diffs:
        diffs._redis.hset(StoreKeys(f"{diff_id}-{side}").record, "name", "prod")
        saved = diffs.open(diff_id)
    with (
        pytest.raises(UserError, match=f"says that it is of prod, not of {side}"),
        open_target(diff_id),
        open_source(config, saved.record),
    ):
        pass
