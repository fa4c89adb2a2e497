"""`diffsync-store check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from diffsync_store.cli.app import echo, echo_error, project_command
from diffsync_store.cli.connection import DEFAULT_FILE, open_context, open_project
from diffsync_store.cli.formatting import escape_json
from diffsync_store.cli.progress import progress_bars
from diffsync_store.lifecycle import opened
from diffsync_store.project import EXPECTED_ERRORS, ConfigError, Problem, Project, find_problems
from diffsync_store.redaction import format_reason
from diffsync_store.runs import preview as preview_records
from diffsync_store.runs import preview_store, previewed_models


class _Answer(NamedTuple):
    """What a system or the store answered."""

    name: str
    """Of the adapter; `store` for the store."""
    problem: str
    """Why it does not work; empty if it does."""
    detail: str = ""


@project_command
def check(
    *,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also open each adapter and read the first record of each model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    file: Path | None = None,
) -> None:
    """Check the YAML file: each key, model, class and variable. Exits with 1 if there is a problem."""
    path = file or DEFAULT_FILE
    problems: list[Problem] = []
    answers: list[_Answer] = []
    counts = ""
    try:
        project = open_project(file)
        problems += find_problems(project)
        counts = f"adapters: {len(project.adapters)}, syncs: {len(project.syncs)}"
    except ConfigError as error:
        problems += error.problems
    else:
        if connect and not problems:
            with progress_bars():
                answers += [_store_answer(file), *(_answer(project, name) for name in project.adapters)]
    _report(path, problems, answers, counts, as_json=as_json)
    if problems or any(answer.problem for answer in answers):
        raise typer.Exit(1)


def _report(path: Path, problems: list[Problem], answers: list[_Answer], counts: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(escape_json(json.dumps(_document(path, problems, answers), ensure_ascii=False)))
        return
    for problem in problems:
        echo_error(problem)
    for answer in answers:
        if answer.problem:
            echo_error(f"{answer.name}: {answer.problem}")
        else:
            echo(f"{answer.name}: OK{answer.detail and f' ({answer.detail})'}")
    if not problems:
        echo(f"{path}: OK ({counts})")


def _document(path: Path, problems: list[Problem], answers: list[_Answer]) -> dict[str, Any]:
    return {
        "version": 1,
        "file": str(path),
        "problems": [
            {
                "line": problem.line,
                "column": problem.column,
                "location": list(problem.location),
                "message": problem.message,
            }
            for problem in problems
        ],
        "connections": [{"name": each.name, "problem": each.problem or None} for each in answers],
    }


def _store_answer(file: Path | None) -> _Answer:
    try:
        with open_context(file) as context:
            context.check_store()
    except EXPECTED_ERRORS as error:
        return _Answer("store", str(error))
    return _Answer("store", "")


def _answer(project: Project, name: str) -> _Answer:
    """Open an adapter and read the first record of each model."""
    read = []
    try:
        with project.secrets.redacted_errors():
            system = project.make_adapter(name, preview_store())
            with opened(system):
                models = previewed_models(system)
            for model in models:
                system = project.make_adapter(name, preview_store(model, 1))
                with opened(system):
                    read += [model] * bool(list(preview_records(system, model, 1)))
    except NotImplementedError:
        return _Answer(name, "", "this adapter does not read")
    except Exception as error:  # noqa: BLE001  # code of the user, and any library that it uses
        return _Answer(name, format_reason(error))
    return _Answer(name, "", f"read {', '.join(read)}" if read else "no records")
