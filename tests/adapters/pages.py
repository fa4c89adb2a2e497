"""Pages of ready adapters: their file, which runs, and their tables, which name every setting."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

PAGES = Path(__file__).parents[2] / "docs" / "adapters"


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (PAGES / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def named_in_tables(page: str) -> set[str]:
    """The names in the first column of the tables of a page."""
    rows = re.findall(r"^\| (`.*?) \|", (PAGES / page).read_text("utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def fields(*models: type[BaseModel]) -> set[str]:
    return {name for model in models for name in model.model_fields}
