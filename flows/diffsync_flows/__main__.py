"""`python -m diffsync_flows` is the command `diffsync-flows`."""

from diffsync_flows.cli import main

if __name__ == "__main__":
    main()
