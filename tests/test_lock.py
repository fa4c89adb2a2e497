from pathlib import Path

import pytest

from tools import lock
from tools.lock import LOCKS, Lock


@pytest.mark.parametrize("each", LOCKS, ids=lambda each: each.path)
def test_a_lock_matches_its_requirements(each: Lock) -> None:
    assert each.errors() == []


def test_check_finds_a_changed_requirement_a_host_and_a_missing_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    (tmp_path / "a.lock").write_text("# made by hand\n--index-url https://example.com\nrich==13.0\n")
    assert Lock("a.lock", ("a.in",), lambda: "rich").errors() == [
        "a.lock does not match the requirements. Run `make lock`.",
        "a.lock names a host",
        "a.lock: rich==13.0 has no hash",
    ]


def test_the_lock_keeps_fastapi_below_its_upper_limit() -> None:
    pins = dict(name.split("==") for name, _ in lock.pinned((lock.ROOT / "requirements.lock").read_text("utf-8")))
    assert tuple(map(int, pins["fastapi"].split(".")[:2])) < (0, 151)
