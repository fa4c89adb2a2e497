"""What a person can mend: the message says what is wrong, and what to do."""

from diffsync_store import ChangeLimitExceeded, InvalidOptions, ObjectStoreException, SyncStopped


class UserError(ValueError):
    """A run cannot go on with what it was given."""


KNOWN = (UserError, ObjectStoreException, SyncStopped, ChangeLimitExceeded, InvalidOptions)
