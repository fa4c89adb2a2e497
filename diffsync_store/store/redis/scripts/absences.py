"""The scripts of the counts of absent objects."""

from diffsync_store.store.redis.scripts.script import Script

COUNT = Script("absences/count")
END = Script("absences/end")
