from collections.abc import Iterator
from contextlib import contextmanager

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.states import Completed

from diffsync_store import Adapter, StoredAdapter, SyncResult
from diffsync_store.store.redis_diffs import DiffRecord, SavedDiff
from flows.adapters.lifecycle import opened
from flows.artifacts import show_sync
from flows.config import Config, read_config
from flows.progress import Progress
from flows.retries import RETRIED
from flows.run_log import library_log

Counts = dict[str, int]


@flow(flow_run_name="sync {diff_id}")
def sync(diff_id: str, dry_run: bool = False) -> Counts | State[Counts]:
    """Apply a saved diff to its target.

    Counts what was applied and what was not. Where the target refused operations, the run ends as Partial, a kind of
    Completed, and its artifact lists them with the reasons.

    Args:
        diff_id: The saved diff.
        dry_run: Change nothing; check that the sync could begin, and count what it would do.
    """
    record = check_sync(diff_id)
    if dry_run:
        planned = planned_counts(record)
        show_sync(record, planned, (), dry_run=True)
        return planned
    counts = apply_diff(diff_id)
    refused = counts["failed"] + counts["blocked"]
    if not refused:
        return counts
    return Completed(name="Partial", message=f"{refused} operations were not applied", data=counts)


@task(**RETRIED)
def check_sync(diff_id: str) -> DiffRecord:
    """Reach the diff, the target's store and the target; changes nothing, so it may be tried again."""
    with target_of(diff_id) as (config, saved, target), config.secrets.redacted_errors(), opened(target):
        get_run_logger().info("Diff %s can be applied to %s: %s", diff_id, target.name, saved.record.summary)
        return saved.record


@task(cache_policy=NO_CACHE)
def apply_diff(diff_id: str) -> Counts:
    """Not tried again by itself: what was applied before it failed would meet records that have changed."""
    log = get_run_logger()
    with (
        target_of(diff_id) as (config, saved, target),
        config.open_store(saved.record.source_store_id) as source,
        library_log(config.secrets.redact),
        config.secrets.redacted_errors(),
        opened(target),
    ):
        flags = config.flags(saved.record.source_name, saved.record.target_name)
        applied = target.sync_from(StoredAdapter(source), diff=saved.streamed(), flags=flags, callback=Progress(log))
        result = applied.result or SyncResult()
        counts = result.counts()
        log.info("Applied diff %s to %s: %s", diff_id, target.name, counts)
        show_sync(saved.record, counts, result.rejects, dry_run=False)
    return counts


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
