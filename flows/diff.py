from prefect import flow, get_run_logger, task

from diffsync_store import StoredAdapter
from flows.artifacts import show_diff
from flows.config import read_config
from flows.ids import new_id
from flows.progress import Progress
from flows.retries import RETRIED
from flows.run_log import library_log


@flow(flow_run_name="diff {source_store_id} and {target_store_id}")
def diff(source_store_id: str, target_store_id: str, diff_id: str | None = None) -> str:
    """Save what has to change in the target so that it equals the source.

    Needs the two stores only, neither of the systems nor their adapters. Refuses a store whose load has not ended. What a
    partial load does not prove is saved with the rest, and held.

    Args:
        source_store_id: Store of the side that is right.
        target_store_id: Store of the side that is to be changed.
        diff_id: Name under which other runs find the diff; made up when it is not given.
    """
    diff_id = diff_id or new_id("diff")
    save_diff(source_store_id, target_store_id, diff_id)
    tell_diff(diff_id)
    return diff_id


@task(**RETRIED)
def save_diff(source_store_id: str, target_store_id: str, diff_id: str) -> None:
    config = read_config()
    with (
        library_log(config.secrets.redact),
        config.open_store(source_store_id) as source,
        config.open_store(target_store_id) as target,
        config.open_diffs() as diffs,
    ):
        of_source, of_target = StoredAdapter(source), StoredAdapter(target)
        names = of_source.name, of_target.name
        flags, guards, progress = config.flags(*names), config.guards(*names), Progress(get_run_logger())
        diffs.compare(of_source, of_target, diff_id, flags=flags, guards=guards, callback=progress)


@task(**RETRIED)
def tell_diff(diff_id: str) -> None:
    with read_config().open_diffs() as diffs:
        saved = diffs.open(diff_id)
        log = get_run_logger()
        log.info("Saved diff %s: %s", diff_id, saved.record.summary)
        for hold in saved.record.holds:
            log.warning("%s", hold)
        show_diff(saved)
