"""Windows of a sync: pure functions of a time, also when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cronsim import CronSim
from pydantic import ValidationError

from diffsync_store.project import Window, closing, next_opening

ZURICH = "Europe/Zurich"  # summer time begins on 29 March 2026 at 2:00, and ends on 25 October at 3:00
NIGHTS = Window.model_validate({"allow": "0 22 * * 1-5", "for": "6h", "timezone": ZURICH})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def window(allow: str, duration: str, timezone: str = ZURICH) -> Window:
    return Window.model_validate({"allow": allow, "for": duration, "timezone": timezone})


@pytest.mark.parametrize(
    ("now", "closes"),
    [
        ("2026-11-27T21:59:59.999999+01:00", None),
        ("2026-11-27T22:00:00+01:00", "2026-11-28T04:00:00+01:00"),
        ("2026-11-27T22:00:00.000001+01:00", "2026-11-28T04:00:00+01:00"),
        ("2026-11-28T03:59:59.999999+01:00", "2026-11-28T04:00:00+01:00"),
        ("2026-11-28T04:00:00+01:00", None),
        ("2026-11-28T22:30:00+01:00", None),  # a Saturday
    ],
)
def test_the_opening_belongs_to_a_window_and_the_closing_does_not(now: str, closes: str | None) -> None:
    assert closing([NIGHTS], utc(now)) == (utc(closes) if closes else None)


def test_the_next_opening_is_after_the_weekend() -> None:
    opening = next_opening([NIGHTS], utc("2026-11-28T10:00:00+01:00"))
    assert opening is not None
    assert f"{opening:%Y-%m-%d %H:%M} {opening.tzinfo}" == "2026-11-30 22:00 Europe/Zurich"


def test_of_several_windows_the_last_closing_and_the_first_opening_count() -> None:
    windows = [NIGHTS, window("0 23 * * *", "1h"), window("0 12 * * 6", "30m", "UTC")]
    assert closing(windows, utc("2026-11-27T23:30:00+01:00")) == utc("2026-11-28T04:00:00+01:00")
    assert next_opening(windows, utc("2026-11-28T05:00:00+01:00")) == utc("2026-11-28T12:00:00+00:00")
    assert closing([], utc("2026-11-27T23:30:00+01:00")) is None
    assert next_opening([], utc("2026-11-27T23:30:00+01:00")) is None


@pytest.mark.parametrize(
    ("night", "opens", "closes"),
    [
        ("2026-03-28", "2026-03-28T22:00:00+01:00", "2026-03-29T05:00:00+02:00"),  # the hour from 2 to 3 is missing
        ("2026-10-24", "2026-10-24T22:00:00+02:00", "2026-10-25T03:00:00+01:00"),  # it comes twice
    ],
)
def test_a_window_stays_open_for_six_hours_also_when_the_clock_is_changed(night: str, opens: str, closes: str) -> None:
    every_night = [window("0 22 * * *", "6h")]
    opening = next_opening(every_night, utc(f"{night}T12:00:00+00:00"))
    assert opening == utc(opens)
    assert closing(every_night, utc(opens)) == utc(closes)
    assert closing(every_night, utc(closes) - timedelta(microseconds=1)) == utc(closes)
    assert closing(every_night, utc(closes)) is None


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),  # 2:30 does not exist
        ("2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),  # the first of two
        ("2026-10-25T02:45:00+02:00", "2026-10-26T02:30:00+01:00"),
    ],
)
def test_a_time_that_is_skipped_or_comes_twice_opens_once(now: str, opens: str) -> None:
    early = [window("30 2 * * *", "20m")]
    opening = next_opening(early, utc(now))
    assert opening is not None
    assert opening.astimezone(UTC) == utc(opens)
    assert closing(early, utc(opens)) == utc(opens) + timedelta(minutes=20)


@pytest.mark.parametrize("zone", [ZURICH, "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "UTC"])
@pytest.mark.parametrize("allow", ["0 22 * * *", "30 2 * * *", "*/45 1-3 * * *", "15 * * * 0"])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2026-03-07", "2026-10-31"])
def test_a_window_is_open_exactly_for_its_duration_after_each_opening(zone: str, allow: str, day: str) -> None:
    """Around each change of the clock: what is found backwards from now is what a look forwards finds."""
    one, start = window(allow, "50m", zone), utc(f"{day}T00:00:00+00:00")
    openings = [each.astimezone(UTC) for each in _until(one, start - timedelta(days=9), start + timedelta(days=3))]
    for minutes in range(0, 2 * 24 * 60, 10):
        now = start + timedelta(minutes=minutes)
        found = [
            each + one_duration for each in openings if each <= now < each + (one_duration := timedelta(minutes=50))
        ]
        assert closing([one], now) == max(found, default=None), now


def _until(one: Window, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    for opening in one.openings(start):
        if opening.astimezone(UTC) > end:
            return found
        found.append(opening)
    return found


def test_a_rare_window_is_found() -> None:
    leap = window("0 0 29 2 *", "1d", "UTC")
    opening = next_opening([leap], utc("2026-01-01T00:00:00+00:00"))
    assert opening == utc("2028-02-29T00:00:00+00:00")
    assert closing([leap], utc("2028-02-29T12:00:00+00:00")) == utc("2028-03-01T00:00:00+00:00")
    assert closing([leap], utc("2026-01-01T00:00:00+00:00")) is None


def test_a_window_that_lasts_longer_than_its_period_never_closes() -> None:
    always = window("0 * * * *", "2h", "UTC")
    assert closing([always], utc("2026-01-01T00:30:00+00:00")) == utc("2026-01-01T02:00:00+00:00")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"allow": "0 22 * *", "for": "6h"}, "is not a cron line that occurs"),
        ({"allow": "0 0 22 * * *", "for": "6h"}, "is not a cron line that occurs"),
        ({"allow": "0 25 * * *", "for": "6h"}, "is not a cron line that occurs"),
        ({"allow": "0 0 30 2 *", "for": "6h"}, "is not a cron line that occurs"),
        ({"allow": "@daily", "for": "6h"}, "is not a cron line that occurs"),
        ({"allow": "0 22 * * *", "for": 0}, "above 0"),
        ({"allow": "0 22 * * *", "for": "6h", "timezone": "Mars/Olympus"}, "unknown time zone"),
        ({"allow": "0 22 * * *"}, "Field required"),
    ],
)
def test_a_window_that_cannot_work_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Window.model_validate(given)


def test_the_library_of_cron_lines_finds_backwards_what_it_finds_forwards() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    forwards = CronSim("0 22 * * 1-5", start)
    found = [next(forwards) for _ in range(5)]
    backwards = CronSim("0 22 * * 1-5", found[-1] + timedelta(minutes=1), reverse=True)
    assert [next(backwards) for _ in range(5)] == found[::-1]
