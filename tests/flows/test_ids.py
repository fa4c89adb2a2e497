import pytest

from flows.ids import artifact_key


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
