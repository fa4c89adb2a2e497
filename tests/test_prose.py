"""Words and phrases that the documentation, docstrings, comments and messages must not contain.

`docs/glossary.md` has the words to use.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

INSTEAD = {
    r"in step": "in sync",
    r"budgets?": "change limits",
    r"the side that is right": "source of truth",
    r"mov(?:e|es|ing) over": "migrate",
    r"objects? of the top": "top-level object",
    r"(?:is|are|was|were|be|been) told(?! apart)": "say who reports what to whom",
    r"at hand": "available, cached",
    r"lets? go": "release",
    r"anew": "again, new",
    r"whether it is so": "whether it is true",
    r"spoken": "reported",
    r"ledger": "journal",
    r"outbox": "send queue",
    r"tally": "summary, count",
    r"withh(?:e|o)ld": "suppress",
    r"overtak(?:e|es|en|ing)|overtook": "newer, stale, superseded",
    r"orphan(?:s|ed)?": "superseded run",
    r"slip of the pen": "typing error",
    r"as ever": "as usual",
    r"and (?:their|its) like": "and similar ones",
    r"in earnest": "really",
    r"no use that": "say what uses it",
    r"of one's own": "custom, its own",
    r"in the place of": "instead of, replaces",
    r"is no (?:valid|Unicode|coroutine|class|model|number|key|built-in)": "is not a",
}
"""Regular expressions, matched as whole words without case, with their replacements."""

EXEMPT = {"docs/glossary.md": "lists the words that are not written"}
"""Pages that may contain the words, and why."""

FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "docker/compose.yaml"]
PAGES = [*FILES, *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
MODULES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("diffsync_store", "flows/diffsync_flows", "examples/airports")
    for path in (ROOT / folder).rglob("*.py")
]


def prose(file: str) -> Iterator[str]:
    """Yield the text of a page, or the strings and comments of a module."""
    text = (ROOT / file).read_text("utf-8")
    if not file.endswith(".py"):
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


@pytest.mark.parametrize("file", sorted(PAGES + MODULES))
def test_no_text_has_a_word_that_the_glossary_replaces(file: str) -> None:
    if file in EXEMPT:
        return
    found = {
        f"{match[0]!r}: write {instead!r}"
        for text in prose(file)
        for pattern, instead in INSTEAD.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", " ".join(text.split()), re.IGNORECASE)
    }
    assert found == set()
