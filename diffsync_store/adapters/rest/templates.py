"""Templates of paths and parameters: text with `{name}` in it, from a closed set of names.

    sites/{site}/devices/{id}

A value is quoted, so that it cannot leave its place in the path. There is nothing else in a template: no attributes, no formats.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

_NAME = re.compile(r"\{([A-Za-z_]\w*)\}")
_UNSAFE = frozenset({"", ".", ".."})
"""Values that would lead to another path."""


class InvalidTemplate(ValueError):
    """A template has a name that does not exist there, or a brace that belongs to no name."""


def require_template(template: str, names: Collection[str]) -> None:
    """Check a template.

    Raises:
        InvalidTemplate: it has another name than these.
    """
    found = set(_NAME.findall(template))
    unknown = sorted(found - set(names))
    if unknown:
        raise InvalidTemplate(
            f"The template {template!r} has {', '.join(unknown)}, which is unknown. Use {', '.join(sorted(names))}."
        )
    if set("{}") & set(_NAME.sub("", template)):
        raise InvalidTemplate(f"The template {template!r} has an unmatched brace.")


def names_in(template: str) -> list[str]:
    """Return the names in a template."""
    return _NAME.findall(template)


def filled_path(template: str, path: str, values: Mapping[str, Any]) -> str:
    """Return a path with its values, each of them quoted; `{path}` stands for a whole path.

    Raises:
        ValueError: a value is missing, or would lead to another path.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name == "path":
            return path
        value = values.get(name)
        text = "" if value is None else _text(value)
        if text in _UNSAFE:
            raise ValueError(f"The path {template!r} needs {name!r}, but its value is {text!r}.")
        return quote(text, safe="")

    return _NAME.sub(value_of, template)


def filled_text(template: str, values: Mapping[str, Any]) -> str | None:
    """Return a text with its values, for a parameter; None, so that the parameter is left out, if a value is missing."""
    if any(values.get(name) is None for name in names_in(template)):
        return None
    return _NAME.sub(lambda match: _text(values[match[1]]), template)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
