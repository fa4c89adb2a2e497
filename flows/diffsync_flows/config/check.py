"""Check a whole file: every class, setting and variable in it."""

import os
import socket
from collections.abc import Iterator

from diffsync_flows.config.config import Config
from diffsync_store.project import ConfigError, Problem, find_problems


def check_file(config: Config) -> None:
    """Check a file that could be read; the store is not contacted.

    Raises:
        ConfigError: The file has problems; the error has all of them.
    """
    problems = [*find_problems(config), *_missing_directory(config)]
    if problems:
        raise ConfigError(problems)


def _missing_directory(config: Config) -> Iterator[Problem]:
    directory = config.declared.metrics.textfile_directory
    if directory is not None and not os.path.isdir(directory):  # noqa: PTH112  # pathlib raises for some names
        message = f"no directory {directory!r} on {socket.gethostname()}. Create it on every host that runs workers."
        yield config.file.problem(("metrics", "textfile_directory"), message)
