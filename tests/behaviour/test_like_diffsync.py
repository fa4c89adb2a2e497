"""Random programs behave the same on this library and on diffsync: same calls, order, events and results."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from diffsync_store import LocalStore, StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import DiffSyncFlags, StoreState
from diffsync_store.store.redis import RedisStore
from tests.behaviour.api import IS_REFERENCE
from tests.behaviour.twin_programs import FIELDS, MODELS, MOODS, Found, Library, Node, Overrides, Program, Run, order_of

if IS_REFERENCE:
    pytest.skip("compares the two", allow_module_level=True)

KINDS = ("port", "address", "note")


@pytest.fixture(scope="module")
def diffsync(diffsync_dir: Path) -> Iterator[Library]:
    """The package diffsync, imported into this process; the folder has nothing else."""
    sys.path.append(str(diffsync_dir))
    yield Library("diffsync")
    sys.path.remove(str(diffsync_dir))


OURS = Library("diffsync_store")

# Programs

a_side = st.sampled_from([(True, True), (True, True), (True, False), (False, True)])
values = st.tuples(st.integers(0, 3), st.integers(0, 3)) | st.just((0, 0))
model_flags = st.just(0) | st.integers(0, 31)
moods = st.sampled_from((*[""] * 15, *MOODS))


@st.composite
def nodes(draw: st.DrawFn, model: str, name: str, kinds: tuple[str, ...]) -> Node:
    on_source, on_target = draw(a_side)
    below: list[Node] = []
    if model in {"host", "port"}:
        for kind in kinds if model == "host" else [kind for kind in kinds if kind != "port"]:
            most = 2 if model == "host" else 1
            below += [draw(nodes(kind, f"{name}.{kind}{n}", kinds)) for n in range(draw(st.integers(0, most)))]
    return Node(
        model,
        name,
        on_source,
        on_target,
        draw(values),
        (draw(model_flags), draw(model_flags)),
        draw(moods),
        tuple(below),
    )


overrides = st.just(Overrides()) | st.builds(
    Overrides,
    get_all=st.sampled_from(["", "backwards", "hides"]),
    get_by_uids=st.sampled_from(["", "backwards", "hides"]),
    get=st.sampled_from(["", "", "hides"]),
    on=st.sampled_from(["class", "mixin", "object"]),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    kinds = KINDS[: draw(st.integers(2, 3))]
    hosts = tuple(draw(nodes("host", f"h{n}", kinds)) for n in range(draw(st.integers(1, 3))))
    groups = tuple(draw(nodes("group", f"g{n}", kinds)) for n in range(draw(st.integers(0, 2))))
    tops = st.sampled_from([("host",), ("host", "group"), ("group", "host")])
    way = draw(st.sampled_from(["sync_from", "sync_to", "given"]))
    program = Program(
        nodes=hosts + groups,
        kinds=(tuple(draw(st.permutations(kinds))), tuple(draw(st.permutations(kinds)))),
        backwards=(draw(st.booleans()), draw(st.booleans())),
        top_level=(draw(tops), draw(tops)),
        flags=tuple(draw(st.sets(st.sampled_from([flag.name for flag in DiffSyncFlags if flag.name])))),
        orders=draw(st.dictionaries(st.sampled_from(["host", *kinds]), st.sampled_from(["forwards", "backwards"])))
        | draw(st.sampled_from([{}, {"all": "deletes first"}, {"all": "models backwards"}, {"default": "backwards"}])),
        overrides=(draw(overrides), draw(overrides)),
        says=draw(st.sampled_from(["", "", "get_attrs", "get_shortname", "dict", "get_children_mapping"])),
        way=way,
    )
    names = [node.name for node in program.all_nodes()]
    a_name = st.just("") | st.just("") | st.sampled_from(names)
    # Not of a parent: its children would move, and this library orders moves differently.
    a_leaf = st.just("") | st.sampled_from([node.name for node in program.all_nodes() if not node.children] or [""])
    program = replace(program, renamed=(draw(a_leaf), draw(a_leaf)))
    if way == "given":
        program = replace(program, stale=draw(a_name))
    if not draw(st.integers(0, 9)):
        program = replace(program, lost=(draw(a_name), draw(a_name)))
    return program


KEPT_PARENT = Program(
    nodes=(Node("host", "h", on_source=False, flags=(0, 16), fails="none", children=(Node("port", "p"),)),)
)
"""A host of the target only, to be deleted after its port, whose delete fails."""


# Both


def expect_equal(ours: Found, theirs: Found, *, in_memory: bool) -> None:
    """Compare the results of two runs."""
    skips, their_skips = ours.pop("skips"), theirs.pop("skips")
    progress, their_progress = ours.pop("progress"), theirs.pop("progress")
    if ours.pop("is_refused"):  # this library goes on where it may, as after any other exception
        assert theirs["error"] in {"ObjectNotFound", "ObjectAlreadyExists"}
        return
    del theirs["is_refused"]
    assert ours == theirs
    if ours["error"]:
        return
    # Objects with equal digests are counted without being visited, so they are not logged either.
    assert skips == their_skips if in_memory else skips <= their_skips
    diffed, their_diffed = (
        [found for found in expected if found[0] == "diff"] for expected in (progress, their_progress)
    )
    assert diffed[-1:] == their_diffed[-1:]
    synced = [found for found in progress if found[0] == "sync"]
    assert synced[-1:] == [("sync", total, total) for _, _, total in synced[-1:]]
    for counts in (diffed, synced):  # level by level, and of what changes: so the steps are its own
        assert counts == sorted(set(counts))


def import_local(library: Library) -> Any:
    return import_module(f"{library.package}.store.local").LocalStore


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(program=programs())
@example(program=KEPT_PARENT)
def test_a_program_behaves_the_same_in_memory(diffsync: Library, program: Program) -> None:
    theirs = Run(program, diffsync, import_local(diffsync)).do()
    expect_equal(Run(program, OURS, LocalStore).do(), theirs, in_memory=True)


@pytest.fixture
def new_store(redis_url: str) -> Callable[[], RedisStore]:
    return lambda: RedisStore(url=redis_url, store_id=f"test-{uuid.uuid4().hex}")


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=redis_url, ttl=600)) as diffs:
        yield diffs


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(program=programs())
@example(program=KEPT_PARENT)
def test_a_program_behaves_the_same_in_redis(
    diffsync: Library, new_store: Callable[[], RedisStore], diffs: RedisDiffs, program: Program
) -> None:
    theirs = Run(program, diffsync, import_local(diffsync)).do()
    expect_equal_in_redis(program, theirs, new_store)
    plain = replace(program, overrides=(Overrides(), Overrides()), orders={}, way="diff", stale="", lost=("", ""))
    expect_equal_saved_diff(plain, Run(plain, diffsync, import_local(diffsync)).do(), new_store, diffs)


def expect_equal_in_redis(program: Program, theirs: Found, new_store: Callable[[], RedisStore]) -> None:
    run = Run(program, OURS, new_store)
    try:
        expect_equal(run.do(), theirs, in_memory=False)
        for adapter in (run.source, run.target):
            adapter.store.mark(StoreState.COMPLETE)
            with second_store(adapter.store) as second:
                assert content(StoredAdapter(second)) == content(adapter)
    finally:
        drop(run)


def expect_equal_saved_diff(
    program: Program, theirs: Found, new_store: Callable[[], RedisStore], diffs: RedisDiffs
) -> None:
    """Check that a saved diff of the two stores equals the diff of the adapters in memory."""
    run = Run(program, OURS, new_store)
    try:
        for adapter in (run.source, run.target):
            adapter.store.mark(StoreState.COMPLETE)
        source, target = (
            StoredAdapter(second_store(adapter.store), name) for adapter, name in ((run.source, "S"), (run.target, "T"))
        )
        saved = diffs.open(diffs.compare(source, target, flags=program.flags_of(OURS)))
        in_memory, expected = saved.diff(), theirs["diff"]
        assert (in_memory.str(), list(order_of(in_memory))) == (expected["str"], expected["order"])
        assert list(order_of(saved.streamed())) == expected["order"]
        assert json.dumps(in_memory.summary()) == expected["summary"]
        assert json.dumps(in_memory.dict()) == expected["dict"]
        saved.drop()
    finally:
        drop(run)


def second_store(store: RedisStore) -> RedisStore:
    return RedisStore(client=store._redis, store_id=store.store_id)


def content(adapter: Any) -> list[Any]:
    return [
        [obj.name, obj.value, [getattr(obj, name, None) for name in FIELDS.values()], obj.model_flags.value]
        for model in MODELS
        for obj in adapter.store.get_all(model=model)
    ]


def drop(run: Run) -> None:
    for adapter in (run.source, run.target):
        adapter.store.drop()
        adapter.store.close()
