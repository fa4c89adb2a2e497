"""`diffsync-store serve`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import echo_error, project_command
from diffsync_store.cli.connection import is_embedded, open_context
from diffsync_store.cli.extras import needs_extra


@project_command
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on. Default: `serve: {host: …}` of the file.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, show_default=False, help="Port. Default: that of the file, or 8080.")
    ] = None,
    file: Path | None = None,
) -> None:
    """Serve the page to review diffs on, and its API.

    Without an identity in the file, the page is read-only and for people on this machine.
    """
    with needs_extra("serve"):
        from diffsync_store.serve.app import create_app
        from diffsync_store.serve.pages import page_routes
        from diffsync_store.serve.running import LibraryRunner, find_runner
        from diffsync_store.serve.server import run_server, with_address

    _log_to_stderr()
    with open_context(file) as context:
        settings = with_address(context.project.serve_settings(), host, port)
        scheduler = find_runner(context.project.path)
        runner = scheduler or LibraryRunner(context, trust_journal=is_embedded(context.project))
        app = create_app(context, settings, runner, page_routes())
        if not settings.identity.is_configured:
            echo_error("Read-only: nobody can decide until `serve: {identity: …}` is in the file.")
        run_server(app, settings, lambda: echo_error(f"The page is on {settings.origin}. Press Ctrl-C to stop."))


def _log_to_stderr() -> None:
    """Write the log of the server, with its audit lines, to standard error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
