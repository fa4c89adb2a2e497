"""Reading the library's log on a console."""

from __future__ import annotations

import logging

import structlog

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def enable_console_logging(verbosity: int = 0) -> None:
    """Print the library's log to the console: 0 warnings, 1 also what was done, 2 also every step.

    A program that configures structlog by itself need not call this.
    """
    level = _LEVELS[max(0, min(verbosity, len(_LEVELS) - 1))]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
