"""A sync uses the adapter, the guards and the approval of the diff's own record."""

import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffsync_flows.config.config import Config, read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import StoredAdapter
from diffsync_store.project import UserError
from diffsync_store.runs import find_sync, open_source, open_target
from diffsync_store.store.redis.keys import StoreKeys
from tests.airports.database import SqlAdapter


@pytest.fixture
def config(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    file = tmp_path / "syncs.yaml"
    adapters = "".join(
        f"  {name}: {{class: 'tests.airports.database:SqlAdapter', settings: {{url: 'sqlite:///{tmp_path}/{name}.db'}}}}\n"
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
def context(config: Config) -> Iterator[SyncContext]:
    with SyncContext(config) as context:
        yield context


@pytest.fixture
def diff_id(context: SyncContext) -> Iterator[str]:
    """Return the id of a diff src → staging, whose stores are ID-src and ID-staging."""
    diff_id = uuid.uuid4().hex
    for name in ("src", "staging"):
        with context.open_store(f"{diff_id}-{name}", name=name) as store, store.loading():
            pass
    with context.open_store(f"{diff_id}-src") as source, context.open_store(f"{diff_id}-staging") as target:
        context.diffs().compare(StoredAdapter(source), StoredAdapter(target), diff_id)
        yield diff_id
        source.drop()
        target.drop()


def test_the_adapter_and_the_approval_are_those_of_the_diffs_record(context: SyncContext, diff_id: str) -> None:
    with open_target(context, diff_id) as (saved, target), open_source(context, saved.record) as source:
        name, declared = find_sync(context.project, saved.record)
        assert isinstance(target, SqlAdapter)
        assert (name, declared.approval, target.name, source.record().name) == ("careless", "never", "staging", "src")
        assert str(target.engine.url).endswith("staging.db")


@pytest.mark.parametrize("side", ["src", "staging"])
def test_a_store_whose_record_names_another_adapter_than_the_diff_is_refused(
    context: SyncContext, diff_id: str, side: str
) -> None:
    context.connection.client.hset(StoreKeys(f"{diff_id}-{side}").record, "name", "prod")
    saved = context.diffs().open(diff_id)
    with (
        pytest.raises(UserError, match=f"names the adapter prod instead of {side}"),
        open_target(context, diff_id),
        open_source(context, saved.record),
    ):
        pass
