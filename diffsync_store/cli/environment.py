"""The environment of the process. No other module of the library reads it."""

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """Return the variables of the process."""
    return os.environ
