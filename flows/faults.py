"""What a person can mend: the message says what is wrong, and what to do."""


class Fault(ValueError):
    """A run cannot go on with what it was given."""
