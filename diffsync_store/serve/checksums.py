"""Checksums of diffs that were read before: a checksum needs all elements of its diff."""

from collections import OrderedDict
from threading import Lock

from diffsync_store.diffs import SavedDiff

_MOST = 256


class Checksums:
    """Remembers the checksums that pages show. Threads may share it.

    A decision compares with the diff as it is in the store. So if somebody has changed a diff since its checksum was read, a form
    with the remembered one is refused.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._lock = Lock()

    def of(self, saved: SavedDiff) -> str:
        """Return the checksum of a diff."""
        record = saved.record
        key = (saved.namespace, record.diff_id, record.created.isoformat())
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        checksum = saved.checksum()
        with self._lock:
            self._found[key] = checksum
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
        return checksum
