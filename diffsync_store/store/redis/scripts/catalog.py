"""The scripts about several stores."""

from diffsync_store.store.redis.scripts.script import Script

MEMORY = Script("catalog/memory")
REGISTER_USER = Script("catalog/register_user")
