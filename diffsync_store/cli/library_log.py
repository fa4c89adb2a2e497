"""The library's log during a command."""

import logging

import structlog


def silence_library_log() -> None:
    """Drop the library's log, which has a line for each record; commands print the results."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
