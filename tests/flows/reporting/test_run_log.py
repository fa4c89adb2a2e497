import logging
from collections.abc import Iterator

import pytest
import structlog
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings

from diffsync_flows.reporting.run_log import library_log


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_the_librarys_log_has_no_line_for_each_record(caplog: pytest.LogCaptureFixture) -> None:
    with (
        temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}),
        library_log(lambda text: text.replace("s3cr3t", "***")),
    ):
        log = structlog.get_logger("diffsync_store.syncer").bind(src="a", dst="b", model="airport", unique_id="LSZH")
        log.info("Created successfully", action="create", status="success")
        log.debug("Attempting model create", action="create")
        log.error("refused: s3cr3t", action="create", status="error", diffs={"+": {"name": "x"}})
        log.info("100 % of it")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "refused: *** (model=airport unique_id=LSZH action=create status=error)"),
        (logging.INFO, "100 % of it (model=airport unique_id=LSZH)"),
    ]


def test_no_other_handler_sends_the_lines_twice() -> None:
    logger = logging.getLogger("diffsync_store")
    other = logging.NullHandler()
    logger.addHandler(other)
    try:
        with library_log(str):
            assert other not in logger.handlers
        assert logger.handlers == [other]
    finally:
        logger.removeHandler(other)
