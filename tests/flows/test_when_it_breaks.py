"""The page on troubleshooting quotes messages of the code."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from airports.demo.prefect_stack import ROOT

PAGE = ROOT / "docs" / "how-to" / "when-it-breaks.md"
OF_PREFECT = ("prefect.runner._flow_run_executor",)


def quotes() -> list[str]:
    rows = [line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    return [quote for row in rows for quote in re.findall(r'"([^"]+)"', row)]


def texts() -> Iterator[str]:
    """Yield the fixed parts of each message of the project, and of some of Prefect's own."""
    modules = [Path(str(import_module(name).__file__)) for name in OF_PREFECT]
    for file in (*(ROOT / "diffsync_store").rglob("*.py"), *(ROOT / "flows").rglob("*.py"), *modules):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="module")
def messages() -> list[str]:
    return list(texts())


def test_the_page_quotes_messages() -> None:
    assert len(quotes()) > 15


@pytest.mark.slow
@pytest.mark.parametrize("quote", quotes())
def test_each_quote_is_a_message_of_the_code(quote: str, messages: list[str]) -> None:
    for part in (part.strip(" '") for part in quote.split("…")):
        assert any(part in text for text in messages), part
