"""Each method of a program that diffsync calls is called here too, with the same result.

Hypothesis chooses the overridden methods, the objects and the steps; diffsync runs the same program for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.behaviour.api import IS_REFERENCE, LocalStore
from tests.behaviour.twin import OVERRIDES, Reference, results_of

pytestmark = pytest.mark.skipif(IS_REFERENCE, reason="it compares with the reference by itself")

NAMES = st.sampled_from(["a", "b", "B", ".hidden"])
WORDS = st.sampled_from(["r", "R", "s"])
SITES = st.dictionaries(NAMES, st.tuples(WORDS, st.dictionaries(NAMES, WORDS, max_size=2)), max_size=3)
MODELS = st.sampled_from(["site", "device"])
ASKED = ["get_identifiers", "get_attrs", "get_unique_id", "get_shortname", "str", "json", "dict", "__str__", "__repr__"]
FLAGS = st.sampled_from([0, 0, 1, 2, 4, 6])

STEPS = st.one_of(
    st.tuples(st.just("ask_object"), st.sampled_from(ASKED), MODELS, NAMES),
    st.tuples(st.just("ask_stored"), st.sampled_from(ASKED), MODELS, st.integers(0, 3)),
    st.tuples(st.just("show"), MODELS, NAMES),
    st.tuples(st.just("children"), NAMES),
    st.tuples(st.just("status")),
    st.tuples(st.just("crud")),
    st.tuples(st.just("get"), MODELS, NAMES, st.sampled_from(["get", "get_or_none"])),
    st.tuples(st.just("get_all"), MODELS),
    st.tuples(st.just("get_by_uids"), MODELS, st.lists(NAMES, max_size=2)),
    st.tuples(st.just("count"), st.sampled_from([None, "site"])),
    st.tuples(st.just("add"), MODELS, NAMES),
    st.tuples(st.just("update"), MODELS, NAMES),
    st.tuples(st.just("remove"), MODELS, st.integers(0, 3), st.booleans()),
    st.tuples(st.just("instantiate"), st.sampled_from(["get_or_instantiate", "update_or_instantiate"]), NAMES),
    st.tuples(
        st.just("instance"), st.sampled_from(["get_or_add_model_instance", "update_or_add_model_instance"]), NAMES
    ),
    st.tuples(st.just("tell")),
    st.tuples(st.just("reload")),
    st.tuples(st.just("diff"), st.sampled_from(["diff_from", "diff_to"]), FLAGS),
    st.tuples(st.just("sync"), st.sampled_from(["sync_from", "sync_to"]), FLAGS),
)


KNOWN = {"adapter.__len__", "store.count"}
"""Whether there is anything at all need not be asked."""
EMPTY = {"store.get_all"}
"""A model without objects need not be read. diffsync remembers its name once a diff has asked for it, and reads it again."""


@pytest.fixture(scope="module")
def reference(diffsync_dir: Path) -> Iterator[Reference]:
    with Reference(diffsync_dir) as started:
        yield started


def check(
    reference: Reference, program: dict[str, Any], passed_over: set[str] = KNOWN, store: type[Any] = LocalStore
) -> None:
    """Compare a program on both libraries; a diff or a sync may omit calls of `passed_over`."""
    ours, theirs = results_of(**program, store=store), reference.results_of(**program)
    steps = program["steps"] if len(ours) == len(program["steps"]) else ["set-up"]
    for step, here, there in zip(steps, ours, theirs, strict=True):
        assert (step, here["given"]) == (step, there["given"])
        assert (step, here["logged"]) == (step, there["logged"])
        missing = set(there["calls"]) - set(here["calls"]) - (passed_over if step[0] in ("diff", "sync") else KNOWN)
        if step[0] == "reload" and not here["given"]:
            missing -= EMPTY
        assert not missing, f"{step} does not call {sorted(missing)}"


@pytest.fixture
def store(request: pytest.FixtureRequest, store_kind: str) -> Iterator[type[Any]]:
    if store_kind == "local":
        yield LocalStore
        return
    from diffsync_store.store.redis import RedisStore

    connection, made = request.getfixturevalue("shared_servers").connection(store_kind), []

    class Store(RedisStore):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, connection=connection, **kwargs)
            made.append(self)

    yield Store
    for each in made:
        each.drop()
        each.close()


@pytest.mark.slow
@given(
    overrides=st.lists(st.sampled_from(OVERRIDES), max_size=3, unique=True),
    source=SITES,
    target=SITES,
    steps=st.lists(STEPS, min_size=1, max_size=6),
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_programs_with_overrides_behave_as_on_diffsync(  # noqa: PLR0917  # hypothesis gives them by place
    reference: Reference, store: type[Any], overrides: list[str], source: Any, target: Any, steps: list[Any]
) -> None:
    # What is equal, or left out by a flag, is not looked at a second time: nothing that was chosen needs to be called.
    check(
        reference, {"overrides": overrides, "source": source, "target": target, "steps": steps}, set(OVERRIDES), store
    )


@pytest.mark.parametrize("step", [["reload"], ["tell"]])
@pytest.mark.parametrize("method", ["diff_from", "diff_to"])
def test_empty_sides_are_read_after_a_diff_as_on_diffsync(reference: Reference, method: str, step: list[str]) -> None:
    steps = [["diff", method, 0], step]
    check(reference, {"overrides": ["store.get_all"], "source": {}, "target": {}, "steps": steps}, set(OVERRIDES))


def test_objects_whose_identifiers_hide_their_shortname_are_compared(reference: Reference, store: type[Any]) -> None:
    source, target = {"a": ("r", {}), "b": ("r", {"B": "s"})}, {"b": ("r", {"b": "s"})}
    for override in ("model.get_identifiers", "model.dict"):
        program = {"overrides": [override], "source": source, "target": target, "steps": [["diff", "diff_from", 0]]}
        check(reference, program, set(OVERRIDES), store)


EVERY_STEP: list[list[Any]] = [
    *(["ask_object", name, model, "a"] for name in ASKED for model in ("site", "device")),
    *(["ask_stored", name, "site", 0] for name in ASKED),
    ["show", "site", "a"], ["show", "device", "a"], ["children", "a"], ["status"], ["crud"],
    ["get", "site", "a", "get"], ["get", "site", "q", "get_or_none"], ["get", "device", "b", "get"],
    ["get_all", "device"], ["get_by_uids", "device", ["a__b"]], ["get_by_uids", "device", ["q"]], ["count", None],
    ["count", "site"], ["tell"], ["reload"],
    ["diff", "diff_from", 0], ["diff", "diff_to", 4], ["instantiate", "get_or_instantiate", "a"],
    ["instantiate", "get_or_instantiate", "new"], ["instantiate", "update_or_instantiate", "a"],
    ["instantiate", "update_or_instantiate", "newer"], ["instance", "get_or_add_model_instance", "a"],
    ["instance", "get_or_add_model_instance", "newest"], ["instance", "update_or_add_model_instance", "a"],
    ["add", "site", "added"], ["add", "site", "a"], ["update", "site", "a"], ["remove", "site", 0, True],
    ["sync", "sync_from", 0], ["diff", "diff_from", 0], ["remove", "site", 0, False], ["sync", "sync_to", 1],
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("override", OVERRIDES)
def test_each_override_is_called_wherever_diffsync_calls_it(reference: Reference, override: str) -> None:
    source = {"a": ("R", {"b": "x", "c": "y"}), "n": ("r", {"b": "x"})}
    target = {"a": ("s", {"b": "X", "d": "y"}), "gone": ("r", {"b": "x"})}
    check(reference, {"overrides": [override], "source": source, "target": target, "steps": EVERY_STEP})
