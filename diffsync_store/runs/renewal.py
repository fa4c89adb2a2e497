"""Keep what a run needs that waits for longer than stores and diffs are kept."""

import logging
from typing import Any

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.project import SyncContext

_log = logging.getLogger(__name__)


def renew_diff(context: SyncContext[Any], diff_id: str) -> None:
    """Restart the time to live of a diff that waits, and of the stores that it was made from.

    What is gone, and a Redis that does not answer, is logged: the run says so when it begins.
    """
    try:
        record = context.diffs().open(diff_id).record
        stores = context.stores()
        for store_id, generation in (
            (record.source_store_id, record.source_generation),
            (record.target_store_id, record.target_generation),
        ):
            store = stores.record(store_id)
            if store.generation == generation:
                stores.renew(store)
    except ObjectStoreException as error:
        _log.warning("Cannot keep what the diff %s needs while it waits: %s", diff_id, error)
