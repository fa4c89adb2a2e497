import logging
from threading import Event

import pytest

from flows.progress import Progress, repeated


def test_progress_is_logged_now_and_then_and_not_for_each_element(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    eager, patient = (Progress(logging.getLogger("test"), seconds) for seconds in (0.0, 60.0))
    eager("diff", 12_000, 28_000)
    for done in range(1000):
        patient("diff", done, 1000)
    assert caplog.messages == ["diff: 12,000 of 28,000 elements"]


def test_a_report_is_repeated_while_the_work_goes_on_and_ends_with_it() -> None:
    told = Event()
    with repeated(told.set, seconds=0.01):
        assert told.wait(10)
    told.clear()
    assert not told.wait(0.05)
