"""Errors of values: those that JSON cannot represent, and JSON that is no value."""


class NotStorable(Exception):
    """JSON cannot represent a value without a change."""


class Unreadable(Exception):
    """JSON that `pack` cannot have written."""
