"""Make relative paths in an adapter's settings absolute: they begin at the folder of the YAML file.

A path is a setting whose type is Path, and the file of a SQLite URL such as `sqlite:///inventory.db`.
"""

import re
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:|\?|[A-Za-z]:)(.+)")


def with_absolute_paths(model: type[BaseModel], settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings as they are before their validation, with absolute paths.

    Args:
        model: the model of the settings.
        settings: the data.
        folder: where relative paths begin.
    """
    found = dict(settings)
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in found:
            found[key] = _absolute(field.annotation, found[key], folder)
    return found


def _absolute(annotation: Any, value: Any, folder: Path) -> Any:
    if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return with_absolute_paths(annotation, value, folder)
    if isinstance(value, list):
        return [_absolute(annotation, item, folder) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if _takes_path(annotation):
        return str(folder / value)
    return _SQLITE.sub(lambda url: f"{url[1]}{folder / url[2]}", value)


def _takes_path(annotation: Any) -> bool:
    is_path = isinstance(annotation, type) and issubclass(annotation, Path)
    return is_path or any(map(_takes_path, get_args(annotation)))
