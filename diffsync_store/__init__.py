"""diffsync-store: keep two systems in sync, across processes and machines."""

from diffsync_store.adapter import Adapter, DiffSync
from diffsync_store.agents import Agent, AgentState, Round
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import (
    DiffSyncActions,
    DiffSyncFlags,
    DiffSyncModelFlags,
    DiffSyncStatus,
    OperationState,
    ShardState,
    StoreState,
)
from diffsync_store.exceptions import (
    ChangeLimitExceeded,
    DiffClassMismatch,
    DiffException,
    DiffExists,
    DiffNotApproved,
    DiffNotFound,
    DiffUnreadable,
    InvalidOptions,
    JournalLost,
    LeaseHeld,
    LeaseLost,
    ObjectAlreadyExists,
    ObjectCrudException,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectNotUpdated,
    ObjectStoreException,
    ObjectStoreWrongType,
    OutcomeUnknown,
    RehearsalRefused,
    StoreInUse,
    StoreNotComplete,
    StoreNotFound,
    StoreReloaded,
    StoreUnavailable,
    SyncInterrupted,
    SyncStopped,
    SyncTakenOver,
)
from diffsync_store.guards import ChangeLimits, Completeness, Guards, Limit, Limits, Suppression
from diffsync_store.model import DiffSyncModel
from diffsync_store.operation import Operation
from diffsync_store.result import Reject, SyncResult
from diffsync_store.selection import Select
from diffsync_store.store.base import BaseStore
from diffsync_store.store.load_report import Gap, LoadReject
from diffsync_store.store.local import LocalStore
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.shards.record import ShardRecord
from diffsync_store.stored_adapter import StoredAdapter
from diffsync_store.sync.convergence import RemainingDifference, remaining_differences
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.sync import Sync

__all__ = [
    "Adapter",
    "Agent",
    "AgentState",
    "BaseStore",
    "ChangeLimitExceeded",
    "ChangeLimits",
    "Completeness",
    "Diff",
    "DiffClassMismatch",
    "DiffElement",
    "DiffException",
    "DiffExists",
    "DiffNotApproved",
    "DiffNotFound",
    "DiffSync",
    "DiffSyncActions",
    "DiffSyncFlags",
    "DiffSyncModel",
    "DiffSyncModelFlags",
    "DiffSyncStatus",
    "DiffUnreadable",
    "Gap",
    "Guards",
    "InvalidOptions",
    "JournalLost",
    "LeaseHeld",
    "LeaseLost",
    "Limit",
    "Limits",
    "LoadReject",
    "LocalStore",
    "ObjectAlreadyExists",
    "ObjectCrudException",
    "ObjectNotCreated",
    "ObjectNotDeleted",
    "ObjectNotFound",
    "ObjectNotStorable",
    "ObjectNotUpdated",
    "ObjectStoreException",
    "ObjectStoreWrongType",
    "Operation",
    "OperationState",
    "OutcomeUnknown",
    "RehearsalRefused",
    "Reject",
    "RemainingDifference",
    "Round",
    "Select",
    "ShardRecord",
    "ShardState",
    "StoreInUse",
    "StoreNotComplete",
    "StoreNotFound",
    "StoreRecord",
    "StoreReloaded",
    "StoreState",
    "StoreUnavailable",
    "StoredAdapter",
    "Suppression",
    "Sync",
    "SyncInterrupted",
    "SyncOptions",
    "SyncResult",
    "SyncStopped",
    "SyncTakenOver",
    "remaining_differences",
]
