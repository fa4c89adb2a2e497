"""Remove what an attempt to load a shard has left."""

from __future__ import annotations

from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.shards.claim import ShardClaim


def clear_shard(client: Any, claim: ShardClaim, number: int) -> None:
    """Remove the objects and the index of a shard, in calls of one page each.

    Args:
        client: the Redis client.
        claim: the claim under which this is done: on the shard, or on that of the process that seals.
        number: the number of the shard.
    """
    keys = claim.keys
    with translated_errors():
        models = [model.decode() for model in client.hkeys(keys.schema)]
    for model in models:
        objects, pages, order, touched = keys.objects(model), keys.pages(model), keys.order(model), keys.touched(model)
        of_page = [keys.shards, keys.counts, objects, pages, order, touched, keys.nodes(model)]
        while claim.call(scripts.CLEAR, of_page, [model, number]) == b"more":
            pass
        of_shard = [keys.index, keys.edges, keys.shardsums, keys.open, keys.twice]
        claim.call(scripts.UNLINK, [key(number, model) for key in of_shard], [])
