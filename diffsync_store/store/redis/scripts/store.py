"""The scripts of a store's life.

How writers share a store. One writer at a time may be *exclusive*: it has a short claim, knows every unique id in the
store, and can therefore refuse a duplicate by itself and buffer what it adds. A second writer that comes while the claim
lives asks for sharing and waits. The first writer learns this from the answer to its next batch; if that batch was sent
ahead, the answer is read together with the next one, and objects that it adds until then are checked when they are written. From then
on every `add` of either writer is checked inside Redis. A claim that its holder did not renew is taken over.

`epoch` grows whenever another writer writes than before: a writer that sees a new epoch knows that its knowledge is out of
date, and its buffered objects are checked one by one.

`generation` changes with each load: a writer of an earlier generation is refused.

Each writer numbers its batches, and the record has the number of the last one that was written. A batch that is sent again
because its answer was lost gets its answer and is not written twice. A batch that comes without those before it, which
Redis or the network has lost, is refused.

A script is atomic for others, but an error halfway undoes nothing. Each script does its work first and records last that
it is done, and can be run again. `WRITE` marks in the record that it is running: a store in which it has failed is not
complete until it was run again. A failure to keep digests does not fail a write; the record says that there are none.
"""

from diffsync_store.store.redis.scripts.script import Script

LOADING_TTL = 3600
"""Seconds that a store lives at least during a load, even if the load pauses for longer than the store's time to live."""

NOW = Script("store/now")
ACQUIRE = Script("store/acquire")
WRITE = Script("store/write")
RELEASE = Script("store/release")
BEGIN = Script("store/begin")
MARK = Script("store/mark")
FETCH = Script("store/fetch")
READ = Script("store/read")
RECORD = Script("store/record")
RENEW = Script("store/renew")
