"""The tables of docs/conformance.md, made from the docstrings. `python -m tests.conformance.page` updates the page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from diffsync_store.testing import ABILITIES, AdapterConformance
from diffsync_store.testing.cases.base import Cases

PAGE = Path(__file__).parents[2] / "docs/conformance.md"


def groups() -> list[type[Cases]]:
    return [group for group in reversed(AdapterConformance.__mro__) if issubclass(group, Cases) and cases_of(group)]


def cases_of(group: type) -> dict[str, str]:
    """The cases of a group, with what each one proves."""
    return {
        name: " ".join((inspect.getdoc(member) or "").split())
        for name, member in vars(group).items()
        if name.startswith("test_")
    }


def tables() -> dict[str, str]:
    return {"abilities": "\n".join(_abilities()), "cases": "\n".join(_cases())}


def _abilities() -> Iterator[str]:
    yield from ("| name | what it stands for |", "|---|---|")
    for name, meaning in ABILITIES.items():
        yield f"| `{name}` | {_cell(meaning)} |"


def _cases() -> Iterator[str]:
    for group in groups():
        yield from (f"**{inspect.getdoc(group)}**", "", "| case | what it proves |", "|---|---|")
        yield from (f"| `{name.removeprefix('test_')}` | {_cell(proof)} |" for name, proof in cases_of(group).items())
        yield ""


def _cell(text: str) -> str:
    return re.sub(r"([|<*_`$])", r"\\\1", text) if "keeps" in text else text.replace("|", "\\|")


def current(page: str) -> str:
    """Return the page with the tables of the present code."""
    for name, table in tables().items():
        before, _, rest = page.partition(f"<!-- {name} -->")
        _, _, after = rest.partition("<!-- end -->")
        page = f"{before}<!-- {name} -->\n\n{table.strip()}\n\n<!-- end -->{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(current(PAGE.read_text("utf-8")), "utf-8")
