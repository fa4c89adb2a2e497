"""The command `diffsync-flows`, also as `python -m diffsync_flows`."""

import sys


def main() -> None:
    """Run the command, or say how to install what it needs."""
    try:
        from diffsync_flows.cli import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("diffsync"):  # an error in this package
            raise
        sys.exit(f"diffsync-flows needs the package {error.name}: pip install 'diffsync-store[flows]'")
    except KeyboardInterrupt:  # the import takes seconds
        sys.exit("Interrupted. Nothing was changed.")
    try:
        app(prog_name="diffsync-flows")
    except OSError as error:
        from diffsync_store.printable import system_error

        sys.exit(system_error(error))


if __name__ == "__main__":
    main()
