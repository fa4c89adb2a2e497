"""Read Lua from its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

_FOLDER = resources.files("diffsync_store.store.redis.scripts") / "lua"
_INCLUDE = re.compile(r"^-- include (\S+)\n", re.MULTILINE)


def read_source(name: str) -> str:
    """Return the Lua of `lua/NAME.lua`.

    A line `-- include NAME` puts that file before this one; each file is included once.
    """
    return "\n".join(_pieces(name, set()))


def _pieces(name: str, seen: set[str]) -> Iterator[str]:
    if name in seen:
        return
    seen.add(name)
    text = (_FOLDER / f"{name}.lua").read_text("utf-8")
    for included in _INCLUDE.findall(text):
        yield from _pieces(included, seen)
    yield _INCLUDE.sub("", text)
