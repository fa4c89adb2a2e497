"""One writer per target: leases in Redis, each with a fencing token.

A lease says who may change a target; it stands beside a store under the store's hash tag, outlives the store's loads, and
ends when its process is silent for too long. The claim by which writers of one store share it (`redis_writer`) is another
thing: it is short, for buffering alone, and every writer may have it in turn.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from diffsync_store.exceptions import LeaseHeld, LeaseLost, ObjectStoreException
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys, check_namespace, command, is_id
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.values.readable import readable

TTL = 60.0
"""Seconds after its holder's last sign of life at which a lease ends."""

_TARGET = "target-"
_LONGEST_SLUG = 100
_DIGESTED = re.compile(".*-[0-9a-f]{16}")

_COMMON = """
-- KEYS: lease. A lease is held while it has a nonce and its `until` lies ahead or is empty, which is for ever.
local names = {'owner', 'reason', 'since', 'until', 'token', 'nonce'}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local r = redis.call('HMGET', KEYS[1], unpack(names))
local held = r[6] and r[6] ~= '' and (r[4] == '' or tonumber(r[4]) > now)

-- A token that is larger than every one before it, also where Redis has forgotten those.
local function next_token() return string.format('%.0f', math.max(now, tonumber(r[5] or 0) + 1)) end
"""

_TAKE = Script(
    _COMMON
    + """
-- ARGV: nonce, owner, reason, time to live in ms or nothing, seconds to remember. Answers: 1 and the token, or 0 and the holder.
if held and r[6] == ARGV[1] then return {1, r[5]} end -- the answer was lost
if held then return {0, unpack(r)} end
local token, till = next_token(), ''
if ARGV[4] ~= '' then till = string.format('%.0f', now + tonumber(ARGV[4])) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'reason', ARGV[3], 'since', string.format('%.0f', now), 'until', till,
  'token', token, 'nonce', ARGV[1])
if till ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return {1, token}
"""
)

_RENEW = Script(
    _COMMON
    + """
-- ARGV: token, nonce, time to live in ms, seconds to remember. A lease that has run out is renewed if nobody has taken it.
if r[5] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'nonce', ARGV[2], 'until', string.format('%.0f', now + tonumber(ARGV[3])))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""
)

_END = Script(
    _COMMON
    + """
-- ARGV: seconds to remember, and the token where only the holder's own lease is to end. Answers: the holder, or nothing.
if not held or (ARGV[2] and r[5] ~= ARGV[2]) then return {} end
local owner, token = r[1], r[5]
if not ARGV[2] then owner, token = '', next_token() end -- a late write is refused
redis.call('HSET', KEYS[1], 'nonce', '', 'until', '0', 'owner', owner, 'token', token)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return r
"""
)

_HOLDER = Script(_COMMON + "\nif held then return r end\nreturn {}\n")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease."""

    owner: str
    reason: str
    since: datetime
    """In UTC, as `until`."""
    until: datetime | None
    """When it ends unless it is renewed; None for a maintenance lock, which stays until it is unlocked."""
    token: int

    def __str__(self) -> str:
        end = (
            f"ends at {_clock(self.until)} unless renewed"
            if self.until
            else "locked (maintenance) until somebody unlocks it"
        )
        return f"{self.owner} since {_clock(self.since)}: {self.reason} ({end})"


def target_lease(adapter_name: str) -> str:
    """The name of the lease on an adapter's system, which stays while each run loads it into a store of its own.

    Every adapter has a lease of its own, also one that is called `target-x`; a name that is no `store_id` gets a digest.
    """
    if is_id(f"{_TARGET}{adapter_name}") and not _DIGESTED.fullmatch(adapter_name):
        return f"{_TARGET}{adapter_name}"
    slug = re.sub("[^A-Za-z0-9._-]+", "-", adapter_name)[:_LONGEST_SLUG]
    return f"{_TARGET}{slug}-{hashlib.sha256(adapter_name.encode()).hexdigest()[:16]}"


def in_a_command(name: str) -> str:
    """The lease of this name as the words of `diffsync-store lease`, `lock` and `unlock`: a target, or a store."""
    return name.removeprefix(_TARGET) if name.startswith(_TARGET) else f"{name} --store"


_leases: weakref.WeakSet[Lease] = weakref.WeakSet()


def _begin_as_fork() -> None:
    for lease in list(_leases):
        lease._begin_as_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_as_fork)


class Lease:
    """A lease of this process, renewed in the background until it is released; used with `with`. Threads may share it.

    A child process that is forked may use it too, as long as its parent has it: the parent renews it, and alone releases it.
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
        """The fencing token: larger than that of every lease on this store before."""
        self.is_lost = False
        """A newer lease was given out, or this one was broken."""
        self._alive = time.monotonic()
        """Of the last sign of life."""
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._keep, name=f"lease {store_id}", daemon=True)
        self._renewer.start()
        _leases.add(self)

    def _begin_as_fork(self) -> None:
        self._lock = threading.Lock()  # the parent's renewer may have had it
        self._alive = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Where Redis is away it ends by itself, and what has ended the body counts.
        with suppress(ObjectStoreException):
            self.release()

    def renew(self) -> None:
        """Give a sign of life now.

        Raises:
            LeaseLost: a newer lease was given out, or this one was broken.
        """
        arguments = [self.token, self._nonce, math.ceil(self._ttl * 1000), _remembered(self._ttl)]
        with self._lock:  # what is said of the lease last is what was heard last
            now = time.monotonic()
            with translated_errors():
                self.is_lost = not _RENEW(self._redis, [self._key], arguments)
            if not self.is_lost:
                self._alive = now
                return
        raise LeaseLost(lost_message(self.store_id, ""))

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life that Redis has heard."""
        return time.monotonic() - self._alive

    def check(self) -> None:
        """Make sure of the lease before changing the target: asks Redis only after a silence longer than its time to live.

        Raises:
            LeaseLost: a newer lease was given out, or this one was broken.
        """
        # Nobody renews it in a child process, nor knows whether the parent still has it.
        patience = self._ttl if self._process == os.getpid() else self._ttl / 3
        if self.is_lost or self.silence > patience:
            self.renew()

    def release(self) -> None:
        """Let the next one have it; does nothing to a lease that was lost, nor in a child process to that of its parent."""
        if self._process != os.getpid():
            return
        self._ended.set()
        self._renewer.join()
        with translated_errors():
            _END(self._redis, [self._key], [_remembered(self._ttl), self.token])

    def _keep(self) -> None:
        while not self._ended.wait(self._ttl / 3):
            try:
                self.renew()
            except LeaseLost:
                return
            except ObjectStoreException:  # Redis may answer the next time
                continue


class RedisLeases:
    """The leases of one Redis, in one namespace; threads may share it, and so may forked child processes.

    Args:
        connection: a connection to share; the caller closes it.
        namespace: the namespace of the stores, as RedisStore takes it.
        where: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        connection: Connection | None = None,
        namespace: str = "",
        **where: Any,
    ) -> None:
        self.namespace = check_namespace(namespace)
        self._connection = Connection.share_or_open(connection, **where)
        self._redis = self._connection.client

    def close(self) -> None:
        """Close the connection, unless it is shared. Release the leases first."""
        self._connection.close()

    def take(self, store_id: str, reason: str, *, owner: str = "", ttl: float = TTL) -> Lease:
        """Be the one who changes a target, until the lease is released.

        Args:
            store_id: the target's store; or a name that all who change the target take, such as `target_lease` makes of
                its adapter's.
            reason: what for, for others to read.
            owner: who; host and process id when it is not given.
            ttl: seconds after which the lease ends if this process gives no sign of life.

        Raises:
            LeaseHeld: another one has it; `.holder` says who.
        """
        if not ttl >= 0.1:
            raise ObjectStoreException(f"The ttl of a lease must be at least 0.1 seconds, not {ttl}.")
        nonce = secrets.token_hex(8)
        told = [readable(owner or _this_process()), readable(reason)]
        token = self._take(store_id, [nonce, *told, math.ceil(ttl * 1000), _remembered(ttl)])
        return Lease(self._redis, store_id, token, nonce, ttl, self.namespace)

    def lock(self, store_id: str, reason: str, *, owner: str = "") -> Holder | None:
        """Lock the target for maintenance until `break_lease`. The lock outlives this process.

        Raises:
            LeaseHeld: another one has the lease.
        """
        self._take(store_id, [secrets.token_hex(8), readable(owner or _this_process()), readable(reason), "", ""])
        return self.holder(store_id)

    def break_lease(self, store_id: str) -> Holder | None:
        """Remove a maintenance lock or the lease of a dead process; return its holder, or None if there was none.

        What the process writes to the store under the lease from now on is refused. What it does to the target's own
        system is not, unless that system checks the fencing token: see that the process has ended.
        """
        with translated_errors():
            return _read(_END(self._redis, [StoreKeys(store_id, self.namespace).lease], [_remembered(0)]))

    def holder(self, store_id: str) -> Holder | None:
        """Who has the lease; None if nobody has."""
        with translated_errors():
            return _read(_HOLDER(self._redis, [StoreKeys(store_id, self.namespace).lease], []))

    def held(self, names: Iterable[str]) -> Iterator[tuple[str, Holder]]:
        """Those of the leases that somebody has, each with who it is."""
        for name in names:
            if holder := self.holder(name):
                yield name, holder

    def _take(self, store_id: str, arguments: list[Any]) -> int:
        with translated_errors():
            is_taken, *answer = _TAKE(self._redis, [StoreKeys(store_id, self.namespace).lease], arguments)
        if is_taken:
            return int(answer[0])
        holder = _read(answer)
        remedy = (
            "Wait for it to end, or stop it; if its process is gone, the lease ends by itself at that time"
            if holder and holder.until
            else "Wait until it is unlocked, or ask its owner"
        )
        raise LeaseHeld(
            f"The lease on {_what(store_id)} is held by {holder}. {remedy}. Who is sure that nothing changes the target any more "
            f"ends it: `{command(self.namespace)} unlock {in_a_command(store_id)}`, or RedisLeases(...).break_lease({store_id!r}).",
            holder,
        )


def lost_message(store_id: str, owner: str) -> str:
    """What has happened to a lease that was lost, and what to do."""
    how = (
        f"{owner} has taken it after this process was silent for longer than the lease's time to live"
        if owner
        else "somebody has broken it, or another process has taken it while this one was silent"
    )
    return (
        f"The lease on {_what(store_id)} was lost: {how}. What this process has still to write is refused; what it wrote "
        "before stands. See that nobody else changes the target, load it again and make the diff anew."
    )


def _what(name: str) -> str:
    return f"{'target' if name.startswith(_TARGET) else 'store'} {name.removeprefix(_TARGET)!r}"


def _read(answer: list[Any]) -> Holder | None:
    if not answer:
        return None
    owner, reason, since, until, token, _ = (part.decode() for part in answer)
    return Holder(owner, reason, _time(since), _time(until) if until else None, int(token))


def _remembered(ttl: float) -> int:
    """Seconds for which Redis remembers the last token of a lease that is not renewed."""
    return max(DEFAULT_TTL, 2 * math.ceil(ttl))


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _time(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
