"""What a person can mend: the message says what is wrong, and what to do."""

from diffsync_store import BudgetExceeded, InvalidOptions, ObjectStoreException, SyncStopped


class UserError(ValueError):
    """A run cannot go on with what it was given."""


KNOWN = (UserError, ObjectStoreException, SyncStopped, BudgetExceeded, InvalidOptions)
