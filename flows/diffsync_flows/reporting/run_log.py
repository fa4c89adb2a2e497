"""Send the library's log to the log of the flow run.

Lines about single records that succeeded are left out: a first sync would have one for every record.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from prefect.logging.handlers import APILogHandler
from structlog.typing import EventDict, WrappedLogger

from diffsync_store.printable import printable

LIBRARY = "diffsync_store"
OMITTED = {"src", "dst", "flags", "diffs"}
"""Fields that are the same in every line of a run, or hold a whole record."""


@contextmanager
def library_log(redact: Callable[[str], str]) -> Iterator[None]:
    """Send what the library logs in the body to the flow run, with secrets redacted; within such a body, do nothing."""
    logger = logging.getLogger(LIBRARY)
    if any(isinstance(handler, _RunLogHandler) for handler in logger.handlers):
        yield
        return
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _drop_success, _as_text],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _RunLogHandler()
    handler.addFilter(_Redaction(redact))
    level = logger.level
    logger.setLevel(logging.INFO)
    previous, logger.handlers = (
        logger.handlers,
        [handler],
    )  # PREFECT_LOGGING_EXTRA_LOGGERS adds a handler that shows secrets
    try:
        yield
    finally:
        logger.handlers = previous
        logger.setLevel(level)
        handler.close()


class _RunLogHandler(APILogHandler):
    """Sends lines to the flow run."""


class _Redaction(logging.Filter):
    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redact(record.getMessage()), None
        return True


def _drop_success(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if event.get("status") == "success":
        raise structlog.DropEvent
    return event


def _as_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    text = str(event.pop("event", ""))
    details = " ".join(f"{key}={value}" for key, value in event.items() if key not in OMITTED)
    return printable(f"{text} ({details})" if details else text)
