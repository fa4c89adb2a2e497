"""Which keyword arguments an adapter's class takes, before anything is made with them."""

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from textwrap import dedent
from typing import Any

from diffsync_flows.config.messages import instead_of
from diffsync_store import Adapter

OVERRIDES = ("name", "internal_storage_engine")
"""What the flows give every adapter."""


def faults_of_arguments(adapter_class: type[Adapter], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Which names are wrong or are missing, and why; an empty name for what is about none of them."""
    given = [name for name in OVERRIDES if name in names]
    for name in given:
        yield name, "is given by the flows to every adapter, and is no setting"
    left = [name for name in names if name not in OVERRIDES]
    known = accepted(adapter_class)
    unknown = [name for name in left if known is not None and name not in known]
    for name in unknown:
        yield name, f"{adapter_class.__name__} takes no such setting{instead_of(name, known or ())}"
    try:
        inspect.signature(adapter_class).bind(
            **dict.fromkeys(OVERRIDES), **dict.fromkeys(name for name in left if name not in unknown)
        )
    except TypeError as error:
        yield "", f"{adapter_class.__name__} {error}"


def accepted(adapter_class: type) -> list[str] | None:
    """The names of the settings; None where a class may take any.

    A class that only passes its `**options` on to the class below takes what that one takes.
    """
    names: list[str] = []
    for each in adapter_class.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = inspect.signature(vars(each)["__init__"]).parameters
        named = [name for name, one in parameters.items() if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
        names += [name for name in named if name not in {"self", *OVERRIDES, *names}]
        options = _options(parameters)
        if not options:
            return names
        if not _only_passes_on(vars(each)["__init__"], options):
            return None
    return names


def _options(parameters: Mapping[str, inspect.Parameter]) -> str:
    return next((name for name, one in parameters.items() if one.kind is one.VAR_KEYWORD), "")


def _only_passes_on(function: Callable[..., Any], options: str) -> bool:
    """Whether `**options` goes into another `__init__`, and nowhere else."""
    try:
        tree = ast.parse(dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
    ]
    passed = [word.value for call in calls for word in call.keywords if word.arg is None]
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == options]
    return bool(used) and all(node in passed for node in used)
