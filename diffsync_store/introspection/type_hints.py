"""Annotations that name classes which their module cannot import, because the imports would go round in circles.

`typing.get_type_hints` looks such names up in the module, so they are put there once all modules are there.
"""

from __future__ import annotations

from diffsync_store import diff, exceptions, model, result
from diffsync_store.adapter import Adapter
from diffsync_store.guards.change_limits import Excess
from diffsync_store.store import base, local, primitives
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.releases import Tracked
from diffsync_store.store.subtree_digests import SubtreeDigests

_NAMED = (
    Adapter,
    diff.DiffElement,
    model.DiffSyncModel,
    result.SyncResult,
    Excess,
    StoreRecord,
    SubtreeDigests,
    Tracked,
)


def publish() -> None:
    """Put the names into the modules whose annotations use them."""
    for module in (diff, exceptions, local, model, primitives, base):
        for named in _NAMED:
            vars(module).setdefault(named.__name__, named)
