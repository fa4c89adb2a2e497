"""What the end of a load means for the steps after it."""

from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_store import StoreRecord, StoreState


def load_ending(record: StoreRecord, before: int | None = None) -> Ending:
    """Return how a load ended that did not fail.

    Args:
        record: The record of its store.
        before: Number of objects of the last complete load; None if unknown.
    """
    if record.state is not StoreState.PARTIAL:
        return Ending(data=record.store_id)
    text = f"The store has {count_loaded(record, before)}. {record.reason.rstrip('.')}. {_consequence(record)} {_remedy(record)}"
    return Ending(Outcome.PARTIAL, text, record.store_id)


def load_title(adapter: str, record: StoreRecord, before: int | None = None) -> str:
    """Return what a load has loaded, such as `netbox · 37 of about 155 objects`."""
    return f"{adapter} · {count_loaded(record, before)}"


def count_loaded(record: StoreRecord, before: int | None) -> str:
    """Return the number of objects; of a partial load, also about how many there should be."""
    total = sum(record.counts.values())
    is_less = record.state is StoreState.PARTIAL and before is not None and before > total
    return f"{total:,} of about {before:,} objects" if is_less else f"{total:,} object{'' if total == 1 else 's'}"


def _consequence(record: StoreRecord) -> str:
    models = ", ".join(record.gaps) or "all models"
    return f"If this store is the source of a sync, the sync leaves out the deletes of {models} that the load does not prove."


def _remedy(record: StoreRecord) -> str:
    if missing := [shard.name for shard in record.shards if not shard.is_loaded]:
        return f"Not loaded: {', '.join(missing)}. The artifact of the shards has the reasons. Retry this run to load them."
    return "The artifact lists what is missing. Fix the cause, then load again."
