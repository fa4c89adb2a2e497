from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from prefect import flow, get_run_logger, runtime, task
from prefect.client.schemas import State
from prefect.client.schemas.objects import StateType
from prefect.states import Completed

from diffsync_flows.approval.pending import PendingElsewhere, covers_whole_diff, ensure_single_request, supersede_older
from diffsync_flows.approval.request import Rejected, has_requested_approval, require_approval
from diffsync_flows.approval.stale_diffs import refuse_stale
from diffsync_flows.config.config import Config, read_config
from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.reporting.artifacts import publish_dry_run, publish_sync
from diffsync_flows.reporting.events import NOT_APPLIED, outcomes, report_failure
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.progress import progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.cancellation import defer_termination
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.filters import Selection, count_matching
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import IO_RETRIES, NO_RETRIES, classify_errors
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_flows.runtime.states import EndState
from diffsync_store import Adapter, ChangeLimitExceeded, Select, StoredAdapter, StoreRecord, SyncResult, SyncStopped
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.guards import Suppressions
from diffsync_store.lifecycle import opened
from diffsync_store.store.redis import RedisStore

Counts = dict[str, int]


class SyncOutcome(NamedTuple):
    """What became of a diff."""

    counts: Counts
    left: int
    """Operations that were not applied."""
    equals: datetime | None
    """When the source was loaded that the target equals now; None where it is not known to equal it."""
    stopped: str
    """Why it has stopped in the middle; empty where it has not."""


@flow(flow_run_name="sync {diff_id}")
@report_expected_errors
def sync(  # noqa: PLR0917  # a form of the UI has a field for each
    diff_id: str,
    dry_run: bool = False,
    allow: list[str] | None = None,
    select: list[Selection] | None = None,
    exclude: list[Selection] | None = None,
    retry_rejected: bool = False,
    sync_name: str | None = None,
) -> Counts | State[Counts]:
    """Apply what is left of a saved diff to its target, within the guards of the sync.

    What a run before this one has done is not done again: start the sync anew to go on where one was stopped or killed.
    A record that has changed since the diff was made is left alone, and listed as a conflict. Where the sync needs an
    approval, the run is suspended until somebody resumes it with a decision: Resume, in the menu of the run's page. A run
    that still waits about an older diff of the sync is Replaced; one about the same changes is left to be decided, and this
    one ends as PendingElsewhere.

    Counts what was applied and what was not. Where the target refused operations, the run ends as Partial, a kind of
    Completed, and its artifact lists them with the reasons.

    Args:
        diff_id: The saved diff, as the artifact of the diff shows it.
        dry_run: Change nothing; check that the sync could begin, and count what it would do.
        allow: What the guards let through this once, in the words of their messages, such as delete:990:device.
        select: Apply these only, with what they depend on. Everything, where nothing is given. One that names nothing is refused.
        exclude: Leave these out; they are left out, and can be applied later. One that names nothing is refused.
        retry_rejected: Apply only what was refused, in conflict or blocked before, once its cause is mended.
        sync_name: The sync in the YAML file; a diff of other adapters than its own is refused.
    """
    allow = allow or []
    rules = {"select": to_selects(select), "exclude": to_selects(exclude)}
    is_whole_diff = covers_whole_diff({"allow": allow, **rules, "retry_rejected": retry_rejected})
    config = read_config()
    if dry_run:
        return run_dry(config, diff_id, allow, {**rules, "retry_rejected": retry_rejected}, sync_name)
    with run_metrics("sync", sync_name or "", config.declared.metrics) as run:
        with report_failure(diff_id, sync_name or "") as syncing:
            record = syncing.record = begin(config, diff_id, sync_name)
            run.name, declared = find_sync(config, record)
            syncing.sync_name = run.name
            needs_approval = declared.needs_approval(record.summary)
            is_resumed = has_requested_approval()
            if not is_resumed:
                check_sync(diff_id, allow, rules)
            asks = needs_approval or is_resumed
            if asks and (ended := ask(diff_id, run.name, {"allow": allow, **rules}, is_whole_diff=is_whole_diff)):
                run.is_published = False
                if ended.is_cancelled():
                    syncing.ended("rejected")
                return ended
            if is_resumed:  # after what somebody has answered is kept
                check_sync(diff_id, allow, rules)
            applied = apply_diff(diff_id, allow, {**rules, "retry_rejected": retry_rejected, "require_approval": asks})
        run.gauge("sync_operations", "Of the last sync", "outcome", outcomes(applied.counts), sync=run.name)
        run.state = "partial" if applied.left else "complete"
        if applied.equals:
            run.in_sync(applied.equals)
        syncing.ended("stopped" if applied.stopped else run.state, applied.counts)
        if is_whole_diff:
            supersede_older(config, record, run.name, f"Diff {diff_id}, which is newer, was applied meanwhile")
        if applied.stopped:
            raise SyncStopped(applied.stopped)
    if not applied.left:
        return applied.counts
    return Completed(name=EndState.PARTIAL, message=f"{applied.left} operations were not applied", data=applied.counts)


def to_selects(selections: list[Selection] | None) -> tuple[Select, ...]:
    return tuple(found.to_select() for found in selections or ())


def run_dry(config: Config, diff_id: str, allow: list[str], options: dict[str, Any], sync_name: str | None) -> Counts:
    """Count what a sync would do."""
    begin(config, diff_id, sync_name)
    check_sync(diff_id, allow, options)
    return plan_sync(diff_id, allow, options)


def begin(config: Config, diff_id: str, sync_name: str | None) -> DiffRecord:
    record = read_diff(diff_id, sync_name)
    name, _ = find_sync(config, record)
    rename_run(f"sync {record.source_name} → {record.target_name}", record.summary, sync=name, diff=diff_id)
    return record


def ask(
    diff_id: str, sync_name: str, asked: Mapping[str, Sequence[object]], *, is_whole_diff: bool
) -> State[Counts] | None:
    """Go on once somebody has approved the diff; or how the run ends where somebody has rejected it, or is asked already."""
    config = read_config()
    with config.open_diffs() as diffs:
        saved = diffs.open(diff_id)

        def before_asking() -> None:
            if is_whole_diff:
                ensure_single_request(config, diffs, saved, sync_name)

        try:
            require_approval(saved, config.sync(sync_name), asked, before_asking)
        except PendingElsewhere as already:
            return Completed(name=EndState.PENDING_ELSEWHERE, message=str(already), data={})
        except Rejected as rejection:
            return State(type=StateType.CANCELLED, name=EndState.REJECTED, message=str(rejection))
    return None


@task(**IO_RETRIES)
def read_diff(diff_id: str, sync_name: str | None) -> DiffRecord:
    """Find the diff, and the sync that it is of."""
    config = read_config()
    with config.open_diffs() as diffs:
        record = diffs.open(diff_id).record
    if sync_name:
        config.require_pair(sync_name, record.source_name, record.target_name, f"Diff {diff_id} is")
    find_sync(config, record)
    return record


def find_sync(config: Config, record: DiffRecord) -> tuple[str, PrefectSyncEntry]:
    """The sync that a diff is of, with its name.

    Raises:
        UserError: none is declared, so that nothing says which guards and which approval it is applied under.
    """
    name, declared = config.sync_of(record.source_name, record.target_name)
    if name:
        return name, declared
    raise UserError(
        f"Diff {record.diff_id} is {record.source_name} → {record.target_name}, and {config.path} declares no sync of these "
        "two: nothing says under which guards, and with whose approval, it is applied. Declare one, with source: "
        f"{record.source_name} and target: {record.target_name}."
    )


@task(**IO_RETRIES)
def check_sync(diff_id: str, allow: list[str], rules: Mapping[str, Any]) -> None:
    """Reach the target's store, the source's and the target; changes nothing, so it may be tried again."""
    warn_of_other_servers()
    with (
        open_target(diff_id) as (config, saved, target),
        config.secrets.redacted_errors(),
        classify_errors(target),
        opened(target),
    ):
        record = saved.record
        with open_source(config, record):
            pass
        find_suppressions(config, saved, target, allow)
        count_matching(saved, (*rules["select"], *rules["exclude"]))
        get_run_logger().info("Diff %s can be applied to %s: %s", diff_id, target.name, record.summary)


@task(**IO_RETRIES)
def plan_sync(diff_id: str, allow: list[str], options: dict[str, Any]) -> Counts:
    """Count what a sync would do, without doing it."""
    with open_target(diff_id) as (config, saved, target):
        record, (_, declared) = saved.record, find_sync(config, saved.record)
        needs_approval = declared.needs_approval(record.summary)
        suppressions = find_suppressions(config, saved, target, allow)
        planned = saved.dry_run(
            declared.options(suppress=suppressions, require_approval=needs_approval, **options),
            flags=declared.combined_flags,
        )
        get_run_logger().info(
            "A sync of diff %s would do this: %s", diff_id, planned.applied_before or planned.counts()
        )
        publish_dry_run(record, planned)
        return planned.counts()


@task(**NO_RETRIES)
def apply_diff(diff_id: str, allow: list[str], options: dict[str, Any]) -> SyncOutcome:
    """Not tried again by itself: what has failed is for a person to look at, who starts it again."""
    log = get_run_logger()
    with (
        open_target(diff_id) as (config, saved, target),
        config.lease(target.name, f"sync of diff {diff_id}", log.info) as lease,
        open_source(config, saved.record) as source,
        library_log(config.secrets.redact),
        config.secrets.redacted_errors(),
        opened(target),
        defer_termination() as is_stopped,
        progress(artifact_key("sync", saved.record.source_name, target.name)) as callback,
    ):
        with config.open_diffs() as diffs:
            refuse_stale(diffs, saved.record, target.store.record().created)
        target.store.fencing_token = lease.token
        _, declared = find_sync(config, saved.record)
        result = saved.apply(
            StoredAdapter(source),
            target,
            options=declared.options(
                suppress=find_suppressions(config, saved, target, allow), should_stop=is_stopped, **options
            ),
            flags=declared.combined_flags,
            callback=callback,
            by=f"flow run {runtime.flow_run.name}",
            lease=lease,
        )
        log.info("Applied diff %s to %s: %s", diff_id, target.name, result.applied_before or result.counts())
        applied = to_outcome(saved, result, source)
        publish_sync(
            saved.record, result, saved.record.operations if is_fully_applied(applied) else count_applied(saved)
        )
        return applied


def to_outcome(saved: SavedDiff, result: SyncResult, source: RedisStore) -> SyncOutcome:
    counts = result.counts()
    left = sum(counts.get(outcome, 0) for outcome in NOT_APPLIED)
    applied = SyncOutcome(counts, left, None, result.stopped)
    loaded = source.record()
    if not is_fully_applied(applied) or result.applied_before or loaded.generation != saved.record.source_generation:
        return applied  # what was applied by a run before this one may have been changed since by that of another diff
    return applied._replace(equals=loaded.updated)


def is_fully_applied(applied: SyncOutcome) -> bool:
    """Whether all of the diff is applied, by this run or one before it."""
    return not (applied.left or applied.stopped)


def count_applied(saved: SavedDiff) -> int:
    """How many operations of a diff the target has, by this run or one before it; reads all of it and its journal."""
    return sum(entry.is_applied for _, entry in saved.outcomes())


def find_suppressions(config: Config, saved: SavedDiff, target: Adapter, allow: list[str]) -> Suppressions:
    """What of the diff is not to be applied.

    Raises:
        ChangeLimitExceeded: it would change more than it may.
        UserError: what is to be allowed is written in no form that is known.
    """
    record = saved.record
    try:
        guards = config.guards(record.source_name, record.target_name).allowing(allow)
    except ValueError as error:
        raise UserError(str(error)) from None
    of_source = None
    if record.suppressions:
        with config.open_store(record.source_store_id) as source:
            of_source = source.require_load(record.source_generation)
    try:
        return saved.guarded(guards, target.store.record(), of_source)
    except ChangeLimitExceeded as error:
        allowances = [excess.allowance for excess in error.excesses]
        raise ChangeLimitExceeded(
            f"{error}\nor start the sync with the parameter allow = {allowances}", error.excesses
        ) from None


@contextmanager
def open_target(diff_id: str) -> Iterator[tuple[Config, SavedDiff, Adapter]]:
    """The saved diff, and the adapter that its own record names, over the store that it was made from."""
    config = read_config()
    with config.open_diffs() as diffs:
        saved = diffs.open(diff_id)
        record = saved.record
        with config.open_store(record.target_store_id) as store:
            require_own_store(record, store.require_load(record.target_generation), record.target_name)
            yield config, saved, config.make_adapter(record.target_name, store)


@contextmanager
def open_source(config: Config, record: DiffRecord) -> Iterator[RedisStore]:
    """The store that was the source of a diff."""
    with config.open_store(record.source_store_id) as store:
        require_own_store(record, store.record(), record.source_name)
        yield store


def require_own_store(record: DiffRecord, store: StoreRecord, adapter: str) -> None:
    """Refuse a store of another adapter than the diff is of: the adapter that is changed, the guards and the approval go together.

    Raises:
        UserError: it is.
    """
    if store.name not in {"", adapter}:
        raise UserError(
            f"Diff {record.diff_id} is {record.source_name} → {record.target_name}, and its store {store.store_id} says that "
            f"it is of {store.name}, not of {adapter}: one of the two records was changed in Redis. Nothing was applied. Load "
            f"{adapter} again, make a new diff, and find out who writes to this Redis."
        )
