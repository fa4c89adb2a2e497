"""The differences that remain after a sync, by record and field."""

from __future__ import annotations

from typing import Self

from diffsync_store import LocalStore
from diffsync_store.sync import Sync
from diffsync_store.sync.convergence import RemainingDifference, remaining_differences
from tests.sync.systems import Data, Network, Site


class Forgetful(Site):
    """Its system takes the region and keeps its own."""

    def update(self, attrs: Data) -> Self | None:
        return super().update({**attrs, "region": "default"})


class ForgetfulNetwork(Network):
    site = Forgetful


def test_remaining_differences_are_reported_by_record_and_field() -> None:
    source = Network("source", LocalStore).put({"a": ("new", {"d1": "leaf"}), "b": ("r", {})})
    target = ForgetfulNetwork("target", LocalStore).put({"a": ("old", {}), "c": ("r", {})})
    Sync(target.diff_from(source), source, target).run()
    left = target.diff_from(source)
    assert list(remaining_differences(left)) == [RemainingDifference("site", "a", "region", "new", "default")]
    source.remove(source.get("site", "b"))
    target.remove(target.get("device", "a__d1"))
    target.get("site", "a").devices.clear()
    assert list(remaining_differences(target.diff_from(source)))[1:] == [
        RemainingDifference("device", "a__d1", "", "there", "missing"),
        RemainingDifference("site", "b", "", "missing", "there"),
    ]


def test_secrets_in_remaining_differences_are_redacted() -> None:
    source = Network("source").put({"a": ("r", {"d": "leaf"})})
    target = Network("target").put({"a": ("r", {"d": "leaf"})})
    source.get("device", "a__d").password = "hunter2"
    [left] = remaining_differences(target.diff_from(source))
    assert (left.field, left.source, left.target) == ("password", "***", "***")
    found = Sync(target.diff_from(source), source, target).run()
    assert (found.updated, found.is_complete) == (1, True)
