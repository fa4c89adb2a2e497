"""The index of a store in Redis, as a comparison reads it."""

from diffsync_store.store.redis.index.redis_index import RedisIndex as RedisIndex
