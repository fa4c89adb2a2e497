"""The scripts of a load in shards.

Each shard has a writer, whose token is in the record of the store (`token:N`, `until:N`; see `scripts/store.py`). The last shard, after
the declared ones, is that of the process that seals: it has no objects, only the edges between shards and the entries of children
that nowhere exist. On a cluster, JOIN repeats the token in the store's other partitions, and LEAVE takes it away there. The hash `dss:{ID}:shards` has the plan's shards by number N:

    N                         state, reason, gaps, expected and rejected records, as JSON
    N:counts                  number of objects by model, as JSON; written by the heartbeat too
    N:started, N:updated      times in ms
    N:writer                  host and process id
    N:server                  run id of the server on which the attempt began
    N:again                   '1' if an earlier attempt may have left objects
    N:clear:MODEL             number of the next page to clear, while objects of an attempt are removed
    N:index                   what the seal must know about the index, as JSON; empty before the end

BEGIN gives a shard a new token, so an earlier writer of it is refused. A shard that had an attempt is cleared first, page by page.
END writes its state and takes the token away. TAKE gives the process that seals its token, if no shard is alive; a shard that begins
later takes that token away. SEAL is the one step after which the store can be read; it checks that the token is still there and that
the server is the same one.
"""

from diffsync_store.store.redis.scripts.script import Script

BEGIN = Script("shards/begin")
RENEW = Script("shards/renew")
CLEAR = Script("shards/clear")
FORGET = Script("shards/forget")
JOIN = Script("shards/join")
LEAVE = Script("shards/leave")
END = Script("shards/end")
TAKE = Script("shards/take")
NOTE = Script("shards/note")
LOOK_UP = Script("shards/look_up")
APPEND = Script("shards/append")
PUSH = Script("shards/push")
UNLINK = Script("shards/unlink")
RESOLVE = Script("shards/resolve")
SEAL = Script("shards/seal")
