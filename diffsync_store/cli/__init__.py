"""The command `diffsync-store`: what lies in a Redis, and what may be done with it."""

import sys


def main() -> None:
    """Run the command; say how to get it where its packages are missing."""
    try:
        from diffsync_store.cli.commands import app
    except ImportError as error:
        sys.exit(f"diffsync-store needs the package {error.name}: pip install 'diffsync-store[cli]'")
    app(prog_name="diffsync-store")
