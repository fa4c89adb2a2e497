import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffsync_flows.runtime.ids import artifact_key, id_of_run
from diffsync_store.store.redis.keys import StoreKeys

STARTED = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)


PREFECT_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("load", "registry"), "load-registry"),
        (("load", "site-a"), "load-site-a"),
        (("diff", "registry", "database"), "diff-registry-database"),
        (("load", "Registry_2024.1"), "load-registry-2024-1-81de8b29"),
        (("load", "ß€"), "load-5a015778"),
    ],
)
def test_a_key_is_readable(names: tuple[str, ...], key: str) -> None:
    assert artifact_key(*names) == key


NAMES = st.text(st.sampled_from("aAbB01-_. ß"), max_size=8) | st.sampled_from(["a-progress", "a-totals", "x" * 300])


@given(st.lists(st.tuples(NAMES) | st.tuples(NAMES, NAMES), min_size=2, max_size=40, unique=True))
def test_different_names_have_different_valid_keys(found: list[tuple[str, ...]]) -> None:
    for number in (1, 2):
        group = [names for names in found if len(names) == number]
        keys = [f"{artifact_key('load', *names)}{end}" for names in group for end in ("", "-progress", "-totals")]
        assert len(set(keys)) == len(keys)
        assert all(PREFECT_KEY.fullmatch(key) and len(key) <= 137 for key in keys)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("load", "a_b"), ("load", "a-b")),
        (("load", "A.b"), ("load", "a.b")),
        (("diff", "a-b", "c"), ("diff", "a", "b-c")),
    ],
)
def test_names_with_the_same_letters_have_different_keys(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert artifact_key(*one) != artifact_key(*other)


def test_runs_scheduled_for_the_same_time_have_different_ids() -> None:
    one, other = "01a214c2-9545-7c31-8a4e-0f6d2b9c7a11", "01a214c2-9528-7d02-9b1f-6e5c4a3b2d10"
    assert id_of_run(one, STARTED, "netbox") == "netbox-20261126T023000-0f6d2b9c7a11"
    assert id_of_run(other, STARTED, "netbox") == "netbox-20261126T023000-6e5c4a3b2d10"


def test_an_id_is_valid_for_a_store_however_long_the_name_is() -> None:
    made = id_of_run("01a214c2-9545-7c31-8a4e-0f6d2b9c7a11", STARTED, "a" * 64, "b" * 64)
    assert len(made) == 128
    assert made.endswith("-0f6d2b9c7a11")
    StoreKeys(made)
