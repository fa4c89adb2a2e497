"""Apply a planned diff from a terminal: the lease on the target, Ctrl-C, progress."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

import typer

from diffsync_store.adapter import Adapter
from diffsync_store.agents import Agent
from diffsync_store.cli.app import echo_error
from diffsync_store.cli.connection import Context, is_embedded
from diffsync_store.cli.progress import Bars, progress_bars
from diffsync_store.diffs import SavedDiff
from diffsync_store.lifecycle import opened
from diffsync_store.result import SyncResult
from diffsync_store.runs import SyncRequest, apply_saved, group_of, open_source, open_target, wait_for_lease
from diffsync_store.store.redis import Lease, RedisStore
from diffsync_store.sync.sync import applied_before

_LEASE_SECONDS = 10.0
"""How long the lease of a killed process lasts, before another one can continue its sync."""


def person() -> str:
    """Return who runs the command, as USER@HOST."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user has no name on this machine
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


class Applying:
    """One application of a planned diff.

    Args:
        context: the project.
        request: which operations to apply.
        by: who applies them.
        wait: seconds to wait for another sync of the target.
        agent: this process, if others may apply the diff at the same time.
    """

    def __init__(self, context: Context, request: SyncRequest, by: str, wait: int, agent: Agent | None = None) -> None:
        self._context = context
        self._request = request
        self._by = by
        self._wait = wait
        self._agent = agent

    def run(self, *, must_approve: bool, shows_progress: bool = True) -> SyncResult:
        """Apply the operations that are not done yet.

        Args:
            must_approve: refuse a diff that is not approved.
            shows_progress: in the terminal, where one process does it.

        Raises:
            typer.Exit: the person has interrupted it twice.
            Exception: of the target or the store. A note says how to continue.
        """
        diff_id = self._request.diff_id
        try:
            with (
                open_target(self._context, diff_id) as (saved, target),
                self._take_lease(target.name, f"apply {diff_id}") as lease,
                self._context.project.secrets.redacted_errors(),
            ):
                before = saved.journal().application()
                if before is not None:  # by the process that had the lease
                    return applied_before(before)
                with (
                    open_source(self._context, saved.record) as source,
                    progress_bars() if shows_progress else nullcontext() as bars,
                ):
                    return self._apply(saved, source, target, lease, bars, must_approve=must_approve)
        except KeyboardInterrupt:
            echo_error(f"Interrupted. {_continue(diff_id)}")
            raise typer.Exit(1) from None
        except Exception as error:
            if self._context.diffs().open(diff_id).journal().last_written() is not None:
                error.add_note(_continue(diff_id))
            raise

    def _apply(  # called here only
        self,
        saved: SavedDiff,
        source: RedisStore,
        target: Adapter,
        lease: Lease,
        bars: Bars | None,
        *,
        must_approve: bool,
    ) -> SyncResult:
        more = {"trust_journal": True} if is_embedded(self._context.project) else {}  # it keeps every write
        with opened(target), deferred_interrupt(says_so=bars is not None) as is_interrupted:
            return apply_saved(
                self._context,
                self._request,
                saved,
                source,
                target,
                lease=lease,
                by=self._by,
                require_approval=must_approve,
                should_stop=is_interrupted,
                callback=bars,
                agent=self._agent,
                **more,
            )

    def _take_lease(self, target: str, reason: str) -> Lease:
        """Take the lease on the target; wait for that of another process, which may be dead."""
        return wait_for_lease(
            self._context.leases(),
            target,
            reason,
            seconds=self._wait,
            ttl=_LEASE_SECONDS,
            group=group_of(self._request.diff_id) if self._agent is not None else "",
            on_wait=lambda error: echo_error(
                f"Waiting up to {self._wait} s, because {target} is in use by {error.holder}"
            ),
        )


@contextmanager
def deferred_interrupt(*, says_so: bool = True) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed or SIGTERM arrived; the second time, it interrupts the body.

    Args:
        says_so: print that it stops.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        if says_so:
            os.write(2, b"\nStopping after the running calls. Press Ctrl-C again to stop at once.\n")

    previous = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _continue(diff_id: str) -> str:
    return f"Continue with: diffsync-store apply {diff_id}"
