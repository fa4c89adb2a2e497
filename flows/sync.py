from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, NamedTuple

from prefect import flow, get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.client.schemas.objects import StateType
from prefect.states import Completed

from diffsync_store import Adapter, BudgetExceeded, StoredAdapter, SyncResult, SyncStopped
from diffsync_store.guards import Holds
from diffsync_store.store.redis_diffs import DiffRecord, SavedDiff
from flows.adapters.lifecycle import opened
from flows.approval import Rejected, require_approval
from flows.artifacts import show_sync
from flows.config import Config, read_config
from flows.events import sync_ended, telling_failure
from flows.failures import failing_plainly
from flows.ids import artifact_key
from flows.metrics import measured
from flows.progress import progress
from flows.retries import RETRIED
from flows.run_log import library_log
from flows.run_names import rename
from flows.selection import Selection
from flows.stopping import stoppable

Counts = dict[str, int]
NOT_APPLIED = ("failed", "blocked", "conflicts", "held", "unknown")


class Applied(NamedTuple):
    """What became of a diff."""

    counts: Counts
    loaded: datetime
    """When its source was."""
    stopped: str
    """Why it has stopped in the middle; empty where it has not."""


@flow(flow_run_name="sync {diff_id}")
@failing_plainly
def sync(  # noqa: PLR0917  # a form of the UI has a field for each
    diff_id: str,
    dry_run: bool = False,
    allow: list[str] | None = None,
    select: list[Selection] | None = None,
    exclude: list[Selection] | None = None,
    retry: bool = False,
    sync_name: str | None = None,
) -> Counts | State[Counts]:
    """Apply what is left of a saved diff to its target, within the guards of the sync.

    What a run before this one has done is not done again: start the sync anew to go on where one was stopped or killed.
    A record that has changed since the diff was made is left alone, and listed as a conflict. Where the sync needs an
    approval, the run is suspended until somebody resumes it with a decision: Resume, in the menu of the run's page.

    Counts what was applied and what was not. Where the target refused operations, the run ends as Partial, a kind of
    Completed, and its artifact lists them with the reasons.

    Args:
        diff_id: The saved diff, as the artifact of the diff shows it.
        dry_run: Change nothing; check that the sync could begin, and count what it would do.
        allow: What the guards let through this once, in the words of their messages, such as delete:990:device.
        select: Apply these only, with what they depend on. Everything, where nothing is given.
        exclude: Leave these out; they are held, and can be applied later.
        retry: Apply only what was refused, in conflict or blocked before, once its cause is mended.
        sync_name: The sync in the YAML file; a diff of other adapters than its own is refused.
    """
    allow = allow or []
    record = check_sync(diff_id, allow, dry_run, sync_name)
    way = f"sync {record.source_name} → {record.target_name}"
    rename(way, record.summary, sync=sync_name or "", diff=diff_id)
    if dry_run:
        planned = planned_counts(record)
        show_sync(record, planned, (), dry_run=True)
        return planned
    config = read_config()
    name, declared = config.sync_of(record.source_name, record.target_name)
    needs_approval = declared.needs_approval(record.summary)
    chosen = {
        "select": tuple(found.of_library() for found in select or ()),
        "exclude": tuple(found.of_library() for found in exclude or ()),
    }
    if needs_approval:
        try:
            ask(diff_id, {"allow": allow, **chosen})
        except Rejected as rejection:
            sync_ended(record, name, "rejected")
            return State(type=StateType.CANCELLED, name="Rejected", message=str(rejection))
    options = {**chosen, "retry": retry, "require_approval": needs_approval}
    with measured("sync", name or way.removeprefix("sync "), config.declared.metrics) as run:
        with telling_failure(record, name):
            applied = apply_diff(diff_id, allow, options)
        run.gauge("sync_operations", "Of the last sync", "outcome", applied.counts, sync=run.name)
        left = sum(applied.counts.get(outcome, 0) for outcome in NOT_APPLIED)
        run.state = "partial" if left else "complete"
        if not left:
            run.in_step(applied.loaded)
        sync_ended(record, name, "stopped" if applied.stopped else run.state, applied.counts)
        if applied.stopped:
            raise SyncStopped(applied.stopped)
    if not left:
        return applied.counts
    return Completed(name="Partial", message=f"{left} operations were not applied", data=applied.counts)


def ask(diff_id: str, asked: Mapping[str, Sequence[object]]) -> None:
    """Go on once somebody has approved the diff.

    Raises:
        Rejected: somebody has rejected it.
    """
    config = read_config()
    with config.open_diffs() as diffs:
        saved = diffs.open(diff_id)
        _, declared = config.sync_of(saved.record.source_name, saved.record.target_name)
        require_approval(saved, declared, asked)


@task(**RETRIED)
def check_sync(diff_id: str, allow: list[str], dry_run: bool, sync_name: str | None) -> DiffRecord:
    """Reach the diff, the target's store and the target; changes nothing, so it may be tried again."""
    with target_of(diff_id) as (config, saved, target), config.secrets.redacted_errors(), opened(target):
        record = saved.record
        if sync_name:
            config.require_pair(sync_name, record.source_name, record.target_name, f"Diff {diff_id} is")
        name, _ = config.sync_of(record.source_name, record.target_name)
        with nullcontext() if dry_run else telling_failure(record, name):
            guarded(config, saved, target, allow)
        get_run_logger().info("Diff %s can be applied to %s: %s", diff_id, target.name, record.summary)
        return record


@task(cache_policy=NO_CACHE)
def apply_diff(diff_id: str, allow: list[str], options: dict[str, Any]) -> Applied:
    """Not tried again by itself: what has failed is for a person to look at, who starts it again."""
    log = get_run_logger()
    with (
        target_of(diff_id) as (config, saved, target),
        config.lease(target.name, f"sync of diff {diff_id}", log.info) as lease,
        config.open_store(saved.record.source_store_id) as source,
        library_log(config.secrets.redact),
        config.secrets.redacted_errors(),
        opened(target),
        stoppable() as is_stopped,
        progress(artifact_key("sync", saved.record.source_name, target.name)) as callback,
    ):
        target.store.fencing_token = lease.token
        _, declared = config.sync_of(saved.record.source_name, saved.record.target_name)
        result = saved.apply(
            StoredAdapter(source),
            target,
            options=declared.options(hold=guarded(config, saved, target, allow), stop=is_stopped, **options),
            flags=declared.combined_flags,
            callback=callback,
            by=f"flow run {runtime.flow_run.name}",
            lease=lease,
        )
        counts = result.counts()
        log.info("Applied diff %s to %s: %s", diff_id, target.name, result.applied_before or counts)
        held = Counter((found.model, found.action, found.reason) for found in result.held_operations)
        show_sync(saved.record, counts, result.rejects, dry_run=False, held=held)
        return Applied(counts, source.record().updated, result.stopped)


def guarded(config: Config, saved: SavedDiff, target: Adapter, allow: list[str]) -> Holds:
    """What of the diff is not to be applied.

    Raises:
        BudgetExceeded: it would change more than it may.
    """
    record = saved.record
    guards = config.guards(record.source_name, record.target_name).allowing(allow)
    of_source = None
    if record.holds:
        with config.open_store(record.source_store_id) as source:
            of_source = source.require_load(record.source_generation)
    try:
        return saved.guarded(guards, target.store.record(), of_source)
    except BudgetExceeded as error:
        allowances = [excess.allowance for excess in error.excesses]
        raise BudgetExceeded(
            f"{error}\nor start the sync with the parameter allow = {allowances}", error.excesses
        ) from None


@contextmanager
def target_of(diff_id: str) -> Iterator[tuple[Config, SavedDiff, Adapter]]:
    """The saved diff, and the adapter that it changes over the store that it was made from."""
    config = read_config()
    with config.open_diffs() as diffs:
        saved = diffs.open(diff_id)
        with config.open_store(saved.record.target_store_id) as store:
            name = store.require_load(saved.record.target_generation).name
            yield config, saved, config.make_adapter(name, store)


def planned_counts(record: DiffRecord) -> Counts:
    planned = {f"{action}d": record.summary.get(action, 0) for action in ("create", "update", "delete")}
    return SyncResult().counts() | planned
