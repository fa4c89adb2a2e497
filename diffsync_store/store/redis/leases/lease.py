"""A lease that this process holds."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from contextlib import suppress
from typing import Any, Self

from diffsync_store.exceptions import LeaseLost, ObjectStoreException
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys
from diffsync_store.store.redis.leases.names import lease_subject
from diffsync_store.store.redis.scripts import leases as scripts

_leases: weakref.WeakSet[Lease] = weakref.WeakSet()


def _reset_in_child() -> None:
    for lease in list(_leases):
        lease._reset_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


class Lease:
    """A lease of this process. It is renewed in the background until it is released; use it with `with`.

    Threads may share it. A forked child process may use it while its parent holds it; only the parent renews and releases
    it.
    """

    def __init__(  # noqa: PLR0917  # made here only
        self, client: Any, store_id: str, token: int, nonce: str, ttl: float, namespace: str = ""
    ) -> None:
        self._redis = client
        self._key = StoreKeys(store_id, namespace).lease
        self.namespace = namespace
        self._nonce = nonce
        self._ttl = ttl
        self.store_id = store_id
        self.token = token
        """The fencing token: larger than that of every earlier lease on this store."""
        self.is_lost = False
        """True if a newer lease was taken, or this one was broken."""
        self._renewed_at = time.monotonic()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew_periodically, name=f"lease {store_id}", daemon=True)
        self._renewer.start()
        _leases.add(self)

    def _reset_in_child(self) -> None:
        self._lock = threading.Lock()  # the parent's renewer may hold it
        self._renewed_at = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # If Redis is away, the lease ends by itself; an error of the body counts more.
        with suppress(ObjectStoreException):
            self.release()

    def renew(self) -> None:
        """Renew the lease now.

        Raises:
            LeaseLost: a newer lease was taken, or this one was broken.
        """
        arguments = [self.token, self._nonce, math.ceil(self._ttl * 1000), token_ttl(self._ttl)]
        with self._lock:  # `is_lost` is the latest answer
            now = time.monotonic()
            with translated_errors():
                self.is_lost = not scripts.RENEW(self._redis, [self._key], arguments)
            if not self.is_lost:
                self._renewed_at = now
                return
        raise LeaseLost(lost_message(self.store_id, ""))

    @property
    def silence(self) -> float:
        """Seconds since the last renewal."""
        return time.monotonic() - self._renewed_at

    def check(self) -> None:
        """Check the lease before a change of the target; asks Redis only if the last renewal is too long ago.

        Raises:
            LeaseLost: a newer lease was taken, or this one was broken.
        """
        # In a child process nobody renews it, and the parent may have lost it.
        patience = self._ttl if self._process == os.getpid() else self._ttl / 3
        if self.is_lost or self.silence > patience:
            self.renew()

    def release(self) -> None:
        """Release the lease, if this process holds it; a child process does not release the lease of its parent."""
        if self._process != os.getpid():
            return
        self._ended.set()
        self._renewer.join()
        with translated_errors():
            scripts.END(self._redis, [self._key], [token_ttl(self._ttl), self.token, self._nonce])

    def _renew_periodically(self) -> None:
        while not self._ended.wait(self._ttl / 3):
            try:
                self.renew()
            except LeaseLost:
                return
            except ObjectStoreException:  # Redis may answer the next time
                continue


def token_ttl(ttl: float) -> int:
    """Return for how many seconds Redis remembers the last token of a lease that is not renewed."""
    return max(DEFAULT_TTL, 2 * math.ceil(ttl))


def lost_message(store_id: str, owner: str) -> str:
    """Return what happened to a lost lease, and what to do."""
    cause = (
        f"{owner} took it after this process was silent for longer than the lease's time to live"
        if owner
        else "somebody has broken it, or another process took it while this one was silent"
    )
    return (
        f"The lease on {lease_subject(store_id)} was lost: {cause}. Further writes of this process are refused; earlier ones "
        "are kept. Check that nobody else changes the target, load it again and make a new diff."
    )
