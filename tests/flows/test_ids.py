from datetime import UTC, datetime

import pytest

from diffsync_store.store.redis_keys import StoreKeys
from flows.ids import artifact_key, id_of_run

STARTED = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("load", "Registry_2024.1"), "load-registry-2024-1"),
        (("diff", "-a-", "b"), "diff-a-b"),
        (("Zürich",), "z-rich"),
        (("ß€",), "unnamed"),
        (("x" * 300,), "x" * 128),
    ],
)
def test_a_key_is_what_prefect_takes(names: tuple[str, ...], key: str) -> None:
    assert artifact_key(*names) == key


def test_runs_that_are_scheduled_for_one_time_have_ids_of_their_own() -> None:
    one, other = "01a214c2-9545-7c31-8a4e-0f6d2b9c7a11", "01a214c2-9528-7d02-9b1f-6e5c4a3b2d10"
    assert id_of_run(one, STARTED, "netbox") == "netbox-20261126T023000-0f6d2b9c7a11"
    assert id_of_run(other, STARTED, "netbox") == "netbox-20261126T023000-6e5c4a3b2d10"


def test_an_id_is_one_that_a_store_takes_however_long_the_name_is() -> None:
    made = id_of_run("01a214c2-9545-7c31-8a4e-0f6d2b9c7a11", STARTED, "a" * 64, "b" * 64)
    assert len(made) == 128
    assert made.endswith("-0f6d2b9c7a11")
    StoreKeys(made)
