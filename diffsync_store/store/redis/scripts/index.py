"""The scripts that read the index of a store, described in `store.index.format`.

Each one looks first whether the store has still the load whose index the reader knows. None of them reads more than a part of an
index at a time, so that none blocks the server for long: the reader calls again.
"""

from diffsync_store.store.redis.scripts.script import Script

COMPARE = Script("index/compare")
SUMS = Script("index/sums")
GROUPS = Script("index/groups")
ENTRIES = Script("index/entries")
FLAGS = Script("index/flags")
PARENTS = Script("index/parents")
NODES = Script("index/nodes")
