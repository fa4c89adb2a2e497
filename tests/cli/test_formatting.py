"""Tables of the command in terminals of several widths."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from diffsync_store.cli import formatting

ID = "inventory-20261129T095302-dd17fa"


@pytest.mark.parametrize(("columns", "stays"), [(200, True), (80, True), (40, False)])
@pytest.mark.parametrize("name", ["diff_id", "store_id"])
def test_an_id_can_be_copied_and_no_cell_is_cut(
    monkeypatch: pytest.MonkeyPatch, name: str, columns: int, stays: bool
) -> None:
    made = Console(file=io.StringIO(), width=columns)
    monkeypatch.setattr(formatting, "console", lambda: made)
    header = (name, "source → target", "create", "update", "delete", "outcome", "created")
    made.print(formatting.table(header, [(ID, "inventory → database", 1, 20, 300, "partly applied", "13 min")]))
    assert isinstance(made.file, io.StringIO)
    lines = made.file.getvalue().splitlines()
    assert any(ID in line for line in lines) is stays
    assert max(map(len, lines)) <= columns
    text = "".join("".join(lines).split())
    assert Counter(
        "".join((*header, ID, "inventory→database", "120300", "partlyapplied", "13min")).replace(" ", "")
    ) == Counter(text)
