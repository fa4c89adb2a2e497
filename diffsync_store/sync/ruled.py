"""A diff of two adapters in memory under field rules."""

from __future__ import annotations

import time
from collections.abc import Iterable

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.field_rules import FieldRules, LeftAlone, TargetMemory, apply_rules


def diff_with_rules(
    source: Adapter,
    target: Adapter,
    rules: FieldRules,
    memory: TargetMemory,
    *,
    flags: DiffSyncFlags = DiffSyncFlags.NONE,
    loaded_at: float | None = None,
) -> tuple[Diff, list[LeftAlone]]:
    """Return what the field rules let a sync change, and what they leave alone.

    To apply it and to remember what was done, pass a recorder to the sync:
    `Sync(diff, source, target, recorder=Recorder(memory, rules, source.name)).run()`.

    Args:
        source: the adapter of the source of truth.
        target: the adapter to change, loaded completely.
        rules: the field rules.
        memory: what syncs have written to the target.
        flags: how to compare.
        loaded_at: when the load of the target began, in seconds since 1970; by default now.
    """
    began = time.time() if loaded_at is None else loaded_at

    def absent(model: str, uids: list[str]) -> Iterable[str]:
        return {*uids} - target.store.positions(model, uids).keys()

    for model in memory.models():
        memory.forget_absent(model, began, absent)
    diff = target.diff_from(source, flags=flags)
    return diff, apply_rules(diff, rules, memory, str(source.name), target.store.fetch)
