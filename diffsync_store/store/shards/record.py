"""The record of one shard of a load."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from diffsync_store.enum import ShardState
from diffsync_store.store.load_report import Gap, ObjectKey


class ShardRecord(BaseModel):
    """One shard of a store's load, as it was when it was read. Threads may share it."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: ShardState = ShardState.MISSING
    reason: str = ""
    """Why the shard is partial or failed."""
    gaps: dict[str, Gap] = {}
    """What the load of the shard reported as missing, by model."""
    counts: dict[str, int] = {}
    """Number of its objects so far, by model."""
    expected: dict[str, int] = {}
    """Number of records that the shard expects, by model."""
    rejected: dict[str, int] = {}
    """Number of rejected records, by model."""
    below: tuple[ObjectKey, ...] = ()
    """The objects below which all records of the shard are; if empty, they may be anywhere."""
    writer: str = ""
    """Host and process id of its last writer."""
    started: datetime | None = None
    """Time at which its last attempt began, in UTC; None before the first one."""
    updated: datetime | None = None
    """Time of its last write, in UTC."""

    @property
    def objects(self) -> int:
        """Number of its objects so far."""
        return sum(self.counts.values())

    @property
    def is_loaded(self) -> bool:
        """Whether its load has ended, complete or partial."""
        return self.state in {ShardState.COMPLETE, ShardState.PARTIAL}
