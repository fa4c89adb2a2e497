"""All commands. Importing this module registers them in `app`."""

from diffsync_store.cli import init, check, preview, plan, rehearse, apply, undo, adopt, rules  # isort: skip  # the order of the help
from diffsync_store.cli import stores, diffs, report, agents, leases, serve, token, notify  # isort: skip
from diffsync_store.cli.app import app

__all__ = [
    "adopt",
    "agents",
    "app",
    "apply",
    "check",
    "diffs",
    "init",
    "leases",
    "notify",
    "plan",
    "preview",
    "rehearse",
    "report",
    "rules",
    "serve",
    "stores",
    "token",
    "undo",
]
