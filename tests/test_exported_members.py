import pytest

import diffsync_store


@pytest.mark.parametrize("name", diffsync_store.__all__)
def test_every_exported_name_exists_and_says_what_it_is(name: str) -> None:
    member = getattr(diffsync_store, name)
    docstring = vars(member).get("__doc__") if isinstance(member, type) else member.__doc__
    assert isinstance(member, str) or (docstring or "").strip()


def test_each_name_is_exported_once() -> None:
    assert len(diffsync_store.__all__) == len(set(diffsync_store.__all__))


def test_everything_public_at_the_top_is_exported() -> None:
    """Modules that were imported on the way are no names of ours."""
    names = {
        name
        for name, value in vars(diffsync_store).items()
        if getattr(value, "__module__", "").startswith("diffsync_store")
    }
    assert {name for name in names if not name.startswith("_")} <= set(diffsync_store.__all__)
