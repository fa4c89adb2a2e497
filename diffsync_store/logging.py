"""Print the library's log to a console."""

from __future__ import annotations

import logging

import structlog

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def enable_console_logging(verbosity: int = 0) -> None:
    """Print the log to standard error: warnings at verbosity 0, operations at 1, every step at 2.

    Do not call this if the program configures structlog itself.
    """
    level = _LEVELS[max(0, min(verbosity, len(_LEVELS) - 1))]
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
