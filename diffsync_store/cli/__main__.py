"""`python -m diffsync_store.cli` runs the command `diffsync-store`."""

from diffsync_store.cli import main

main()
