"""The scripts of a saved diff's journal."""

from diffsync_store.store.redis.scripts.script import Script

BEGIN = Script("journal/begin")
END = Script("journal/end")
APPROVE = Script("journal/approve")
WRITE = Script("journal/write")
