"""Errors: values that JSON cannot represent, and JSON that is not a value."""


class NotStorable(Exception):
    """JSON cannot represent a value without a change."""


class Unreadable(Exception):
    """JSON that `pack` cannot have written."""
