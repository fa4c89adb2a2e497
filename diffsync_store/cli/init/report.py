"""What the command has written, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from diffsync_store.cli.app import echo
from diffsync_store.cli.environment import environment
from diffsync_store.cli.init.project_files import FILE
from diffsync_store.project import Project, find_problems
from diffsync_store.project.draft import Draft


@dataclass(frozen=True)
class Report:
    """The result, for a person or as JSON."""

    written: Sequence[str]
    """Paths of the new files."""
    decide: Sequence[str]
    """What a person has to decide."""
    variables: Mapping[str, str]
    """Variables that are not set, with what each one holds."""
    problems: Sequence[str]
    """What `check` finds."""
    next: Sequence[str]
    """The next commands."""

    @classmethod
    def of(cls, draft: Draft, folder: Path, written: Sequence[str]) -> Self:
        """Return the report on a draft that was written."""
        file = folder / FILE
        variables = {**draft.source.variables, **draft.target.variables}
        values = {**draft.source.values, **draft.target.values}
        project = Project(file, {**environment(), **values})
        option = "" if folder == Path() else f" --file {file}"
        commands = ("check", f"preview {draft.source.name}", f"plan {draft.sync_name}", f"apply {draft.sync_name}")
        return cls(
            written=[str(folder / name) for name in written],
            decide=list(draft.remarks()),
            variables={name: held for name, held in variables.items() if name not in environment()},
            problems=[str(problem) for problem in find_problems(project)],
            next=[f"diffsync-store {command}{option}" for command in commands],
        )

    def print(self) -> None:
        """Print the report for a person."""
        for path in self.written:
            echo(f"wrote {path}")
        for remark in self.decide:
            echo(f"decide: {remark}")
        for problem in self.problems:
            echo(f"problem: {problem}")
        echo("")
        echo("Next:")
        for name, held in self.variables.items():
            echo(f"  export {name}=...  # {held}")
        for command in self.next:
            echo(f"  {command}")

    def print_json(self) -> None:
        """Print the report as one JSON document."""
        echo(json.dumps(asdict(self), ensure_ascii=False))
