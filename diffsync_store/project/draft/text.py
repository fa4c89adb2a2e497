"""The text of a drafted project file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from diffsync_store.project.draft.draft import Draft
from diffsync_store.project.yaml_package import YAML, CommentedMap, DoubleQuotedScalarString

STORE = """\
# Prefect needs a Redis that all workers reach. Without it, diffsync-store keeps its data beside this file.
# store: {url: "${REDIS_URL}"}
"""
WITH_STORE = 'store: {url: "${REDIS_URL}"}\n'
_HEAD = """\
# Written by `diffsync-store init`. Next, find mistakes in this file, look at the first records, and see what would change:
#   diffsync-store check
#   diffsync-store preview {source}
#   diffsync-store plan {sync}
# ${{NAME}} is a variable of the environment.

"""
_WIDTH = 120


def draft_text(draft: Draft) -> str:
    """Return the text of the file, with remarks on what a person has to decide."""
    content = draft.content()
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    parts = [_HEAD.format(source=draft.source.name, sync=draft.sync_name), STORE]
    for key, value in content.items():
        stream = io.StringIO()
        yaml.dump({key: _laid_out(value)}, stream)
        parts.append(f"\n{stream.getvalue()}")
    return "".join(parts) + "\n" + "".join(f"# {line}".rstrip() + "\n" for line in _remarks(draft))


def _remarks(draft: Draft) -> Iterator[str]:
    lines = list(draft.remarks())
    if lines:
        yield "To decide:"
        yield from (f"- {line}" for line in lines)


def _laid_out(value: Any) -> Any:
    """Return a mapping whose innermost mappings stand on one line each, if they are short."""
    if isinstance(value, str) and "?" in value:
        return DoubleQuotedScalarString(value)  # other readers of YAML refuse `{type: str?, ...}`
    if not isinstance(value, Mapping):
        return value
    found = CommentedMap()
    for key, inner in value.items():
        found[key] = _laid_out(inner)
    if (
        value
        and all(not isinstance(inner, Mapping | list) for inner in value.values())
        and len(str(value)) < _WIDTH - 30
    ):
        found.fa.set_flow_style()
    return found
