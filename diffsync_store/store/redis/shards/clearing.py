"""Remove what an attempt to load a shard has left."""

from __future__ import annotations

from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.shards.claim import ShardClaim


def clear_shard(client: Any, claim: ShardClaim, number: int) -> None:
    """Remove the objects and the index of a shard, in calls of one page each.

    Args:
        client: the Redis client.
        claim: the claim under which this is done: on the shard, or on that of the process that seals.
        number: the number of the shard.
    """
    first = claim.keys
    with translated_errors():
        models = [model.decode() for model in client.hkeys(first.schema)]
    for model in models:
        for keys in claim.partitions.keys:
            _clear_partition(claim, keys, model, number)
        of_shard = [first.index, first.edges, first.shardsums, first.open]
        claim.call(scripts.UNLINK, [key(number, model) for key in of_shard], [])


def _clear_partition(claim: ShardClaim, keys: StoreKeys, model: str, number: int) -> None:
    of_model = [keys.objects(model), keys.pages(model), keys.order(model), keys.touched(model), keys.nodes(model)]
    answer = b"more"
    while answer == b"more":
        answer, uids = claim.call(scripts.CLEAR, [keys.shards, keys.counts, *of_model], [model, number], of=keys)
        if uids and keys is not claim.keys:  # the first partition has the nodes of all
            claim.call(scripts.FORGET, [claim.keys.nodes(model)], uids)
    claim.call(scripts.UNLINK, [keys.twice(number, model)], [], of=keys)
