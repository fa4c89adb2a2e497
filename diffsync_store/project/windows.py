"""The windows of a sync: the times in which it may write to its target. Pure functions of a time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, ConfigDict, Field

from diffsync_store.project.declaration import Declaration
from diffsync_store.project.duration import Seconds

_FIELDS = 5
_SAMPLE = datetime(2024, 1, 1, tzinfo=UTC)
"""Before a 29 February, so that a line which names that day occurs."""
_MARGIN = timedelta(hours=2)
"""A look backwards begins so much later: from within an hour that comes twice, it would miss openings of the first one."""
_NO_PLACES = {"Factory", "localtime"}
"""Time zones of the system that are not IANA names."""


def validate_timezone(name: str) -> str:
    """Check the IANA name of a time zone."""
    if name not in available_timezones() - _NO_PLACES:
        raise ValueError("unknown time zone. Give an IANA name such as UTC or Europe/Zurich")
    return name


def validate_cron(line: str) -> str:
    """Check that a cron line has five fields and occurs."""
    try:
        occurs = len(line.split()) == _FIELDS and next(CronSim(line, _SAMPLE), None) is not None
    except CronSimError:
        occurs = False
    if not occurs:
        raise ValueError(f"{line!r} is not a cron line that occurs. Give five fields, e.g. 0 22 * * 1-5")
    return line


class Window(Declaration):
    """When a sync may write: from each time of a cron line on, for a duration. Threads may share it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"allow": "0 22 * * 1-5", "for": "6h", "timezone": "Europe/Zurich"}]}
    )

    allow: Annotated[str, AfterValidator(validate_cron)]
    """When it opens, as a cron line of five fields: minute, hour, day of month, month, day of week."""
    duration: Seconds = Field(alias="for")
    """How long it stays open. This is elapsed time, also when the clock is changed."""
    timezone: Annotated[str, AfterValidator(validate_timezone)] = "UTC"
    """IANA name such as Europe/Zurich; `allow` follows its daylight saving time. A time that the clock skips is the next one that exists;
    a time that comes twice is the first one."""

    def openings(self, after: datetime) -> Iterator[datetime]:
        """Yield the times at which it opens, later than `after`, in its time zone."""
        yield from CronSim(self.allow, after.astimezone(ZoneInfo(self.timezone)))

    def closing(self, now: datetime) -> datetime | None:
        """Return when it closes, in UTC; None if it is closed now. The opening belongs to it, the closing does not."""
        local = (now.astimezone(UTC) + _MARGIN).astimezone(ZoneInfo(self.timezone))
        for opening in CronSim(self.allow, local, reverse=True):
            if opening.astimezone(UTC) <= now:
                closes = opening.astimezone(UTC) + timedelta(seconds=self.duration)
                return closes if now < closes else None
        return None


def closing(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return until when a sync may write at least, in UTC: at that time another window may be open. None if it may not write now."""
    return max((found for window in windows if (found := window.closing(now))), default=None)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the next window opens, in its time zone; None without windows."""
    found = (next(window.openings(now), None) for window in windows)
    return min((each for each in found if each), key=lambda each: each.astimezone(UTC), default=None)
