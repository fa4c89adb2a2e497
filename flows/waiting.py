"""Runs of a sync that are suspended until somebody decides; of those that ask about one sync, the newest is left."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, State
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName, FlowRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.utilities.urls import url_for

from diffsync_store import DiffNotFound, StoreNotFound, StoreReloaded
from diffsync_store.store.redis_diffs import DiffRecord, RedisDiffs, SavedDiff
from flows.config import Config
from flows.events import Syncing
from flows.states import SUSPENDED, Ended

PAGE = 200
"""Most that Prefect's API returns at once."""
GIVEN = ("allow", "select", "exclude")
"""Parameters of a sync by which it applies more, or less, than the whole diff within the guards."""


class AskedAlready(RuntimeError):
    """Another run has asked about the same changes, and nobody has decided yet; the message says which one."""


def applies_all(asked: Mapping[str, Any]) -> bool:
    """Whether a sync with these parameters applies all of its diff within the guards."""
    return not any(asked.get(name) for name in (*GIVEN, "retry"))


def leave_one(config: Config, diffs: RedisDiffs, saved: SavedDiff, sync_name: str) -> None:
    """Before a run asks about the whole of a diff: one question of a sync is enough.

    Where an older run asks about the same changes, who is about to decide there is not disturbed; where it asks about
    others, it asks no more.

    Raises:
        AskedAlready: an older run asks about the same changes, and they can still be applied.
    """
    with _forgiven():
        checksum = saved.checksum()
        for run, other in _older(diffs, saved.record):
            if other.checksum() == checksum and _can_be_applied(config, other.record):
                raise AskedAlready(
                    f"The same changes wait for a decision already, in {run.name}: {url_for(run)}. Resume that one, or in a "
                    f"terminal: python -m flows approve {other.record.diff_id} --by NAME"
                )
    own = f"{runtime.flow_run.name}: {url_for('flow-run', runtime.flow_run.id)}"
    replace_older(
        diffs, saved.record, sync_name, f"A newer diff of the sync {sync_name} is asked about in its place, in {own}"
    )


def replace_older(diffs: RedisDiffs, newer: DiffRecord, sync_name: str, reason: str) -> None:
    """End the runs that ask about older diffs of a sync: somebody might approve what is not so any more.

    Those that were started for more, or less, than a whole diff are somebody's own, and are left alone.

    Args:
        diffs: the saved diffs.
        newer: the diff that counts now.
        sync_name: the sync that it is of.
        reason: what has become of the question, for who looks for it.
    """
    with _forgiven(), get_client(sync_client=True) as client:
        for run, other in _older(diffs, newer):
            if client.read_flow_run(run.id).state_name != SUSPENDED:  # somebody has just decided
                continue
            client.set_flow_run_state(run.id, State[Any](type=StateType.CANCELLED, name=Ended.REPLACED, message=reason))
            get_run_logger().info("%s waits for a decision no more: %s", run.name, reason)
            Syncing(other.record.diff_id, sync_name, other.record).ended("replaced")


@contextmanager
def _forgiven() -> Iterator[None]:
    """A question too many does no harm: of two diffs of a target only one is applied."""
    try:
        yield
    except httpx.HTTPError as error:
        get_run_logger().warning("Prefect does not say what else waits for a decision: %s", error)


def _older(diffs: RedisDiffs, newer: DiffRecord) -> Iterator[tuple[FlowRun, SavedDiff]]:
    """The runs that ask about the whole of an older diff between the same two adapters."""
    for run in list(suspended()):
        if str(run.id) == runtime.flow_run.id or not applies_all(run.parameters):
            continue
        with suppress(DiffNotFound):
            other = diffs.open(str(run.parameters.get("diff_id")))
            record = other.record
            is_same = (record.source_name, record.target_name) == (newer.source_name, newer.target_name)
            if is_same and record.created < newer.created:
                yield run, other


def _can_be_applied(config: Config, record: DiffRecord) -> bool:
    """Whether both stores that a diff was made of are still there, as they were."""
    sides = (
        (record.source_store_id, record.source_generation),
        (record.target_store_id, record.target_generation),
    )
    try:
        for store_id, generation in sides:
            with config.open_store(store_id) as store:
                store.require_load(generation)
    except (StoreNotFound, StoreReloaded):
        return False
    return True


def waiting(record: DiffRecord) -> list[FlowRun]:
    """The flow runs that are suspended until somebody decides about a diff."""
    return [run for run in suspended() if run.parameters.get("diff_id") == record.diff_id]


def waited_for() -> frozenset[str]:
    """The diff_ids of the diffs that somebody has yet to decide about."""
    return frozenset(str(run.parameters["diff_id"]) for run in suspended() if "diff_id" in run.parameters)


def asked_by(runs: Sequence[FlowRun]) -> dict[str, Sequence[object]]:
    """What the runs were started with, for the one who decides."""
    return {f"{run.name}: {name}": run.parameters[name] for run in runs for name in GIVEN if run.parameters.get(name)}


def suspended() -> Iterator[FlowRun]:
    """The flow runs that wait for a decision."""
    asked = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[SUSPENDED])),
        tags=FlowRunFilterTags(all_=["diffsync"]),
    )
    with get_client(sync_client=True) as client:
        for offset in count(0, PAGE):
            runs = client.read_flow_runs(flow_run_filter=asked, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset)
            yield from runs
            if len(runs) < PAGE:
                return
