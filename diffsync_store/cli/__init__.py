"""The command `diffsync-store`: inspect and manage the stores and saved diffs in Redis."""

import sys


def main() -> None:
    """Run the command, or name the extra to install if its packages are missing."""
    try:
        from diffsync_store.cli.commands import app
    except ImportError as error:
        sys.exit(f"diffsync-store needs the package {error.name}. Install it: pip install 'diffsync-store[cli]'")
    except KeyboardInterrupt:  # the import takes a while
        sys.exit("Interrupted. Nothing was changed.")
    app(prog_name="diffsync-store")
