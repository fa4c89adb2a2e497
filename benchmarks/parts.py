"""Run single parts of `python -m benchmarks`, for modules that are one part."""

import importlib
import sys


def run_parts(*parts: str) -> None:
    """Run parts with the arguments of the command line."""
    importlib.import_module("benchmarks.__main__").main([*sys.argv[1:], "--parts", *parts])
