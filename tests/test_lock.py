from pathlib import Path

import pytest

from tools import lock
from tools.lock import LOCKS, Lock


@pytest.mark.parametrize("each", LOCKS, ids=lambda each: each.path)
def test_a_lock_is_made_from_the_present_requirements(each: Lock) -> None:
    assert each.faults() == []


def test_a_changed_requirement_a_host_and_a_missing_hash_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    (tmp_path / "a.lock").write_text("# made by hand\n--index-url https://example.com\nrich==13.0\n")
    assert Lock("a.lock", ("a.in",), lambda: "rich").faults() == [
        "a.lock is not made from the present requirements: run `make lock`",
        "a.lock names a host",
        "a.lock: rich==13.0 has no hash",
    ]


def test_a_lock_pins_the_upper_limits_that_have_a_reason() -> None:
    pins = dict(name.split("==") for name, _ in lock.pinned((lock.ROOT / "requirements.lock").read_text("utf-8")))
    assert tuple(map(int, pins["fastapi"].split(".")[:2])) < (0, 151)
