"""The library under test: this project, or diffsync to verify the expectations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

IS_REFERENCE = os.environ.get("DIFFSYNC_REFERENCE") == "1"

if TYPE_CHECKING or not IS_REFERENCE:
    from diffsync_store import Adapter, Diff, DiffElement, DiffSync, DiffSyncModel, LocalStore
    from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
    from diffsync_store.exceptions import (
        DiffException,
        ObjectAlreadyExists,
        ObjectCrudException,
        ObjectNotCreated,
        ObjectNotDeleted,
        ObjectNotFound,
        ObjectNotUpdated,
        ObjectStoreException,
        ObjectStoreWrongType,
    )
    from diffsync_store.logging import enable_console_logging
    from diffsync_store.store import BaseStore
else:
    from diffsync import Adapter, DiffSync, DiffSyncModel
    from diffsync.diff import Diff, DiffElement
    from diffsync.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
    from diffsync.exceptions import (
        DiffException,
        ObjectAlreadyExists,
        ObjectCrudException,
        ObjectNotCreated,
        ObjectNotDeleted,
        ObjectNotFound,
        ObjectNotUpdated,
        ObjectStoreException,
        ObjectStoreWrongType,
    )
    from diffsync.logging import enable_console_logging
    from diffsync.store import BaseStore
    from diffsync.store.local import LocalStore

__all__ = [
    "IS_REFERENCE",
    "Adapter",
    "BaseStore",
    "Diff",
    "DiffElement",
    "DiffException",
    "DiffSync",
    "DiffSyncActions",
    "DiffSyncFlags",
    "DiffSyncModel",
    "DiffSyncModelFlags",
    "DiffSyncStatus",
    "LocalStore",
    "ObjectAlreadyExists",
    "ObjectCrudException",
    "ObjectNotCreated",
    "ObjectNotDeleted",
    "ObjectNotFound",
    "ObjectNotUpdated",
    "ObjectStoreException",
    "ObjectStoreWrongType",
    "enable_console_logging",
]
