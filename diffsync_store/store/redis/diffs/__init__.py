"""Saved diffs in Redis: their records, elements and journals."""

from diffsync_store.store.redis.diffs.catalog import DiffCatalog
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.diffs.journal import RedisJournal
from diffsync_store.store.redis.diffs.record import DiffRecord, Subtree
from diffsync_store.store.redis.diffs.usage import refuse_load
from diffsync_store.store.redis.diffs.writer import DiffWriter

__all__ = ["DiffCatalog", "DiffRecord", "DiffWriter", "RedisDiff", "RedisJournal", "Subtree", "refuse_load"]
