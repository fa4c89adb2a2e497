"""The log events that programs read: other projects store them in their own tables."""

from __future__ import annotations

import logging
from typing import Any, Self

import pytest
import structlog
from structlog.testing import capture_logs

from tests.behaviour.api import DiffSyncFlags, DiffSyncStatus, ObjectNotCreated, enable_console_logging
from tests.behaviour.inventory import Adapters, Data, Device, Inventory, Site, Sites

NONE = DiffSyncFlags.NONE
UNCHANGED = DiffSyncFlags.LOG_UNCHANGED_RECORDS
SITES: Sites = {"a": ("r", {"d": "x"})}


class Moody(Device):
    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        if ids["name"] == "refuse":
            raise ObjectNotCreated("out of stock")
        return None if ids["name"] == "none" else super().create(adapter, ids, attrs)


class Moods(Inventory):
    device = Moody


def logged(source: Inventory, target: Inventory, flags: DiffSyncFlags = NONE) -> list[dict[str, Any]]:
    """Return the events of a sync, without those of its diff and without the common fields."""
    diff = target.diff_from(source, flags=flags)
    with capture_logs() as events:
        target.sync_from(source, flags=flags, diff=diff)
    assert all((event.pop("src"), event.pop("dst"), event.pop("flags")) == (source, target, flags) for event in events)
    return [dict(event) for event in events]


def test_a_diff_logs_its_size_its_start_and_its_end(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    with capture_logs() as events:
        target.diff_from(source)
    common = {"src": source, "dst": target, "flags": NONE}
    assert events == [
        {**common, "event": "Diff calculation between these two datasets will involve 2 models", "log_level": "debug"},
        {**common, "event": "Beginning diff calculation", "log_level": "info"},
        {**common, "event": "Diff calculation complete", "log_level": "info"},
    ]


def test_events_contain_the_adapters_and_flags_as_objects(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    with capture_logs() as events:
        target.sync_from(source, flags=UNCHANGED)
    assert {id(event["src"]) for event in events} == {id(source)}
    assert {id(event["dst"]) for event in events} == {id(target)}
    assert [event["flags"] for event in events] == [UNCHANGED] * len(events)


def test_a_sync_logs_its_start_and_its_end(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, SITES)
    assert logged(source, target) == [
        {"event": "Beginning sync", "log_level": "info"},
        {"event": "Sync complete", "log_level": "info"},
    ]


@pytest.mark.parametrize(
    ("source_sites", "target_sites", "operation", "message"),
    [
        (
            {"a": ("r", {})},
            {},
            {"action": "create", "diffs": {"+": {"region": "r", "tags": []}}},
            "Created successfully",
        ),
        (
            {"a": ("r", {})},
            {"a": ("q", {})},
            {"action": "update", "diffs": {"-": {"region": "q"}, "+": {"region": "r"}}},
            "Updated successfully",
        ),
        (
            {},
            {"a": ("q", {})},
            {"action": "delete", "diffs": {"-": {"region": "q", "tags": []}}},
            "Deleted successfully",
        ),
    ],
    ids=["create", "update", "delete"],
)
def test_an_operation_logs_its_attempt_and_its_outcome(
    adapters: Adapters, source_sites: Sites, target_sites: Sites, operation: Data, message: str
) -> None:
    source, target = adapters.pair(source_sites, target_sites)
    common = {**operation, "model": "site", "unique_id": "a"}
    assert logged(source, target)[1:-1] == [
        {**common, "event": f"Attempting model {operation['action']}", "log_level": "debug"},
        {**common, "event": message, "status": "success", "log_level": "info"},
    ]


def test_an_operation_of_a_child_logs_its_full_unique_id(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "y"})})
    events = logged(source, target)
    assert [event.get("unique_id") for event in events] == [None, "a__d", "a__d", None]
    assert [event.get("model") for event in events] == [None, "device", "device", None]


def test_a_refusal_is_an_error_with_its_reason(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"refuse": "x"})}, {"a": ("r", {})}, target_class=Moods)
    operation = {
        "action": "create",
        "model": "device",
        "unique_id": "a__refuse",
        "diffs": {"+": {"role": "x", "slots": None}},
    }
    assert logged(source, target, DiffSyncFlags.CONTINUE_ON_FAILURE)[1:-1] == [
        {**operation, "event": "Attempting model create", "log_level": "debug"},
        {**operation, "event": "out of stock", "status": "error", "log_level": "error"},
        {
            **operation,
            "event": "No object resulted from sync, will not process child objects.",
            "log_level": "warning",
        },
    ]


def test_a_refusal_that_ends_the_sync_is_the_last_event(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"refuse": "x"})}, {"a": ("r", {})}, target_class=Moods)
    with capture_logs() as events, pytest.raises(ObjectNotCreated):
        target.sync_from(source)
    assert (events[-1]["event"], events[-1]["status"], events[-1]["log_level"]) == ("out of stock", "error", "error")


def test_an_operation_that_returns_none_is_logged_as_a_failure(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"none": "x"})}, {"a": ("r", {})}, target_class=Moods)
    events = logged(source, target)
    assert [(event["event"], event.get("status"), event["log_level"]) for event in events[2:-1]] == [
        ("device create did not return the model object.", "failure", "warning"),
        ("No object resulted from sync, will not process child objects.", None, "warning"),
    ]


@pytest.mark.parametrize(
    ("status", "level"),
    [(DiffSyncStatus.SUCCESS, "info"), (DiffSyncStatus.FAILURE, "warning"), (DiffSyncStatus.ERROR, "error")],
    ids=lambda value: str(getattr(value, "value", value)),
)
def test_the_status_that_an_operation_sets_is_logged(adapters: Adapters, status: DiffSyncStatus, level: str) -> None:
    class Telling(Site):
        def update(self, attrs: Data) -> Self | None:
            super().update(attrs)
            self.set_status(status, "as set")
            return self

    class Teller(Inventory):
        site = Telling

    source, target = adapters.pair({"a": ("r", {})}, {"a": ("q", {})}, target_class=Teller)
    last = logged(source, target)[-2]
    assert (last["event"], last["status"], last["log_level"]) == ("as set", status.value, level)


def test_unchanged_objects_are_logged_with_the_flag(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, SITES)
    same: dict[str, Any] = {
        "action": None,
        "diffs": {"-": {}, "+": {}},
        "status": "success",
        "event": "No changes to apply; no action needed",
        "log_level": "debug",
    }
    assert logged(source, target, UNCHANGED)[1:-1] == [
        {**same, "model": "site", "unique_id": "a"},
        {**same, "model": "device", "unique_id": "a__d"},
    ]


def test_unchanged_parents_of_changed_objects_are_not_logged_without_the_flag(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "y"})})
    assert {event.get("unique_id") for event in logged(source, target)} == {None, "a__d"}


@pytest.mark.slow
def test_events_go_through_the_programs_own_structlog(adapters: Adapters) -> None:
    seen: list[str] = []

    def keep(logger: Any, name: str, event: Any) -> Any:
        seen.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    source, target = adapters.pair(SITES, {})
    target.sync_from(source)
    assert seen[0].startswith("Diff calculation between")
    assert seen[-1] == "Sync complete"


def test_the_logger_of_sync_complete_is_bound_to_both_adapters(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    with capture_logs() as events:
        target.sync_from(source)
        target.completions[0][3].info("done")
    assert (events[-1]["event"], events[-1]["src"], events[-1]["dst"]) == ("done", source, target)


@pytest.mark.parametrize(
    ("verbosity", "shown", "hidden"),
    [
        (0, [], ["Beginning sync", "Created successfully", "Attempting model create"]),
        (1, ["Beginning sync", "Created successfully"], ["Attempting model create"]),
        (2, ["Beginning sync", "Created successfully", "Attempting model create"], []),
    ],
)
def test_console_logging_shows_more_with_a_higher_verbosity(
    adapters: Adapters,
    capsys: pytest.CaptureFixture[str],
    verbosity: int,
    shown: list[str],
    hidden: list[str],
) -> None:
    source, target = adapters.pair(SITES, {})
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()  # pytest's own: a program has none
    try:
        enable_console_logging(verbosity=verbosity)
        target.sync_from(source)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    assert [text for text in shown if text not in printed] == []
    assert [text for text in hidden if text in printed] == []
