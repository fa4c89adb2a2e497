"""Run each step of a reconcile as a run of its own deployment, on the workers of its pool."""

from collections.abc import Mapping

from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.steps.child_runs import Step, run_steps
from diffsync_flows.steps.step_end import StepEnd
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import may_wait


class SeparateSteps:
    """The steps of a reconcile, each in a process of its own.

    Args:
        sync_name: Name of the sync.
        declared: The sync.
        ids: Ids of the stores and the diff, by the parameters of the flow `diff`.
        outside_window: Why the diff is applied outside of the windows of the sync; empty if it waits for them.
    """

    def __init__(
        self, sync_name: str, declared: PrefectSyncEntry, ids: Mapping[str, str], outside_window: str = ""
    ) -> None:
        self._sync_name = sync_name
        self._declared = declared
        self._ids = ids
        self._outside_window = outside_window

    def load(self) -> list[StepEnd]:
        """Load both sides at the same time."""
        sides = {self._declared.source: "source_store_id", self._declared.target: "target_store_id"}
        return run_steps(
            *(Step(f"load/{name}", {"adapter": name, "store_id": self._ids[side]}) for name, side in sides.items())
        )

    def diff(self) -> list[StepEnd]:
        """Save the diff of the two stores."""
        return run_steps(Step(f"diff/{self._sync_name}", {**self._ids, "sync_name": self._sync_name}))

    def sync(self, record: DiffRecord, *, dry_run: bool) -> list[StepEnd]:
        """Apply the diff, or start the run that asks a person first."""
        is_child = dry_run or not may_wait(self._declared, record)
        parameters = {"diff_id": record.diff_id, "dry_run": dry_run, "outside_window": self._outside_window}
        return run_steps(Step(f"sync/{self._sync_name}", parameters, is_child))
