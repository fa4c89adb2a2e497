"""`diffsync-store token`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, cast

import typer

from diffsync_store.cli.app import echo, echo_error, project_command
from diffsync_store.cli.connection import open_project
from diffsync_store.cli.extras import needs_extra
from diffsync_store.project import Role, UserError

_ROLES = ("read", "start", "approve")


@project_command
def token(
    name: Annotated[str, typer.Argument(help="Whose token it is; decisions are recorded with this name.")],
    *,
    role: Annotated[list[str], typer.Option(help="What it may do: read, start or approve. Several times for several.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Number of days after which it expires.")] = 365,
    file: Path | None = None,
) -> None:
    """Make a token for the API of `serve`, and add its hash to the token file of the project.

    The token is printed once, on standard output; nothing keeps it. Remove its lines from the file to revoke it.
    """
    with needs_extra("serve"):
        from diffsync_store.serve.identity.tokens import add_token

    if unknown := [each for each in role if each not in _ROLES]:
        raise UserError(f"{unknown[0]!r} is not a role. Use {', '.join(_ROLES)}.")
    project = open_project(file)
    declared = project.declared.serve.identity.tokens
    if declared is None:
        raise UserError(
            f"{project.path} names no token file. Add `serve: {{identity: {{tokens: {{file: tokens.toml}}}}}}`."
        )
    path = project.path.parent / declared.file
    expires = (datetime.now(UTC) + timedelta(days=days)).date()
    echo(add_token(path, name, tuple(cast("list[Role]", role)), expires))
    echo_error(f"Added {name} to {path}; the token expires on {expires}. It is not shown again.")
