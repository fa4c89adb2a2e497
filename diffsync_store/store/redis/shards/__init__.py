"""A load in shards into a store in Redis: loading one shard, and sealing all of them."""
