"""The scripts of leases."""

from diffsync_store.store.redis.scripts.script import Script

TAKE = Script("leases/take")
RENEW = Script("leases/renew")
END = Script("leases/end")
FENCE = Script("leases/fence")
HOLDER = Script("leases/holder")
