"""Saved diffs from before their elements were compressed: messages name them, and newer diffs stay readable."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from typer.testing import CliRunner

from diffsync_store import Diff, DiffNotFound, DiffUnreadable
from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.serve.api.errors import refusal_of
from diffsync_store.store.redis.keys import DiffKeys
from tests.servers import RedisServer
from tests.store.inventory import Site, sites


def creates(name: str) -> Diff:
    wanted = sites()
    wanted.add(Site(name=name, region="north"))
    wanted.add(Site(name=f"{name}-2", region="north"))
    return sites().diff_from(wanted)


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=redis_url, ttl=3600)) as diffs:
        yield diffs


@pytest.fixture(params=["with an outline", "without an outline"])
def old(request: pytest.FixtureRequest, diffs: RedisDiffs, redis_server: RedisServer) -> Iterator[str]:
    """The id of a diff of two sites, the first of which has this id too: an entry of its list is the JSON of one element."""
    old = f"old-{uuid.uuid4().hex}"
    saved = diffs.open(diffs.save(creates(old), old))
    keys, texts = DiffKeys(old), list(saved.texts())
    with closing(redis_server.client()) as client:
        client.delete(keys.elements)
        client.rpush(keys.elements, *texts)
        if request.param == "without an outline":
            client.delete(keys.outline)
    yield old
    saved.drop()


def test_the_history_of_an_object_leaves_out_an_old_diff(diffs: RedisDiffs, old: str) -> None:
    newer = diffs.save(creates(old))
    assert [entry.record.diff_id for entry in diffs.history("site", old)] == [newer]
    diffs.open(newer).drop()


def test_an_old_diff_is_named_with_the_remedy_which_works(diffs: RedisDiffs, old: str, redis_url: str) -> None:
    saved = diffs.open(old)
    for read in (saved.checksum, lambda: list(saved.operations()), lambda: list(saved.elements_backwards())):
        with pytest.raises(DiffUnreadable, match=f"^Diff '{old}' was saved by another version.* drop {old}`") as caught:
            read()
        assert refusal_of(caught.value, str(caught.value)).status_code == 409
    shown = CliRunner().invoke(app, ["--url", redis_url, "changes", old])
    assert f"diffsync-store drop {old}" in shown.stderr
    assert "lists the saved diffs" not in shown.stderr
    dropped = CliRunner().invoke(app, ["--url", redis_url, "drop", old, "--yes"])
    assert dropped.exit_code == 0, dropped.output
    with pytest.raises(DiffNotFound, match="There is no diff"):
        diffs.open(old)
