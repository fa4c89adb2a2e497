"""Run a sync of a project: load both sides, compare them, plan, apply. What runs it, a terminal or Prefect, reports it."""

from diffsync_store.journal import RefusedOperation, RehearsalReport
from diffsync_store.runs.adopting import Adopting
from diffsync_store.runs.applying import LEASE_SECONDS, apply_saved, group_of
from diffsync_store.runs.approval import (
    applies_unasked,
    approved_request,
    asks_nobody,
    has_all_approvals,
    lacks_approvals,
    may_ask,
    may_wait,
    more_people,
    needs_approval,
    required_people,
    uncovered_by,
)
from diffsync_store.runs.comparing import compare_stores, drop_stores
from diffsync_store.runs.filters import Selection, count_matching, parse_selection
from diffsync_store.runs.ids import new_id
from diffsync_store.runs.in_sync import record_in_sync
from diffsync_store.runs.leasing import wait_for_lease
from diffsync_store.runs.loading import (
    LoadProgress,
    can_load_at_once,
    load,
    load_both,
    load_progress,
    progress_of_shards,
)
from diffsync_store.runs.operations import MAX_CHOSEN, parse_operations
from diffsync_store.runs.plan import Plan, make_plan
from diffsync_store.runs.preview import PreviewedRecord, preview, preview_store, previewed_models
from diffsync_store.runs.rehearsal import (
    MAX_REFUSED,
    find_refused,
    find_rehearsal,
    find_whole_rehearsal,
    must_rehearse,
    refusal_text,
    refused_operations,
    rehearse,
    rehearse_first,
    rehearse_now,
    require_decided,
    require_last_rehearsal,
    undecided_refusal,
)
from diffsync_store.runs.renewal import renew_diff
from diffsync_store.runs.rule_cases import RuleCase, differing, read_cases, record_cases
from diffsync_store.runs.sharding import ShardLoad, Shards, find_shards, load_shard, missing_shards, require_any
from diffsync_store.runs.stale_diffs import NewerChange, find_newer_change, refuse_stale
from diffsync_store.runs.suppressed import Suppressed, allowances_for_all, find_suppressed, require_releasable
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.target import find_suppressions, find_sync, open_source, open_target, require_stores
from diffsync_store.runs.undo import make_undo, open_undoable
from diffsync_store.runs.waiting import Waiting, find_waiting
from diffsync_store.runs.windows import OpenWindow, WindowClosed
from diffsync_store.sync.rehearsal import Rehearsed

__all__ = [
    "LEASE_SECONDS",
    "MAX_CHOSEN",
    "MAX_REFUSED",
    "Adopting",
    "LoadProgress",
    "NewerChange",
    "OpenWindow",
    "Plan",
    "PreviewedRecord",
    "RefusedOperation",
    "RehearsalReport",
    "Rehearsed",
    "RuleCase",
    "Selection",
    "ShardLoad",
    "Shards",
    "Suppressed",
    "SyncRequest",
    "Waiting",
    "WindowClosed",
    "allowances_for_all",
    "applies_unasked",
    "apply_saved",
    "approved_request",
    "asks_nobody",
    "can_load_at_once",
    "compare_stores",
    "count_matching",
    "differing",
    "drop_stores",
    "find_newer_change",
    "find_refused",
    "find_rehearsal",
    "find_shards",
    "find_suppressed",
    "find_suppressions",
    "find_sync",
    "find_waiting",
    "find_whole_rehearsal",
    "group_of",
    "has_all_approvals",
    "lacks_approvals",
    "load",
    "load_both",
    "load_progress",
    "load_shard",
    "make_plan",
    "make_undo",
    "may_ask",
    "may_wait",
    "missing_shards",
    "more_people",
    "must_rehearse",
    "needs_approval",
    "new_id",
    "open_source",
    "open_target",
    "open_undoable",
    "parse_operations",
    "parse_selection",
    "preview",
    "preview_store",
    "previewed_models",
    "progress_of_shards",
    "read_cases",
    "record_cases",
    "record_in_sync",
    "refusal_text",
    "refuse_stale",
    "refused_operations",
    "rehearse",
    "rehearse_first",
    "rehearse_now",
    "renew_diff",
    "require_any",
    "require_decided",
    "require_last_rehearsal",
    "require_releasable",
    "require_stores",
    "required_people",
    "uncovered_by",
    "undecided_refusal",
    "wait_for_lease",
]
