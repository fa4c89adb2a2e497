"""Keep a sync from writing outside of its windows."""

from collections.abc import Callable
from datetime import UTC, datetime

from diffsync_store.project import SyncEntry, UserError, closing, format_duration, next_opening
from diffsync_store.runs.sync_request import SyncRequest, override_reason

_STOPPED = "Stopped, because the window has closed. The remaining operations are pending. "


class WindowClosed(UserError):
    """No window of the sync is open. Nothing was applied."""


class OpenWindow:
    """Whether a sync may still write. Threads may share it: one that reads an old closing only looks at the windows once more.

    Args:
        sync_name: the sync.
        declared: its entry in the file.
        request: the request to apply its diff; one with a reason may write at any time.
        clock: returns the time.
    """

    def __init__(
        self,
        sync_name: str,
        declared: SyncEntry,
        request: SyncRequest,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sync_name = sync_name
        self._windows = declared.windows
        self._is_limited = bool(declared.windows) and not request.outside_window
        self.request = request
        self._clock = clock
        self._until = datetime.min.replace(tzinfo=UTC)

    @property
    def is_closed(self) -> bool:
        """Whether the sync must not write now."""
        now = self._clock()
        if not self._is_limited or now < self._until:
            return False
        self._until = closing(self._windows, now) or self._until
        return now >= self._until

    @property
    def next_opening(self) -> datetime | None:
        """When the next window opens, in its time zone; None if none does."""
        return next_opening(self._windows, self._clock())

    def seconds_left(self, most: float) -> float:
        """Return the seconds until the next window opens, if they are not more than `most`."""
        opening = self.next_opening
        left = most if opening is None else (opening - self._clock()).total_seconds()
        return min(max(0.0, left), most)

    @property
    def waits(self) -> str:
        """What an approved sync waits for."""
        opening = self.next_opening
        return (
            f"Approved, waits for the window that opens at {_shown(opening)}."
            if opening
            else "No window opens any more."
        )

    @property
    def rest_waits(self) -> str:
        """What the rest of an approved sync waits for in which the window has closed."""
        opening = self.next_opening
        return f"{_STOPPED}They wait for the window that opens at {_shown(opening)}." if opening else self.stop_reason

    @property
    def opens(self) -> str:
        """When the next window opens, as a sentence."""
        opening = self.next_opening
        if opening is None:
            return "No window of it opens any more."
        seconds = (opening.astimezone(UTC) - self._clock()).total_seconds()
        left = format_duration(max(60, seconds // 60 * 60))
        return f"The next window opens at {_shown(opening)} (in {left})."

    @property
    def remedy(self) -> str:
        """When the next window opens, and what to do then."""
        return (
            f"{self.opens} Apply the diff {self.request.diff_id} then. To apply it now, give a reason: `diffsync-store apply "
            f"{self.request.diff_id} --outside-window REASON`, or the parameter `outside_window` of a sync's flow run."
        )

    @property
    def refusal(self) -> str:
        """Why nothing may be applied now; empty if a window is open."""
        if not self.is_closed:
            return ""
        return f"Nothing was applied: no window of the sync {self._sync_name} is open. {self.remedy}"

    def require(self) -> None:
        """Check that a window is open.

        Raises:
            WindowClosed: none is.
        """
        if text := self.refusal:
            raise WindowClosed(text)

    @property
    def override(self) -> str:
        """The reason to write although no window is open; empty if one is open, or there is no reason."""
        reason = override_reason(self.request.outside_window)
        is_outside = bool(self._windows and reason) and closing(self._windows, self._clock()) is None
        return reason if is_outside else ""

    @property
    def stop_reason(self) -> str:
        """Why a sync has stopped in which the window has closed."""
        return f"{_STOPPED}{self.remedy}"


def _shown(opening: datetime) -> str:
    return f"{opening:%Y-%m-%d %H:%M} {opening.tzinfo}"
