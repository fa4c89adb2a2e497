"""Digests of objects in memory, computed for a comparison with a store that keeps digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from diffsync_store.model import DiffSyncModel
from diffsync_store.store.digest import SIZE, digest_of
from diffsync_store.store.record import schema_of
from diffsync_store.store.subtree_digests import ABSENT, BucketSums, SubtreeDigest, SubtreeDigests

_MISSING_CHILD = ABSENT._replace(missing=1)
_LANE = SIZE // 2


class LocalSubtreeDigests(SubtreeDigests):
    """Digests of the objects in these dicts. The digest of each object is computed at its first use."""

    def __init__(self, objects: Mapping[str, Mapping[str, DiffSyncModel]]) -> None:
        self._objects = objects
        self._known: dict[tuple[str, str], SubtreeDigest] = {}
        self.schemas = {
            model: schema_of(sorted(set(map(type, of_model.values())), key=lambda kind: len(kind.__mro__)))
            for model, of_model in objects.items()
            if of_model
        }

    def of(self, model: str, uids: Sequence[str]) -> list[SubtreeDigest]:
        objects = self._objects.get(model, {})
        return [self._subtree(model, uid) if uid in objects else ABSENT for uid in uids]

    def sums(self, model: str) -> BucketSums | None:
        return None

    def members(self, model: str, buckets: Iterable[int]) -> dict[str, SubtreeDigest]:
        return {}

    def _subtree(self, model: str, uid: str) -> SubtreeDigest:
        """Return what an object contributes to the digest of its parent."""
        known = self._known.get((model, uid))
        if known is not None:
            return known
        obj = self._objects.get(model, {}).get(uid)
        if obj is None:
            return _MISSING_CHILD
        digest = digest_of(obj)
        digest, is_ignored = digest[:SIZE], digest.endswith(b"i", SIZE)
        if is_ignored:
            found = SubtreeDigest(digest, 0, 1, 0)
        else:
            self._known[model, uid] = _MISSING_CHILD  # an object below itself counts as missing, so that it is compared
            below = [
                self._subtree(child, child_uid)
                for child, field in obj.get_children_mapping().items()
                for child_uid in dict.fromkeys(getattr(obj, field))
            ]
            found = SubtreeDigest(
                _sum([digest, *(child.digest for child in below)]),
                1 + sum(child.counted for child in below),
                sum(child.skipped for child in below),
                sum(child.missing for child in below),
            )
        self._known[model, uid] = found
        return found


def _sum(digests: list[bytes]) -> bytes:
    """Add digests lane by lane, as the Lua scripts do."""
    if len(digests) == 1:
        return digests[0]
    lanes = (sum(int.from_bytes(digest[at : at + _LANE], "big") for digest in digests) for at in (0, _LANE))
    return b"".join((lane % 256**_LANE).to_bytes(_LANE, "big") for lane in lanes)
