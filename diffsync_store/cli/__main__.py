"""`python -m diffsync_store.cli` is the command `diffsync-store`."""

from diffsync_store.cli import main

main()
