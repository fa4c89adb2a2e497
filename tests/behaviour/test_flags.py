"""Flags of objects and of whole runs.

The source has sites a and s, the target a and d; a differs, and of a's devices x differs, y is new and z is gone.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.behaviour.api import DiffSyncFlags, DiffSyncModelFlags
from tests.behaviour.inventory import Adapters, Device, Inventory, Site, Sites

SOURCE: Sites = {"a": ("r1", {"x": "1", "y": "1"}), "s": ("r1", {"k": "1"})}
TARGET: Sites = {"a": ("r2", {"x": "2", "z": "1"}), "d": ("r1", {"l": "1", "m": "1"})}
OPERATIONS = [
    "update a", "update a__x", "create a__y", "delete a__z", "create s", "create s__k", "delete d", "delete d__l",
    "delete d__m",
]  # fmt: skip

RUN = DiffSyncFlags
OF = DiffSyncModelFlags


class Expected(NamedTuple):
    left_out: set[str]
    """Of the operations."""
    skipped: int

    def __repr__(self) -> str:
        """The same in every process."""
        return f"{len(self.left_out)} left out, {self.skipped} skipped"


def run(adapters: Adapters, source: Inventory, target: Inventory, flags: DiffSyncFlags, expected: Expected) -> None:
    operations = [operation for operation in OPERATIONS if operation not in expected.left_out]
    diff = target.diff_from(source, flags=flags)
    assert diff.summary() == {
        "create": sum(operation.startswith("create") for operation in operations),
        "update": sum(operation.startswith("update") for operation in operations),
        "delete": sum(operation.startswith("delete") for operation in operations),
        "no-change": len(diff) - len(operations),
        "skip": expected.skipped,
    }
    target.sync_from(source, flags=flags)
    assert target.operations() == operations
    assert not target.diff_from(source, flags=flags).has_diffs()


# Flags of a run


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (RUN.NONE, Expected(set(), 0)),
        (RUN.SKIP_UNMATCHED_SRC, Expected({"create a__y", "create s", "create s__k"}, 2)),
        (RUN.SKIP_UNMATCHED_DST, Expected({"delete a__z", "delete d", "delete d__l", "delete d__m"}, 2)),
        (RUN.SKIP_UNMATCHED_BOTH, Expected(set(OPERATIONS) - {"update a", "update a__x"}, 4)),
        (RUN.CONTINUE_ON_FAILURE, Expected(set(), 0)),
        (RUN.LOG_UNCHANGED_RECORDS, Expected(set(), 0)),
        (RUN.SKIP_UNMATCHED_SRC | RUN.SKIP_UNMATCHED_DST, Expected(set(OPERATIONS) - {"update a", "update a__x"}, 4)),
    ],
    ids=str,
)
def test_flags_of_a_run_skip_operations(adapters: Adapters, flags: DiffSyncFlags, expected: Expected) -> None:
    run(adapters, *adapters.pair(SOURCE, TARGET), flags, expected)


def test_the_both_flag_is_source_and_target() -> None:
    assert RUN.SKIP_UNMATCHED_BOTH == RUN.SKIP_UNMATCHED_SRC | RUN.SKIP_UNMATCHED_DST
    assert OF.SKIP_UNMATCHED_BOTH == OF.SKIP_UNMATCHED_SRC | OF.SKIP_UNMATCHED_DST


def test_flags_have_the_values_of_diffsync() -> None:
    assert {flag.name: flag.value for flag in RUN} == {
        "CONTINUE_ON_FAILURE": 1,
        "SKIP_UNMATCHED_SRC": 2,
        "SKIP_UNMATCHED_DST": 4,
        "LOG_UNCHANGED_RECORDS": 8,
    }
    assert {flag.name: flag.value for flag in OF} == {
        "IGNORE": 1,
        "SKIP_CHILDREN_ON_DELETE": 2,
        "SKIP_UNMATCHED_SRC": 4,
        "SKIP_UNMATCHED_DST": 8,
        "NATURAL_DELETION_ORDER": 16,
    }


def test_a_run_may_sync_with_other_flags_than_its_diff(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source, flags=RUN.SKIP_UNMATCHED_DST)
    target.sync_from(source, diff=diff)
    assert target.operations() == [each for each in OPERATIONS if not each.startswith("delete")]


def test_sync_to_takes_flags_too(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    source.sync_to(target, flags=RUN.SKIP_UNMATCHED_BOTH)
    assert target.operations() == ["update a", "update a__x"]


# Flags of an object

NEW_SITE = {"create s", "create s__k"}
OLD_SITE = {"delete d", "delete d__l", "delete d__m"}
COMMON_SITE = {"update a", "update a__x", "create a__y", "delete a__z"}
NOTHING: set[str] = set()

WHERE: dict[str, type[Site | Device]] = {
    "source s": Site, "target d": Site, "source a": Site, "target a": Site,
    "source a__y": Device, "target a__z": Device, "source a__x": Device, "target a__x": Device,
}  # fmt: skip
"""Objects that only one side has, and the two of a pair, at top level and below."""

IGNORED = {
    "source s": Expected(NEW_SITE, 1),
    "target d": Expected(OLD_SITE, 1),
    "source a": Expected(COMMON_SITE, 1),
    "target a": Expected(COMMON_SITE, 1),
    "source a__y": Expected({"create a__y"}, 1),
    "target a__z": Expected({"delete a__z"}, 1),
    "source a__x": Expected({"update a__x"}, 1),
    "target a__x": Expected({"update a__x"}, 1),
}
UNMATCHED_SOURCE = {"source s": Expected(NEW_SITE, 1), "source a__y": Expected({"create a__y"}, 1)}
UNMATCHED_TARGET = {"target d": Expected(OLD_SITE, 1), "target a__z": Expected({"delete a__z"}, 1)}


def set_flags(source: Inventory, target: Inventory, where: str, flags: DiffSyncModelFlags) -> None:
    side, uid = where.split()
    found = {"source": source, "target": target}[side].get(WHERE[where].get_type(), uid)
    found.model_flags = flags


@pytest.mark.parametrize("where", WHERE)
def test_ignore_skips_the_object_and_its_descendants(adapters: Adapters, where: str) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, where, OF.IGNORE)
    run(adapters, source, target, RUN.NONE, IGNORED[where])


def test_ignore_on_both_sides_counts_the_object_once(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, "source a", OF.IGNORE)
    set_flags(source, target, "target a", OF.IGNORE)
    run(adapters, source, target, RUN.NONE, IGNORED["source a"])


def test_an_ignored_pair_counts_as_one_object_processed(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("q", {})})
    set_flags(source, target, "source a", OF.IGNORE)
    assert target.diff_from(source).models_processed == 1


@pytest.mark.parametrize("where", WHERE)
def test_skip_unmatched_src_skips_objects_that_only_the_source_has(adapters: Adapters, where: str) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, where, OF.SKIP_UNMATCHED_SRC)
    run(adapters, source, target, RUN.NONE, UNMATCHED_SOURCE.get(where, Expected(NOTHING, 0)))


@pytest.mark.parametrize("where", WHERE)
def test_skip_unmatched_dst_skips_objects_that_only_the_target_has(adapters: Adapters, where: str) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, where, OF.SKIP_UNMATCHED_DST)
    run(adapters, source, target, RUN.NONE, UNMATCHED_TARGET.get(where, Expected(NOTHING, 0)))


@pytest.mark.parametrize("where", WHERE)
def test_skip_unmatched_both_skips_objects_that_only_one_side_has(adapters: Adapters, where: str) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, where, OF.SKIP_UNMATCHED_BOTH)
    run(adapters, source, target, RUN.NONE, (UNMATCHED_SOURCE | UNMATCHED_TARGET).get(where, Expected(NOTHING, 0)))


@pytest.mark.parametrize("flags", [OF.SKIP_CHILDREN_ON_DELETE, OF.NATURAL_DELETION_ORDER], ids=str)
@pytest.mark.parametrize("where", sorted(WHERE.keys() - {"target d"}))
def test_deletion_flags_have_no_effect_if_no_parent_is_deleted(
    adapters: Adapters, where: str, flags: DiffSyncModelFlags
) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, where, flags)
    run(adapters, source, target, RUN.NONE, Expected(NOTHING, 0))


def test_a_diff_shows_children_that_are_not_deleted_one_by_one(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, "target d", OF.SKIP_CHILDREN_ON_DELETE)
    assert target.diff_from(source).summary()["delete"] == 4


@pytest.mark.parametrize(
    ("flags", "operations"),
    [
        (OF.NONE, ["delete d", "delete d__l", "delete d__m"]),
        (OF.SKIP_CHILDREN_ON_DELETE, ["delete d"]),
        (OF.NATURAL_DELETION_ORDER, ["delete d__l", "delete d__m", "delete d"]),
        (OF.SKIP_CHILDREN_ON_DELETE | OF.NATURAL_DELETION_ORDER, ["delete d"]),
    ],
    ids=str,
)
def test_deletion_flags_decide_how_children_are_deleted(
    adapters: Adapters, flags: DiffSyncModelFlags, operations: list[str]
) -> None:
    source, target = adapters.pair({}, {"d": ("r", {"l": "1", "m": "1"}), "e": ("r", {})})
    set_flags(source, target, "target d", flags)
    target.sync_from(source)
    assert target.operations() == [*operations, "delete e"]
    assert target.count() == 0


def test_natural_deletion_order_of_a_middle_object_applies_to_its_descendants(adapters: Adapters) -> None:
    source, target = adapters.pair({}, {"d": ("r", {"l": "1", "m": "1"})})
    interface = target.interface(device="l", name="e")
    target.add(interface)
    device = target.get(Device, "d__l")
    device.add_child(interface)
    device.model_flags = OF.NATURAL_DELETION_ORDER
    target.sync_from(source)
    assert target.operations() == ["delete d", "delete l__e", "delete d__l", "delete d__m"]


def test_skip_children_on_delete_of_a_middle_object_skips_its_descendants(adapters: Adapters) -> None:
    source, target = adapters.pair({"d": ("r", {})}, {"d": ("r", {"l": "1", "m": "1"})})
    interface = target.interface(device="l", name="e")
    target.add(interface)
    device = target.get(Device, "d__l")
    device.add_child(interface)
    device.model_flags = OF.SKIP_CHILDREN_ON_DELETE
    target.sync_from(source)
    assert target.operations() == ["delete d__l", "delete d__m"]
    assert target.count() == 1
    assert target.get(Site, "d").devices == []


def test_flags_of_a_class_apply_to_all_its_objects(adapters: Adapters) -> None:
    class Kept(Device):
        model_flags: DiffSyncModelFlags = OF.SKIP_UNMATCHED_DST

    class Keeper(Inventory):
        device = Kept

    source, target = adapters.pair(SOURCE, TARGET, target_class=Keeper)
    target.sync_from(source)
    assert "delete a__z" not in target.operations()
    assert [device.name for device in target.get_all(Device)] == ["x", "z", "l", "m", "y", "k"]


def test_a_created_object_has_flags_only_if_create_sets_them(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {})
    source.get(Site, "a").model_flags = OF.SKIP_CHILDREN_ON_DELETE
    target.sync_from(source)
    assert target.get(Site, "a").model_flags == OF.NONE


def test_ignore_may_be_combined_with_other_flags(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    set_flags(source, target, "target d", OF.IGNORE | OF.NATURAL_DELETION_ORDER)
    run(adapters, source, target, RUN.NONE, IGNORED["target d"])
