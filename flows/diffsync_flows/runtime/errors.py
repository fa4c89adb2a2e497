"""Errors that the user can fix: a run that meets one ends as Failed with its message alone."""

from diffsync_store.project import EXPECTED_ERRORS, UserError

__all__ = ["EXPECTED_ERRORS", "UserError"]
