"""The scripts of a store's life.

Where the fields are. The scripts find in the record (`dss:{ID}:record`) how they may write:

    layout                        '2'; a writer of another layout is refused
    generation                    changes with each load: a writer of an earlier generation is refused
    state                         'loading' until the load ends
    shards                        number of declared shards; a load without shards has one, number 0
    token:N, until:N              writer of shard N, and when its claim ends (ms); an empty token: nobody may write to the shard
    token, until                  the same of the last writer outside of the shards
    shared                        several writers outside of the shards: Redis checks each add
    epoch                         '1' at the beginning; grows whenever another writer than before writes outside of the shards
    batch:T, at_work:T, refused:T number of the last batch of token T, of one that is being written, refused adds of the last one
    sequence                      number of objects that were added outside of the shards
    removed                       '1' once any object was removed: a page may name objects that are gone
    names:MODEL                   field names of the model's objects: in the values, one byte stands for each
    keys:MODEL                    number of keys of the model's objects, to notice lost ones
    indexed, index_keys           '1' once the index is whole, and its number of keys
    undigested                    why the index cannot be used
    hold                          seconds to live at least during a load
    server                        run id of the server on which the load began

How a load is written. Each writer of a load has a *shard*, under a token of its own. `LOAD` writes a batch to the shard: it checks
no object, because only the writer of a shard knows its unique ids, and keeps no index, because nobody reads a generation that is
not loaded. The writer computes the index in memory, and writes it at the end of the shard with `INDEX`. Position of an object =
shard * 2^40 + number in the shard. A writer of a shard is admitted while its generation is the current one, its state is 'loading',
`token:N` is its token, its lease is not lost, and the epoch is 1. A new token in `token:N` ends the rights of the one before.
A store that is created by an add without a load begins with shard 0, which ends at the first flush.

Copying objects into a script costs the server more than storing them. Adds that are sent ahead are therefore written by HSET, between
two calls of `ADD` in one transaction: the first one admits the batch as `LOAD` does, and the second one ends it. What has been written
although it was not admitted is in a key of its own, which the second call removes. Of a load in shards, HSETEX writes the batch only if
none of its objects is stored; the writer sends a batch that it has not written again with `LOAD`, and so it does with a
batch whose transaction was refused. `INDEX` writes the parts of hashes in the same way.

How others write meanwhile, or later. `WRITE` writes a batch outside of the shards. It keeps positions of replaced objects, gives new
ones a position from 2^52 on, and notes the unique ids in `touched`, because the index does not cover them. A writer that comes while
the claim of a shard lives asks for sharing and waits. The writer of the shard learns this from the answer to its next batch
('leaving'), which was still written to the shard; if that batch was sent ahead, the answer is read together with the next one. Once the other
one has written, the epoch is 2, and a batch for the shard is answered with 'exclusive' or 'shared' without being written: its
writer sends it again with `WRITE`. It does not write to the shard any more; the index of what it has written there is still valid.

How writers outside of the shards share a store. One at a time may be *exclusive*: it has a short claim, knows every unique id in
the store, and can therefore refuse a duplicate by itself and buffer what it adds. A second writer that comes while the claim
lives asks for sharing and waits. The first writer learns this from the answer to its next batch; objects that it adds until then
are checked when they are written. From then on every `add` of either writer is checked inside Redis. A claim that its holder did
not renew is taken over.

A writer that sees a new epoch knows that its knowledge is out of date, and its buffered objects are checked one by one.

Each writer numbers its batches, and the record has the number of the last one that was written. A batch that is sent again
because its answer was lost gets its answer and is not written twice. A batch that comes without those before it, which
Redis or the network has lost, is refused.

A script is atomic for others, but an error halfway undoes nothing. Each script does its work first and records last that
it is done, and can be run again. `LOAD` and `WRITE` mark in the record that they are running: a store in which one has failed is not
complete until it was run again.
"""

from diffsync_store.store.redis.scripts.script import Script

LOADING_TTL = 3600
"""Seconds that a store lives at least during a load, even if the load pauses for longer than the store's time to live."""

NOW = Script("store/now")
ACQUIRE = Script("store/acquire")
LOAD = Script("store/load")
ADD = Script("store/add")
WRITE = Script("store/write")
INDEX = Script("store/index")
RELEASE = Script("store/release")
BEGIN = Script("store/begin")
MARK = Script("store/mark")
DROP = Script("store/drop")
FETCH = Script("store/fetch")
FETCH_ABOVE = Script("store/fetch_above")
POSITIONS = Script("store/positions")
READ = Script("store/read")
HASH = Script("store/hash")
RESERVE = Script("store/reserve")
RECORD = Script("store/record")
RENEW = Script("store/renew")
