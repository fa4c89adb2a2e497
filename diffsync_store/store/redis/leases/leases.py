"""The leases of one Redis."""

from __future__ import annotations

import math
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from diffsync_store.exceptions import LeaseHeld, ObjectStoreException
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import StoreKeys, check_namespace, command
from diffsync_store.store.redis.leases.fencing import fence
from diffsync_store.store.redis.leases.holder import Holder
from diffsync_store.store.redis.leases.lease import Lease, token_ttl
from diffsync_store.store.redis.leases.names import lease_arguments, lease_subject
from diffsync_store.store.redis.scripts import leases as scripts
from diffsync_store.values.readable import readable

TTL = 60.0
"""Seconds after the last renewal at which a lease ends."""


class RedisLeases:
    """The leases of one Redis, in one namespace. Threads may share it, and so may forked child processes.

    Args:
        connection: a connection to share; the caller closes it.
        namespace: the namespace of the stores, as RedisStore takes it.
        connection_arguments: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self, *, connection: Connection | None = None, namespace: str = "", **connection_arguments: Any
    ) -> None:
        self.namespace = check_namespace(namespace)
        self._connection = Connection.share_or_open(connection, **connection_arguments)
        self._redis = self._connection.client

    def close(self) -> None:
        """Close the connection, unless it is shared. Release the leases first."""
        self._connection.close()

    def take(self, store_id: str, reason: str, *, owner: str = "", ttl: float = TTL, group: str = "") -> Lease:
        """Take the lease on a target, until it is released.

        Args:
            store_id: the target's store; or a name that every process which changes the target uses, such as that of
                `target_lease`.
            reason: why; others see it.
            owner: who takes it; host and process id by default.
            ttl: seconds after which the lease ends if this process does not renew it.
            group: those who name the same group share the lease: it has one token, and lasts until the last of them releases it.

        Raises:
            LeaseHeld: somebody else holds it; `.holder` says who.
        """
        if not ttl >= 0.1:
            raise ObjectStoreException(f"The ttl of a lease must be at least 0.1 seconds, not {ttl}.")
        nonce = secrets.token_hex(8)
        who = [readable(owner or _this_process()), readable(reason)]
        token = self._take(store_id, [nonce, *who, math.ceil(ttl * 1000), token_ttl(ttl), group])
        return Lease(self._redis, store_id, token, nonce, ttl, self.namespace)

    def lock(self, store_id: str, reason: str, *, owner: str = "") -> Holder | None:
        """Lock the target for maintenance until `break_lease`. The lock outlives this process.

        Raises:
            LeaseHeld: somebody else holds the lease.
        """
        self._take(store_id, [secrets.token_hex(8), readable(owner or _this_process()), readable(reason), "", "", ""])
        return self.holder(store_id)

    def break_lease(self, store_id: str) -> Holder | None:
        """Remove a maintenance lock or the lease of a dead process; return its holder, or None if there was none.

        From now on, writes of the holder to the store are refused. Writes to the target's own system are not, unless that
        system checks the fencing token: check that the process has ended.
        """
        with translated_errors():
            holder = Holder.parse(scripts.END(self._redis, [self._key(store_id)], [token_ttl(0)]))
            token = self._redis.hget(self._key(store_id), "token")
        if token is not None:
            fence(self._redis, StoreKeys(store_id, self.namespace), int(token), "")
        return holder

    def holder(self, store_id: str) -> Holder | None:
        """Return who holds the lease; None if nobody does."""
        with translated_errors():
            return Holder.parse(scripts.HOLDER(self._redis, [self._key(store_id)], []))

    def holders(self, names: Iterable[str]) -> Iterator[tuple[str, Holder]]:
        """Yield each of these leases that somebody holds, with its holder."""
        for name in names:
            if holder := self.holder(name):
                yield name, holder

    def _key(self, store_id: str) -> str:
        return StoreKeys(store_id, self.namespace).lease

    def _take(self, store_id: str, arguments: list[Any]) -> int:
        with translated_errors():
            is_taken, *answer = scripts.TAKE(self._redis, [self._key(store_id)], arguments)
        if is_taken:
            fence(self._redis, StoreKeys(store_id, self.namespace), int(answer[0]), arguments[1])
            return int(answer[0])
        holder = Holder.parse(answer)
        remedy = (
            "Wait until it ends, or stop its process; if the process is gone, the lease ends by itself at that time"
            if holder and holder.until
            else "Wait until it is unlocked, or ask its owner"
        )
        raise LeaseHeld(
            f"The lease on {lease_subject(store_id)} is held by {holder}. {remedy}. To end it, once nothing changes the target "
            f"any more, run `{command(self.namespace)} unlock {lease_arguments(store_id)}`, or call "
            f"RedisLeases(...).break_lease({store_id!r}).",
            holder,
        )


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
