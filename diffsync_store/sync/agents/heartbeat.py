"""The signs of life of an agent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, Self

from diffsync_store.agents import Claim, RoundOver
from diffsync_store.exceptions import ObjectStoreException, SyncStopped

_MAX_PAUSE = 2.0
"""Maximum seconds between two signs of life: an agent learns from the answer that it has to stop."""


class Agents(Protocol):
    """What a heartbeat needs of `RedisAgents`."""

    def renew(self, claim: Claim | None, done: int) -> None:
        """Show that this agent is alive."""


class Heartbeat:
    """Renews the claim of an agent in the background while it works. A context manager.

    Args:
        agents: the agent.
        lease: seconds that its claim lasts without a sign of life.
        done: Returns the number of operations that it has handled.
    """

    def __init__(self, agents: Agents, lease: float, done: Callable[[], int]) -> None:
        self._agents = agents
        self._lease = lease
        self._done = done
        self._lock = threading.Lock()
        self._claim: Claim | None = None
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agent", daemon=True)
        self.loss: SyncStopped | None = None
        """Why this agent may write no more."""
        self.stop: RoundOver | None = None
        """Another agent has stopped the round."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self, claim: Claim | None) -> None:
        """Renew this claim from now on."""
        with self._lock:
            self._claim, self._renewed = claim, time.monotonic()

    def check(self) -> None:
        """Check the claim before something is sent or stored; asks Redis only if the last renewal is too long ago.

        Raises:
            SyncStopped: Another agent has taken over the unit, or the round has ended without this agent.
        """
        if self.loss is None and time.monotonic() - self._renewed > self._lease / 2:
            self.renew()
        if self.loss is not None:
            raise self.loss

    def renew(self) -> None:
        """Renew the claim now."""
        with self._lock:
            now = time.monotonic()
            try:
                self._agents.renew(self._claim, self._done())
            except RoundOver as over:
                self.stop = over if over.reason else None
            except SyncStopped as error:
                self.loss = error
            self._renewed = now

    def _run(self) -> None:
        while self.loss is None and not self._ended.wait(min(self._lease / 3, _MAX_PAUSE)):
            try:
                self.renew()
            except ObjectStoreException:  # Redis may answer the next time
                continue
