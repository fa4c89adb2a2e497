"""What a model says of its hooks when its class is made."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from diffsync_store import DiffSyncModel
from diffsync_store.hooks import ACTIONS, is_own, takes_many, takes_one


def many(cls: Any, adapter: Any, records: list[Any]) -> list[Any]:
    return records


def single(*_: Any, **__: Any) -> None:
    return None


def made(**members: Any) -> type[Any]:
    return type("Host", (DiffSyncModel,), {"__module__": __name__, "_modelname": "host", **members})


@pytest.mark.parametrize("action", ACTIONS)
def test_a_model_that_can_do_neither_is_refused(action: str) -> None:
    with pytest.raises(
        AttributeError, match=f"Host can {action} neither one record nor many: give it a method `{action}`"
    ):
        made(**{action: None, "__annotations__": {action: ClassVar[None]}})
    assert takes_many(
        made(**{action: None, "__annotations__": {action: ClassVar[None]}, f"{action}_many": classmethod(many)}), action
    )


@pytest.mark.parametrize("offered", ACTIONS)
def test_a_model_that_writes_only_some_of_what_it_could_says_so(offered: str) -> None:
    with capture_logs() as logs:
        made(**{f"{offered}_many": classmethod(many)})
    assert [log["event"].split(": ")[1] for log in logs] == [
        f"to {action} changes the store alone." for action in ACTIONS if action != offered
    ]


def test_a_model_that_writes_everything_or_nothing_says_nothing() -> None:
    with capture_logs() as logs:
        made()
        made(create=classmethod(single))
        made(**{f"{action}_many": classmethod(many) for action in ACTIONS})
        made(create_many=classmethod(many), update=single, delete=single)
        made(move=lambda self, old, new, attrs: self)  # noqa: ARG005
    assert logs == []


@pytest.mark.parametrize(
    "name", ["create_many", "update_many", "delete_many", "lookup", "lookup_many", "lookup_parent"]
)
def test_a_hook_that_cannot_be_called_says_so(name: str) -> None:
    with capture_logs() as logs:
        made(create=single, update=single, delete=single, **{name: many})
    [log] = logs
    assert log["event"].startswith(
        f"Host.{name} cannot be called as the hook of this name: write `@classmethod` and `def {name}("
    )


def test_a_field_is_no_hook() -> None:
    class Host(DiffSyncModel):
        _modelname = "host"
        lookup: str = "dns"
        move: int | None = None

    assert Host().lookup == "dns"


def test_single_records_go_where_the_model_writes_them() -> None:
    both = made(create=classmethod(single), create_many=classmethod(many), update=single, delete=single)
    bulk = made(create_many=classmethod(many), update=single, delete=single)
    below = type("Below", (bulk,), {"__module__": __name__})
    assert [takes_one(model, "create") for model in (DiffSyncModel, both, bulk, below)] == [True, True, False, False]
    assert [is_own(model, "create") for model in (DiffSyncModel, both, bulk, below)] == [
        False,
        True,
        False,
        False,
    ]
