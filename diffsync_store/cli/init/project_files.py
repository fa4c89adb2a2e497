"""The files of the new project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from diffsync_store.cli.app import echo_error
from diffsync_store.project.draft import WITH_STORE, Draft, draft_text

FILE = "syncs.yaml"
_HOOKS = "diffsync_store.init"
"""Entry points of packages that add files to a new project: each takes the text of the file and returns texts by file names."""


def write_files(file: Path, draft: Draft) -> list[str]:
    """Write the files that are not there yet, and return their names."""
    text = draft_text(draft)
    texts = {FILE: text, **_texts_of_hooks(_with_store(text))}
    new = {name: content for name, content in texts.items() if not os.path.lexists(file.parent / name)}
    file.parent.mkdir(parents=True, exist_ok=True)
    for name, content in new.items():
        with (file.parent / name).open("x", encoding="utf-8") as stream:
            stream.write(content)
    return list(new)


def _with_store(text: str) -> str:
    return re.sub(r"^# store: .*$", WITH_STORE.strip(), text, count=1, flags=re.MULTILINE)


def _texts_of_hooks(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for point in entry_points(group=_HOOKS):
        try:
            found |= point.load()(text)
        except ImportError as error:  # the package is there without what it needs
            echo_error(
                f"No files for {point.name} are written: {error}. To run the sync with {point.name} later: "
                "pip install 'diffsync-store[flows]'"
            )
    return found
