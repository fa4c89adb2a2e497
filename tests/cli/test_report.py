"""`diffsync-store report`: one document, in which names of records are only text."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.report.markdown_report import MAX_COMMENT, code, markdown_report
from tests.cli.conftest import CommandLine
from tests.cli.test_undo import planned, project
from tests.serve.test_pages import NAME

__all__ = ["project"]
Report = Callable[..., str]


@pytest.fixture
def diff_id(project: CommandLine) -> str:
    rows = project.folder / "data/sites.csv"
    rows.write_text(rows.read_text("utf-8") + f'"{NAME}",eu,"`**@everyone** | [x](http://x)",secret-9\n', "utf-8")
    return planned(project)


@pytest.fixture
def report(project: CommandLine, diff_id: str, redis_url: str) -> Report:
    options = ["--url", redis_url, "--namespace", project.folder.name]

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*options, "report", diff_id, *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_an_html_report_stands_alone_and_shows_no_secret(project: CommandLine, report: Report) -> None:
    text = report()
    assert text.startswith("<!doctype html>")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in text
    assert not re.search(r"<script|\son\w+=|<link|<img|src=|href=|secret-|\u202e", text)
    assert "1 delete," in text
    assert "more operations are not in this report" in report("--limit", "1")
    out = project.folder / "report.html"
    report("-o", str(out))
    assert out.read_text("utf-8") == text


def test_a_markdown_report_formats_nothing_of_a_record(report: Report) -> None:
    text = report("--format", "markdown")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inside = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inside} <= {"text", "code_inline", "softbreak", "hardbreak"}
    assert any("@everyone" in child.content for child in inside if child.type == "code_inline")
    assert not any("@" in child.content for child in inside if child.type == "text")
    assert "secret-" not in text
    assert len(text) <= MAX_COMMENT


@given(st.text(min_size=1, max_size=60))
def test_any_text_is_inline_code(text: str) -> None:
    inline = MarkdownIt("commonmark").parse(f"x {code(text)} y")[1].children or []
    assert [child.type for child in inline] == ["text", "code_inline", "text"]


def test_a_markdown_report_fits_a_comment(project: CommandLine, diff_id: str, redis_url: str) -> None:
    with closing(RedisDiffs(url=redis_url, namespace=project.folder.name)) as diffs:
        text = "\n".join(markdown_report(diffs.open(diff_id), 1000, 900))
    assert len(text) <= 900
    assert "more operations are not shown" in text


def test_a_file_that_cannot_be_written_is_one_line(project: CommandLine, diff_id: str, redis_url: str) -> None:
    options = ["--url", redis_url, "--namespace", project.folder.name, "report", diff_id, "--out"]
    for name in ("missing/diff.html", "."):
        done = CliRunner().invoke(app, [*options, str(project.folder / name)])
        assert done.exit_code == 1
        assert done.stderr.startswith(f"{project.folder / name} cannot be written: ")
        assert done.stderr.endswith(". Name another file with --out.\n")
        assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_output_to_a_full_disk_is_one_line(project: CommandLine, diff_id: str) -> None:
    for words in (
        ["diffs"],
        ["stores"],
        ["show", diff_id],
        ["changes", diff_id],
        ["changes", diff_id, "--json"],
        ["report", diff_id],
    ):
        with Path("/dev/full").open("wb") as full, project.start(*words, stdout=full.fileno()) as running:
            assert running.stderr
            message = running.stderr.read()
            assert running.wait(200) == 1, message
        assert message == "The output cannot be written: No space left on device\n"
