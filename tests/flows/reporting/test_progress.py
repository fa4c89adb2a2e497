from threading import Event

import pytest

from diffsync_flows.reporting.progress import ProgressState, format_progress, repeat_in_background


@pytest.mark.parametrize(
    ("state", "since", "seconds", "line"),
    [
        (
            ProgressState("diff", 12_000, 28_000),
            12_000,
            10.0,
            "diff: 12,000 of 28,000 elements, 1,200 a second, 0:00:13 left",
        ),
        (ProgressState("sync", 12, 7_212), 12, 60.0, "sync: 12 of 7,212 elements, 12.0 a minute, 10:00:00 left"),
        (ProgressState("load", 500, None, "objects"), 500, 5.0, "load: 500 objects, 100 a second"),
        (
            ProgressState("load", 50, 40, "objects", is_estimate=True),
            50,
            5.0,
            "load: 50 of about 40 objects, 10 a second",
        ),
        (ProgressState("sync", 500, 1_000), 0, 5.0, "sync: 500 of 1,000 elements"),
    ],
)
def test_a_line_has_the_amount_the_rate_and_the_time_left(
    state: ProgressState, since: int, seconds: float, line: str
) -> None:
    assert format_progress(state, since, seconds) == line


def test_the_report_repeats_until_the_work_ends() -> None:
    called = Event()
    with repeat_in_background(called.set, seconds=0.01):
        assert called.wait(100)
    called.clear()
    assert not called.wait(0.05)
