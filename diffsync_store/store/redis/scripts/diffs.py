"""The scripts that save a diff."""

from diffsync_store.store.redis.scripts.script import Script

CLEAR = Script("diffs/clear")
APPEND = Script("diffs/append")
FINISH = Script("diffs/finish")
